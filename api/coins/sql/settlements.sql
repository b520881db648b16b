-- Empties accounts into the wallets (kind 'return') or into the expired account. Granted to no role. Coins that return
-- to one wallet from several ideas are posted in rounds, since `coins_post` takes a personal account once per call.
CREATE OR REPLACE FUNCTION app.coins_settle_accounts(
    p_campaign_id uuid, p_kind text, p_account_id bigint[], p_coins bigint[], p_actor_id uuid, p_reason text,
    p_effective_at timestamptz
) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    v_expired_id bigint;
    v_round record;
    v_moved integer := 0;
BEGIN
    IF p_kind <> 'return' THEN
        SELECT l.expired_id INTO STRICT v_expired_id FROM coin_ledgers AS l WHERE l.campaign_id = p_campaign_id;
        RETURN coins_post(p_campaign_id, p_kind, p_account_id,
            array_fill(v_expired_id, ARRAY[coalesce(cardinality(p_account_id), 0)]), p_coins, p_actor_id, p_reason,
            p_effective_at);
    END IF;
    FOR v_round IN
        SELECT array_agg(r.id) AS debit_id, array_agg(r.wallet_id) AS credit_id, array_agg(r.coins) AS coins
        FROM (
            SELECT u.id, u.coins, w.id AS wallet_id, row_number() OVER (PARTITION BY w.id ORDER BY u.id) AS round
            FROM unnest(p_account_id, p_coins) AS u (id, coins)
            LEFT JOIN LATERAL (SELECT x.user_id FROM coin_accounts AS x WHERE x.id = u.id LIMIT 1) AS a ON true
            LEFT JOIN LATERAL (
                SELECT x.id FROM coin_accounts AS x
                WHERE x.campaign_id = p_campaign_id AND x.user_id = a.user_id AND x.kind = 'wallet' LIMIT 1
            ) AS w ON true
        ) AS r
        GROUP BY r.round
        ORDER BY r.round
    LOOP
        v_moved := v_moved + coins_post(p_campaign_id, p_kind, v_round.debit_id, v_round.credit_id, v_round.coins,
            p_actor_id, p_reason, p_effective_at);
    END LOOP;
    RETURN v_moved;
END $$;
REVOKE ALL ON FUNCTION app.coins_settle_accounts(uuid, text, bigint[], bigint[], uuid, text, timestamptz) FROM PUBLIC;

-- Runs the next step of a settlement, at most `p_accounts_max` accounts (null: all stakes, or all wallets). Returns
-- whether the settlement is finished, null if another process runs a step of it.
CREATE OR REPLACE FUNCTION app.coins_settle_next(p_settlement_id uuid, p_accounts_max integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    s record;
    -- less than every id: the index can be used for a range with a start, but not for a condition with OR
    v_first CONSTANT uuid := '00000000-0000-0000-0000-000000000000';
    v_id bigint[];
    v_coins bigint[];
    v_idea_id uuid[];
    v_user_id uuid[];
    v_seen integer;
    v_moved integer;
BEGIN
    SELECT id, campaign_id, kind, idea_ids, has_wallets, actor_id, reason, effective_at, stakes_done, after_idea_id,
        after_user_id, finished_at
    INTO s FROM coin_settlements WHERE id = p_settlement_id FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF s.finished_at IS NOT NULL THEN
        RETURN true;
    END IF;
    IF NOT s.stakes_done THEN
        SELECT array_agg(a.id), array_agg(a.balance_coins), array_agg(a.idea_id), array_agg(a.user_id), count(*)
        INTO v_id, v_coins, v_idea_id, v_user_id, v_seen
        FROM (
            SELECT a.id, a.balance_coins, a.idea_id, a.user_id FROM coin_accounts AS a
            WHERE a.idea_id = ANY (s.idea_ids) AND a.kind = 'stake'
                AND (a.idea_id, a.user_id) > (coalesce(s.after_idea_id, v_first), coalesce(s.after_user_id, v_first))
            ORDER BY a.idea_id, a.user_id LIMIT p_accounts_max
        ) AS a;
    ELSIF s.has_wallets THEN
        SELECT array_agg(a.id), array_agg(a.balance_coins), array_agg(a.idea_id), array_agg(a.user_id), count(*)
        INTO v_id, v_coins, v_idea_id, v_user_id, v_seen
        FROM (
            SELECT a.id, a.balance_coins, a.idea_id, a.user_id FROM coin_accounts AS a
            WHERE a.campaign_id = s.campaign_id AND a.kind = 'wallet'
                AND a.user_id > coalesce(s.after_user_id, v_first)
            ORDER BY a.user_id LIMIT p_accounts_max
        ) AS a;
    ELSE
        v_seen := 0;
    END IF;

    IF v_seen > 0 THEN
        s.after_idea_id := v_idea_id[v_seen];
        s.after_user_id := v_user_id[v_seen];
        SELECT array_agg(u.id), array_agg(u.coins) INTO v_id, v_coins
        FROM unnest(v_id, v_coins) AS u (id, coins) WHERE u.coins > 0;
        v_moved := coins_settle_accounts(s.campaign_id, s.kind, v_id, v_coins, s.actor_id, s.reason, s.effective_at);
        UPDATE coin_settlements
        SET after_idea_id = s.after_idea_id, after_user_id = s.after_user_id, transfers = transfers + v_moved
        WHERE id = s.id;
    ELSIF NOT s.stakes_done THEN
        UPDATE coin_settlements SET stakes_done = true, after_idea_id = NULL, after_user_id = NULL WHERE id = s.id;
    ELSE
        UPDATE coin_settlements SET finished_at = clock_timestamp() WHERE id = s.id;
        UPDATE coin_targets SET settled_at = clock_timestamp() WHERE idea_id = ANY (s.idea_ids) AND settled_at IS NULL;
        IF s.has_wallets THEN
            UPDATE coin_ledgers SET settled_at = clock_timestamp() WHERE campaign_id = s.campaign_id;
        END IF;
        RETURN true;
    END IF;
    RETURN false;
END $$;
REVOKE ALL ON FUNCTION app.coins_settle_next(uuid, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.coins_settle_next(uuid, integer) TO ideamint_app;

-- Trigger function: records the end of a settlement that ran in the background. The command that requested it has
-- recorded its own event.
CREATE OR REPLACE FUNCTION app.coins_record_settled() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
DECLARE
    v_stake_coins bigint;
BEGIN
    SELECT coalesce(sum(t.settled_coins), 0) INTO v_stake_coins
    FROM coin_targets AS t WHERE t.idea_id = ANY (NEW.idea_ids);
    INSERT INTO events (occurred_at, kind, campaign_id, actor_id, idea_id, request_id, data)
    VALUES (coalesce(NEW.effective_at, NEW.finished_at), 'coins_settled', NEW.campaign_id, NEW.actor_id,
        CASE WHEN cardinality(NEW.idea_ids) = 1 AND NOT NEW.has_wallets THEN NEW.idea_ids[1] END, NEW.request_id,
        jsonb_build_object(
            'settlement_id', NEW.id, 'settlement', NEW.kind, 'transfers', NEW.transfers,
            'requested_at', NEW.requested_at,
            'ideas', cardinality(NEW.idea_ids), 'wallets_emptied', NEW.has_wallets,
            'before', jsonb_build_object('is_settling', true, 'stake_coins', v_stake_coins),
            'after', jsonb_build_object('is_settling', false, 'stake_coins', 0)));
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION app.coins_record_settled() FROM PUBLIC;
