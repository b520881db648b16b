CREATE OR REPLACE FUNCTION app.coins_open_targets(p_campaign_id uuid, p_idea_id uuid[], p_author_id uuid[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
BEGIN
    PERFORM 1 FROM coin_ledgers WHERE campaign_id = p_campaign_id AND closed_at IS NULL FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the ledger of campaign % is not open', p_campaign_id
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    INSERT INTO coin_targets (idea_id, campaign_id, author_id)
    SELECT t.idea_id, p_campaign_id, t.author_id FROM unnest(p_idea_id, p_author_id) AS t (idea_id, author_id);
END $$;
REVOKE ALL ON FUNCTION app.coins_open_targets(uuid, uuid[], uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.coins_open_targets(uuid, uuid[], uuid[]) TO ideamint_app;

-- Closes the open ones of these ideas once no movement on them is running, and stores the coins and backers of each.
-- Moves no coins. Granted to no role.
CREATE OR REPLACE FUNCTION app.coins_mark_closed(p_campaign_id uuid, p_idea_id uuid[])
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
REVOKE ALL ON FUNCTION app.coins_mark_closed(uuid, uuid[]) FROM PUBLIC;

-- Locks the open ones of these ideas, the figures of all, and then the stakes and the wallets of the backers in the
-- order of ids, as a command does before it closes the ideas one by one: two such commands wait for each other and
-- cannot block each other. An idea with more than `p_inline_max` stakes is left out, since a settlement returns its
-- coins.
CREATE OR REPLACE FUNCTION app.coins_lock_stakes(
    p_campaign_id uuid, p_idea_id uuid[], p_inline_max integer DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp SET enable_seqscan = off AS $$
DECLARE
    v_id bigint[];
BEGIN
    PERFORM coins_lock_targets(ARRAY(
        SELECT t.idea_id FROM coin_targets AS t
        WHERE t.idea_id = ANY (p_idea_id) AND t.campaign_id = p_campaign_id AND t.is_open));
    -- A command that closes one idea changes its figures before it locks wallets (ideas/sql/figures.sql), and so do all
    -- that follow. Also those of ideas that are closed, which a command may open again.
    PERFORM 1 FROM idea_figures AS f WHERE f.idea_id = ANY (p_idea_id) ORDER BY f.idea_id FOR NO KEY UPDATE;
    WITH stake AS (
        SELECT a.id, a.user_id, count(*) OVER (PARTITION BY a.idea_id) AS stakes
        FROM coin_targets AS t
        JOIN coin_accounts AS a ON a.idea_id = t.idea_id AND a.kind = 'stake' AND a.balance_coins > 0
        WHERE t.idea_id = ANY (p_idea_id) AND t.campaign_id = p_campaign_id AND t.is_open
    )
    SELECT array_agg(u.id) INTO v_id
    FROM stake AS s
    JOIN coin_accounts AS w ON w.campaign_id = p_campaign_id AND w.user_id = s.user_id AND w.kind = 'wallet'
    CROSS JOIN LATERAL (VALUES (s.id), (w.id)) AS u (id)
    WHERE s.stakes <= coalesce(p_inline_max, s.stakes);
    PERFORM 1 FROM coin_accounts AS a WHERE a.id = ANY (v_id) ORDER BY a.id FOR UPDATE;
END $$;
REVOKE ALL ON FUNCTION app.coins_lock_stakes(uuid, uuid[], integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.coins_lock_stakes(uuid, uuid[], integer) TO ideamint_app;

-- Closes ideas for coins: the stakes expire ('expire', an acceptance, and 'settle') or return to their wallets
-- ('return', 'withdraw'), unless the policy's returned_coins lets them expire too; in a grace time they return.
-- Waits for running movements on these ideas and blocks new ones. All but a withdrawal, which is the author's and gives
-- all backers their coins, are refused in a grace time. Expiry on acceptance changes stakes only and is done here; the
-- rest is left to a settlement if there are more stakes than `p_inline_max`. Returns one row per idea.
CREATE OR REPLACE FUNCTION app.coins_close_targets(
    p_campaign_id uuid, p_idea_id uuid[], p_kind text, p_actor_id uuid, p_reason text DEFAULT NULL,
    p_effective_at timestamptz DEFAULT NULL, p_inline_max integer DEFAULT NULL, p_request_id text DEFAULT NULL
) RETURNS TABLE (idea_id uuid, settled_coins bigint, settled_backers integer, is_settling boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
#variable_conflict use_column
DECLARE
    -- transfers and settlements of a withdrawal are returns
    v_kind text := CASE p_kind WHEN 'withdraw' THEN 'return' ELSE p_kind END;
    v_closed uuid[];
    v_stakes bigint;
    v_stake_id bigint[];
    v_coins bigint[];
BEGIN
    IF v_kind NOT IN ('expire', 'return', 'settle') THEN
        RAISE EXCEPTION 'stakes of a closed idea expire, return or settle, not %', p_kind;
    END IF;
    IF p_kind = 'withdraw' THEN
        PERFORM coins_check_withdrawal(p_campaign_id, p_idea_id, p_actor_id, p_effective_at);
    ELSE
        PERFORM coins_check_grace(p_campaign_id, p_idea_id);
    END IF;
    IF p_kind = 'expire' THEN
        PERFORM coins_check_acceptance(p_campaign_id, p_idea_id, p_effective_at);
    END IF;
    -- who may take coins back whatever the policy says does not lose them by a withdrawal
    IF v_kind = 'return' AND coins_returned_expire(p_campaign_id) AND NOT EXISTS (
        SELECT FROM coin_targets AS t
        WHERE t.idea_id = ANY (p_idea_id) AND t.campaign_id = p_campaign_id AND t.is_open
            AND t.grace_until >= clock_timestamp()
    ) THEN
        v_kind := 'expire';
    END IF;
    SELECT coalesce(array_agg(c.idea_id ORDER BY c.idea_id), '{}'), coalesce(sum(c.settled_backers), 0)
    INTO v_closed, v_stakes FROM coins_mark_closed(p_campaign_id, p_idea_id) AS c;

    IF v_kind <> 'expire' AND v_stakes > p_inline_max THEN
        INSERT INTO coin_settlements
            (campaign_id, kind, idea_ids, has_wallets, actor_id, reason, effective_at, request_id)
        VALUES (p_campaign_id, v_kind, v_closed, false, p_actor_id, p_reason, p_effective_at, p_request_id);
    ELSE
        SELECT array_agg(a.id), array_agg(a.balance_coins) INTO v_stake_id, v_coins
        FROM coin_accounts AS a WHERE a.idea_id = ANY (v_closed) AND a.kind = 'stake' AND a.balance_coins > 0;
        PERFORM coins_settle_accounts(p_campaign_id, v_kind, v_stake_id, v_coins, p_actor_id, p_reason, p_effective_at);
        UPDATE coin_targets AS t SET settled_at = clock_timestamp() WHERE t.idea_id = ANY (v_closed);
    END IF;
    RETURN QUERY SELECT t.idea_id, t.settled_coins, t.settled_backers, t.settled_at IS NULL
    FROM coin_targets AS t WHERE t.idea_id = ANY (v_closed);
END $$;
REVOKE ALL ON FUNCTION app.coins_close_targets(uuid, uuid[], text, uuid, text, timestamptz, integer, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.coins_close_targets(
    uuid, uuid[], text, uuid, text, timestamptz, integer, text
) TO ideamint_app;

-- Ends a campaign with at_end = expire, unless an idea is in its grace time: closes every open idea, empties every
-- wallet and excludes later grants. With more accounts than `p_inline_max`, or while an earlier settlement is running,
-- the ledger is closed here and emptied by a settlement. Returns the coins that were left in wallets, and whether a
-- settlement is running.
CREATE OR REPLACE FUNCTION app.coins_close_ledger(
    p_campaign_id uuid, p_actor_id uuid, p_effective_at timestamptz DEFAULT NULL, p_inline_max integer DEFAULT NULL,
    p_request_id text DEFAULT NULL
) RETURNS TABLE (wallet_coins bigint, is_settling boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_settlement_id uuid;
    v_open_id uuid[];
BEGIN
    PERFORM 1 FROM coin_ledgers AS l WHERE l.campaign_id = p_campaign_id AND l.closed_at IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the ledger of campaign % is not open', p_campaign_id
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    v_open_id := ARRAY(
        SELECT t.idea_id FROM coin_targets AS t WHERE t.campaign_id = p_campaign_id AND t.is_open);
    PERFORM coins_check_grace(p_campaign_id, v_open_id);
    WITH closed AS (
        SELECT c.idea_id FROM coins_mark_closed(p_campaign_id, v_open_id) AS c
    )
    INSERT INTO coin_settlements (campaign_id, kind, idea_ids, has_wallets, actor_id, effective_at, request_id)
    SELECT p_campaign_id, 'settle', coalesce(array_agg(c.idea_id ORDER BY c.idea_id), '{}'), true, p_actor_id,
        p_effective_at, p_request_id
    FROM closed AS c
    RETURNING id INTO v_settlement_id;
    UPDATE coin_ledgers AS l SET closed_at = clock_timestamp() WHERE l.campaign_id = p_campaign_id;
    SELECT coalesce(sum(a.balance_coins), 0), count(*) > p_inline_max INTO wallet_coins, is_settling
    FROM coin_accounts AS a
    WHERE a.campaign_id = p_campaign_id AND a.kind IN ('wallet', 'held') AND a.balance_coins > 0;
    -- wallets are emptied last: otherwise coins that an earlier settlement still returns would remain in them
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
REVOKE ALL ON FUNCTION app.coins_close_ledger(uuid, uuid, timestamptz, integer, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.coins_close_ledger(uuid, uuid, timestamptz, integer, text) TO ideamint_app;

-- Reopens an accepted idea: reversing transfers, each with a reference to its original, restore the expired coins. All
-- coins that the idea had when it was closed are restored, or none: an idea whose coins returned to the wallets stays
-- closed.
CREATE OR REPLACE FUNCTION app.coins_reopen_target(p_campaign_id uuid, p_idea_id uuid, p_actor_id uuid, p_reason text)
RETURNS TABLE (coins bigint, backers integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_expired_id bigint;
    v_stake_id bigint[];
    v_coins bigint[];
    v_reverses_id uuid[];
    v_restored_coins bigint;
    v_settled_coins bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(uuid_hash_extended(p_idea_id, 0));
    SELECT l.expired_id INTO STRICT v_expired_id FROM coin_ledgers AS l
    WHERE l.campaign_id = p_campaign_id AND l.closed_at IS NULL FOR SHARE;
    -- an idea may have been accepted and reopened before: the last expiry is the last posting of each stake
    SELECT coalesce(array_agg(a.id), '{}'), coalesce(array_agg(-p.amount_coins), '{}'), coalesce(array_agg(t.id), '{}')
    INTO v_stake_id, v_coins, v_reverses_id
    FROM coin_accounts AS a
    JOIN coin_postings AS p ON p.account_id = a.id AND p.account_version = a.version AND p.side = -1
    JOIN coin_transfers AS t ON t.id = p.transfer_id AND t.kind = 'expire'
    WHERE a.idea_id = p_idea_id AND a.kind = 'stake' AND a.campaign_id = p_campaign_id;
    SELECT coalesce(sum(u.c), 0) INTO v_restored_coins FROM unnest(v_coins) AS u (c);
    SELECT t.settled_coins INTO v_settled_coins FROM coin_targets AS t
    WHERE t.idea_id = p_idea_id AND t.campaign_id = p_campaign_id AND NOT t.is_open;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'idea % is not closed', p_idea_id USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF v_restored_coins <> v_settled_coins THEN
        RAISE EXCEPTION 'idea % had % coins when it was closed, and % of them expired: there is no acceptance to undo',
            p_idea_id, v_settled_coins, v_restored_coins USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    PERFORM coins_post(p_campaign_id, 'reverse', array_fill(v_expired_id, ARRAY[cardinality(v_stake_id)]), v_stake_id,
        v_coins, p_actor_id, p_reason, NULL, v_reverses_id);
    UPDATE coin_targets AS t
    SET is_open = true, closed_at = NULL, settled_coins = NULL, settled_backers = NULL, settled_at = NULL
    WHERE t.idea_id = p_idea_id AND t.campaign_id = p_campaign_id;
    RETURN QUERY SELECT v_restored_coins, cardinality(v_coins);
END $$;
REVOKE ALL ON FUNCTION app.coins_reopen_target(uuid, uuid, uuid, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.coins_reopen_target(uuid, uuid, uuid, text) TO ideamint_app;
