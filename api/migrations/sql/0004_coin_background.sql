-- What goes on beside the commands. Each call is one transaction, and gives way to another process that is at the same.

-- The next part of a settlement, at most `p_accounts_max` accounts of it (null: all stakes, or all wallets). Returns
-- whether it is finished, null if somebody else is at it.
CREATE FUNCTION app.coins_settle_next(p_settlement_id uuid, p_accounts_max integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
DECLARE
    s coin_settlements;
    v_id bigint[];
    v_coins bigint[];
    v_idea_id uuid[];
    v_user_id uuid[];
    v_seen integer;
    v_moved integer;
BEGIN
    SELECT * INTO s FROM coin_settlements WHERE id = p_settlement_id FOR UPDATE SKIP LOCKED;
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
                AND (s.after_idea_id IS NULL OR (a.idea_id, a.user_id) > (s.after_idea_id, s.after_user_id))
            ORDER BY a.idea_id, a.user_id LIMIT p_accounts_max
        ) AS a;
    ELSIF s.has_wallets THEN
        SELECT array_agg(a.id), array_agg(a.balance_coins), array_agg(a.idea_id), array_agg(a.user_id), count(*)
        INTO v_id, v_coins, v_idea_id, v_user_id, v_seen
        FROM (
            SELECT a.id, a.balance_coins, a.idea_id, a.user_id FROM coin_accounts AS a
            WHERE a.campaign_id = s.campaign_id AND a.kind = 'wallet'
                AND (s.after_user_id IS NULL OR a.user_id > s.after_user_id)
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

-- Adds to the totals what was posted since the last time, as far as no transaction is under way that began before it:
-- in the order of ids alone, rows that commit late would be missed. Returns how many ideas changed, null if somebody
-- else is at it.
CREATE FUNCTION app.coins_fold() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp SET enable_seqscan = off AS $$
DECLARE
    v_from xid8;
    v_to xid8;
    v_now timestamptz;
    v_idea_id uuid[];
    v_campaign_id uuid[];
    v_coins bigint[];
    v_backers integer[];
BEGIN
    SELECT folded_xid INTO v_from FROM coin_folds FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    v_now := clock_timestamp();
    v_to := pg_snapshot_xmin(pg_current_snapshot());
    SELECT array_agg(c.idea_id ORDER BY c.idea_id), array_agg(c.campaign_id ORDER BY c.idea_id),
        array_agg(c.coins ORDER BY c.idea_id), array_agg(c.backers ORDER BY c.idea_id)
    INTO v_idea_id, v_campaign_id, v_coins, v_backers
    FROM (
        SELECT a.idea_id, a.campaign_id, sum(p.amount_coins)::bigint AS coins,
            sum((p.balance_after_coins > 0)::integer - (p.balance_after_coins > p.amount_coins)::integer)::integer AS backers
        FROM coin_transfers AS t
        JOIN coin_postings AS p ON p.transfer_id = t.id
        JOIN coin_accounts AS a ON a.id = p.account_id AND a.kind = 'stake'
        WHERE t.xid >= v_from AND t.xid < v_to
        GROUP BY a.idea_id, a.campaign_id
    ) AS c;
    -- a row is made with zeros first: what is added may be less than zero, which no total is
    INSERT INTO coin_totals (idea_id, campaign_id, coins, backers)
    SELECT c.idea_id, c.campaign_id, 0, 0 FROM unnest(v_idea_id, v_campaign_id) AS c (idea_id, campaign_id)
    ON CONFLICT (idea_id) DO NOTHING;
    UPDATE coin_totals AS t SET coins = t.coins + c.coins, backers = t.backers + c.backers
    FROM unnest(v_idea_id, v_coins, v_backers) AS c (idea_id, coins, backers)
    WHERE t.idea_id = c.idea_id;
    UPDATE coin_folds SET folded_xid = v_to, folded_at = v_now;
    RETURN coalesce(cardinality(v_idea_id), 0);
END $$;

GRANT EXECUTE ON FUNCTION app.coins_settle_next(uuid, integer), app.coins_fold() TO ideamint_app;
