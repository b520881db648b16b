-- Closing ideas, and the event that a settlement leaves when it has ended.

ALTER TABLE app.coin_settlements ADD COLUMN request_id text;

-- Closes those of these ideas that are open, once no movement on them is under way, and keeps what each had. Moves no
-- coin. Not granted to anybody.
CREATE FUNCTION app.coins_mark_closed(p_campaign_id uuid, p_idea_id uuid[])
RETURNS TABLE (idea_id uuid, settled_backers integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM coins_lock_targets(p_idea_id);
    RETURN QUERY
    UPDATE coin_targets AS t
    SET is_open = false, closed_at = clock_timestamp(), settled_coins = s.coins, settled_backers = s.backers
    FROM (
        SELECT u.id, coalesce(sum(a.balance_coins), 0)::bigint AS coins,
            count(*) FILTER (WHERE a.balance_coins > 0)::integer AS backers
        FROM unnest(p_idea_id) AS u (id)
        LEFT JOIN coin_accounts AS a ON a.idea_id = u.id AND a.kind = 'stake'
        GROUP BY u.id
    ) AS s
    WHERE t.idea_id = s.id AND t.campaign_id = p_campaign_id AND t.is_open
    RETURNING t.idea_id, t.settled_backers;
END $$;

DROP FUNCTION app.coins_close_targets(uuid, uuid[], text, uuid, text, timestamptz, integer);
DROP FUNCTION app.coins_close_ledger(uuid, uuid, timestamptz, integer);

-- Closes ideas for coins: the stakes expire ('expire', 'settle') or go back to their wallets ('return'). Waits for
-- movements under way on these ideas, and lets none start. Expiry on acceptance touches stakes alone and is done here;
-- the rest is left to a settlement where there are more stakes than `p_inline_max`. Returns a row an idea.
CREATE FUNCTION app.coins_close_targets(
    p_campaign_id uuid, p_idea_id uuid[], p_kind text, p_actor_id uuid, p_reason text DEFAULT NULL,
    p_effective_at timestamptz DEFAULT NULL, p_inline_max integer DEFAULT NULL, p_request_id text DEFAULT NULL
) RETURNS TABLE (idea_id uuid, settled_coins bigint, settled_backers integer, is_settling boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_closed uuid[];
    v_stakes bigint;
    v_stake_id bigint[];
    v_coins bigint[];
BEGIN
    IF p_kind NOT IN ('expire', 'return', 'settle') THEN
        RAISE EXCEPTION 'stakes of a closed idea expire, return or settle, not %', p_kind;
    END IF;
    SELECT coalesce(array_agg(c.idea_id ORDER BY c.idea_id), '{}'), coalesce(sum(c.settled_backers), 0)
    INTO v_closed, v_stakes FROM coins_mark_closed(p_campaign_id, p_idea_id) AS c;

    IF p_kind <> 'expire' AND v_stakes > p_inline_max THEN
        INSERT INTO coin_settlements (campaign_id, kind, idea_ids, has_wallets, actor_id, reason, effective_at, request_id)
        VALUES (p_campaign_id, p_kind, v_closed, false, p_actor_id, p_reason, p_effective_at, p_request_id);
    ELSE
        SELECT array_agg(a.id), array_agg(a.balance_coins) INTO v_stake_id, v_coins
        FROM coin_accounts AS a WHERE a.idea_id = ANY (v_closed) AND a.kind = 'stake' AND a.balance_coins > 0;
        PERFORM coins_settle_accounts(p_campaign_id, p_kind, v_stake_id, v_coins, p_actor_id, p_reason, p_effective_at);
        UPDATE coin_targets AS t SET settled_at = clock_timestamp() WHERE t.idea_id = ANY (v_closed);
    END IF;
    RETURN QUERY SELECT t.idea_id, t.settled_coins, t.settled_backers, t.settled_at IS NULL
    FROM coin_targets AS t WHERE t.idea_id = ANY (v_closed);
END $$;

-- The campaign's end under at_end = expire: every open idea is closed, every wallet emptied, no grant comes after. With
-- more coins' places than `p_inline_max`, or while an earlier settlement is under way, the ledger is closed here and
-- emptied by a settlement. Returns the coins that were left in wallets, and whether a settlement is under way.
CREATE FUNCTION app.coins_close_ledger(
    p_campaign_id uuid, p_actor_id uuid, p_effective_at timestamptz DEFAULT NULL, p_inline_max integer DEFAULT NULL,
    p_request_id text DEFAULT NULL
) RETURNS TABLE (wallet_coins bigint, is_settling boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_settlement_id uuid;
BEGIN
    PERFORM 1 FROM coin_ledgers AS l WHERE l.campaign_id = p_campaign_id AND l.closed_at IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the ledger of campaign % is not open', p_campaign_id USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    WITH closed AS (
        SELECT c.idea_id
        FROM coins_mark_closed(p_campaign_id, ARRAY(
            SELECT t.idea_id FROM coin_targets AS t WHERE t.campaign_id = p_campaign_id AND t.is_open)) AS c
    )
    INSERT INTO coin_settlements (campaign_id, kind, idea_ids, has_wallets, actor_id, effective_at, request_id)
    SELECT p_campaign_id, 'settle', coalesce(array_agg(c.idea_id ORDER BY c.idea_id), '{}'), true, p_actor_id,
        p_effective_at, p_request_id
    FROM closed AS c
    RETURNING id INTO v_settlement_id;
    UPDATE coin_ledgers AS l SET closed_at = clock_timestamp() WHERE l.campaign_id = p_campaign_id;
    SELECT coalesce(sum(a.balance_coins), 0), count(*) > p_inline_max INTO wallet_coins, is_settling
    FROM coin_accounts AS a WHERE a.campaign_id = p_campaign_id AND a.kind IN ('wallet', 'held') AND a.balance_coins > 0;
    -- wallets are emptied last: what an earlier settlement still returns would stay in them for good
    is_settling := coalesce(is_settling, false) OR coalesce((
        SELECT sum(t.settled_backers) > p_inline_max FROM coin_targets AS t
        WHERE t.campaign_id = p_campaign_id AND t.settled_at IS NULL), false)
        OR EXISTS (
            SELECT FROM coin_settlements AS s
            WHERE s.campaign_id = p_campaign_id AND s.finished_at IS NULL AND s.id <> v_settlement_id);
    IF NOT is_settling THEN
        WHILE NOT coins_settle_next(v_settlement_id, NULL) LOOP
        END LOOP;
    END IF;
    RETURN NEXT;
END $$;

-- The command that asked for a settlement has its own event; what was left to the background ends with one too.
CREATE FUNCTION app.coins_tell_settled() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
DECLARE
    v_stake_coins bigint;
BEGIN
    SELECT coalesce(sum(t.settled_coins), 0) INTO v_stake_coins FROM coin_targets AS t WHERE t.idea_id = ANY (NEW.idea_ids);
    INSERT INTO events (occurred_at, kind, campaign_id, actor_id, idea_id, request_id, data)
    VALUES (coalesce(NEW.effective_at, NEW.finished_at), 'coins_settled', NEW.campaign_id, NEW.actor_id,
        CASE WHEN cardinality(NEW.idea_ids) = 1 AND NOT NEW.has_wallets THEN NEW.idea_ids[1] END, NEW.request_id,
        jsonb_build_object(
            'settlement_id', NEW.id, 'settlement', NEW.kind, 'transfers', NEW.transfers, 'requested_at', NEW.requested_at,
            'ideas', cardinality(NEW.idea_ids), 'wallets_emptied', NEW.has_wallets,
            'before', jsonb_build_object('is_settling', true, 'stake_coins', v_stake_coins),
            'after', jsonb_build_object('is_settling', false, 'stake_coins', 0)));
    RETURN NULL;
END $$;

CREATE TRIGGER coin_settlements_tell_settled AFTER UPDATE OF finished_at ON app.coin_settlements FOR EACH ROW
    WHEN (OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL AND NEW.requested_at < transaction_timestamp())
    EXECUTE FUNCTION app.coins_tell_settled();

GRANT EXECUTE ON FUNCTION
    app.coins_close_targets(uuid, uuid[], text, uuid, text, timestamptz, integer, text),
    app.coins_close_ledger(uuid, uuid, timestamptz, integer, text) TO ideamint_app;
