-- Merges the stakes of open ideas into those of another one, and undoes it. docs/merging.md has the rules.

-- Locks a ledger against its closing, then ideas, and then their figures, which the triggers of targets change. Granted
-- to no role.
CREATE OR REPLACE FUNCTION app.coins_lock_merge(p_campaign_id uuid, p_idea_id uuid[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
BEGIN
    PERFORM 1 FROM coin_ledgers AS l WHERE l.campaign_id = p_campaign_id AND l.closed_at IS NULL FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the ledger of campaign % is not open', p_campaign_id
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    PERFORM coins_lock_targets(p_idea_id);
    PERFORM 1 FROM idea_figures AS f WHERE f.idea_id = ANY (p_idea_id) ORDER BY f.idea_id FOR NO KEY UPDATE;
END $$;
REVOKE ALL ON FUNCTION app.coins_lock_merge(uuid, uuid[]) FROM PUBLIC;

-- Raises an exception unless all these ideas of the campaign are open, or all are closed. Granted to no role.
CREATE OR REPLACE FUNCTION app.coins_check_targets(p_campaign_id uuid, p_idea_id uuid[], p_is_open boolean)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
BEGIN
    IF (
        SELECT count(*) FROM coin_targets AS t
        WHERE t.idea_id = ANY (p_idea_id) AND t.campaign_id = p_campaign_id AND t.is_open = p_is_open
    ) <> cardinality(p_idea_id) THEN
        RAISE EXCEPTION 'an idea of these is not % in campaign %: %',
            CASE WHEN p_is_open THEN 'open' ELSE 'closed' END, p_campaign_id, p_idea_id
            USING ERRCODE = 'object_not_in_prerequisite_state', CONSTRAINT = 'coin_targets_open';
    END IF;
END $$;
REVOKE ALL ON FUNCTION app.coins_check_targets(uuid, uuid[], boolean) FROM PUBLIC;

-- Moves all stakes on open ideas, the sources, to the stakes of the same members on an open target, and closes the
-- sources. A member gets the sum, up to the maximum per member and idea; what is above it, and all coins of the
-- target's author if the policy does not allow own ideas, return to the wallet, also to a frozen one. The sources are
-- used in the order of their ids. Coins that were on the target stay there. Refused in a grace time of one of the
-- ideas. Returns the coins and backers of each source before, and what was returned of it.
CREATE OR REPLACE FUNCTION app.coins_merge(
    p_campaign_id uuid, p_merge_id uuid, p_target_id uuid, p_source_id uuid[], p_actor_id uuid, p_reason text,
    p_effective_at timestamptz DEFAULT NULL, p_request_id text DEFAULT NULL
) RETURNS TABLE (
    idea_id uuid, stake_coins bigint, backers integer, returned_coins bigint, returned_backers integer
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    v_barred_id uuid;
    v_max bigint;
    v_step record;
    v_stake_id bigint[];
    v_debits smallint[];
    v_returning_id bigint[];
    v_wallet_id bigint[];
BEGIN
    PERFORM coins_lock_merge(p_campaign_id, p_source_id || p_target_id);
    PERFORM coins_check_grace(p_campaign_id, p_source_id || p_target_id);
    PERFORM coins_check_targets(p_campaign_id, p_source_id || p_target_id, true);
    SELECT CASE WHEN NOT y.own_ideas THEN t.author_id END,
        coalesce(coins_idea_max(y.coins_per_member_and_idea_max, y.coins_per_member_and_idea_max_percent,
            y.coins_per_member), 1000000000000)
    INTO STRICT v_barred_id, v_max
    FROM coin_targets AS t
    JOIN coin_ledgers AS x ON x.campaign_id = t.campaign_id
    JOIN coin_policies AS y ON y.campaign_id = x.campaign_id AND y.version = x.policy_version
    WHERE t.idea_id = p_target_id;
    UPDATE coin_targets AS t
    SET is_open = false, closed_at = clock_timestamp(), settled_coins = 0, settled_backers = 0,
        settled_at = clock_timestamp()
    WHERE t.idea_id = ANY (p_source_id);

    -- the stakes, and the wallets that get coins: others' wallets stay free for their movements on other ideas
    WITH stake AS MATERIALIZED (
        SELECT s.id, s.user_id, sum(s.balance_coins) OVER (PARTITION BY s.user_id) AS coins
        FROM coin_accounts AS s
        WHERE s.idea_id = ANY (p_source_id || p_target_id) AND s.kind = 'stake' AND s.balance_coins > 0
    )
    SELECT array_agg(u.id) INTO v_stake_id
    FROM stake AS s
    LEFT JOIN LATERAL (
        SELECT x.id FROM coin_accounts AS x
        WHERE (s.coins > v_max OR s.user_id IS NOT DISTINCT FROM v_barred_id)
            AND x.campaign_id = p_campaign_id AND x.user_id = s.user_id AND x.kind = 'wallet' LIMIT 1
    ) AS w ON true
    CROSS JOIN LATERAL (VALUES (s.id), (w.id)) AS u (id)
    WHERE u.id IS NOT NULL;
    PERFORM 1 FROM coin_accounts AS a WHERE a.id = ANY (v_stake_id) ORDER BY a.id FOR UPDATE;
    v_stake_id := '{}';

    -- new accounts have the last ids, and no other transaction sees them
    INSERT INTO coin_accounts (campaign_id, kind, user_id, idea_id, balance_coins)
    SELECT p_campaign_id, 'stake', b.user_id, p_target_id, 0
    FROM (
        SELECT DISTINCT s.user_id FROM coin_accounts AS s
        WHERE s.idea_id = ANY (p_source_id) AND s.kind = 'stake' AND s.balance_coins > 0
            AND s.user_id IS DISTINCT FROM v_barred_id
    ) AS b
    ORDER BY b.user_id
    ON CONFLICT (user_id, idea_id) WHERE kind = 'stake' DO NOTHING;

    -- one call for each source and kind of target account, since `coins_post` takes a personal account once per call
    FOR v_step IN
        WITH stake AS MATERIALIZED (
            SELECT s.id, s.user_id, s.idea_id, s.balance_coins AS coins,
                sum(s.balance_coins) OVER (PARTITION BY s.user_id ORDER BY s.idea_id) - s.balance_coins AS earlier_coins
            FROM coin_accounts AS s
            WHERE s.idea_id = ANY (p_source_id) AND s.kind = 'stake' AND s.balance_coins > 0
        ), planned AS MATERIALIZED (
            SELECT s.id, s.user_id, s.idea_id, s.coins, t.id AS target_id,
                CASE WHEN s.user_id IS NOT DISTINCT FROM v_barred_id THEN 0
                    ELSE least(s.coins, greatest(0, v_max - t.balance_coins - s.earlier_coins))
                END::bigint AS moved_coins
            FROM stake AS s
            LEFT JOIN LATERAL (
                SELECT x.id, x.balance_coins FROM coin_accounts AS x
                WHERE x.user_id = s.user_id AND x.idea_id = p_target_id AND x.kind = 'stake' LIMIT 1
            ) AS t ON true
        ), step AS (
            SELECT p.idea_id, false AS is_return, p.id AS debit_id, p.target_id AS credit_id, p.moved_coins AS coins
            FROM planned AS p WHERE p.moved_coins > 0
            UNION ALL
            SELECT p.idea_id, true, p.id, w.id, p.coins - p.moved_coins
            FROM planned AS p
            LEFT JOIN LATERAL (
                SELECT x.id FROM coin_accounts AS x
                WHERE x.campaign_id = p_campaign_id AND x.user_id = p.user_id AND x.kind = 'wallet' LIMIT 1
            ) AS w ON true
            WHERE p.moved_coins < p.coins
        )
        SELECT s.idea_id, s.is_return, array_agg(s.debit_id ORDER BY s.debit_id) AS debit_id,
            array_agg(s.credit_id ORDER BY s.debit_id) AS credit_id, array_agg(s.coins ORDER BY s.debit_id) AS coins
        FROM step AS s
        GROUP BY s.idea_id, s.is_return
        ORDER BY s.idea_id, s.is_return
    LOOP
        PERFORM coins_post(p_campaign_id, 'merge', v_step.debit_id, v_step.credit_id, v_step.coins, p_actor_id, p_reason,
            p_effective_at);
        v_stake_id := v_stake_id || v_step.debit_id;
        IF v_step.is_return THEN
            v_returning_id := v_returning_id || v_step.debit_id;
            v_wallet_id := v_wallet_id || v_step.credit_id;
        END IF;
    END LOOP;

    INSERT INTO coin_merge_accounts (merge_id, account_id, account_version, debits)
    SELECT p_merge_id, a.id, a.version, m.debits
    FROM (
        SELECT u.id, count(*)::smallint AS debits FROM unnest(v_stake_id) AS u (id) GROUP BY u.id
        UNION ALL
        SELECT s.id, 0::smallint FROM coin_accounts AS s WHERE s.idea_id = p_target_id AND s.kind = 'stake'
        UNION ALL
        SELECT DISTINCT u.id, 0::smallint FROM unnest(v_wallet_id) AS u (id)
    ) AS m
    CROSS JOIN LATERAL (SELECT x.id, x.version FROM coin_accounts AS x WHERE x.id = m.id LIMIT 1) AS a;

    -- the return is the last posting of its stake
    INSERT INTO events (occurred_at, kind, campaign_id, actor_id, user_id, idea_id, request_id, data)
    SELECT p.effective_at, 'coins_taken_back', p_campaign_id, p_actor_id, a.user_id, a.idea_id, p_request_id,
        jsonb_build_object('transfer_id', p.transfer_id, 'coins', -p.amount_coins, 'from_idea_id', a.idea_id,
            'to_idea_id', NULL)
    FROM unnest(v_returning_id) AS u (id)
    CROSS JOIN LATERAL (
        SELECT x.user_id, x.idea_id, x.version FROM coin_accounts AS x WHERE x.id = u.id LIMIT 1
    ) AS a
    CROSS JOIN LATERAL (
        SELECT x.transfer_id, x.effective_at, x.amount_coins FROM coin_postings AS x
        WHERE x.account_id = u.id AND x.account_version = a.version LIMIT 1
    ) AS p
    ORDER BY u.id;

    RETURN QUERY
    SELECT i.id, coalesce(m.coins, 0)::bigint, coalesce(m.backers, 0)::integer, coalesce(m.returned, 0)::bigint,
        coalesce(m.returned_backers, 0)::integer
    FROM unnest(p_source_id) AS i (id)
    LEFT JOIN (
        SELECT s.idea_id, sum(s.coins) AS coins, count(DISTINCT s.user_id) AS backers,
            sum(s.coins) FILTER (WHERE s.is_return) AS returned,
            count(*) FILTER (WHERE s.is_return) AS returned_backers
        FROM coins_merge_postings(p_merge_id) AS s
        GROUP BY s.idea_id
    ) AS m ON m.idea_id = i.id;
END $$;
REVOKE ALL ON FUNCTION app.coins_merge(uuid, uuid, uuid, uuid[], uuid, text, timestamptz, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.coins_merge(
    uuid, uuid, uuid, uuid[], uuid, text, timestamptz, text
) TO ideamint_app;

-- The transfers of a merge: from the stake on a source to the stake on the target or, `is_return`, to the wallet.
CREATE OR REPLACE FUNCTION app.coins_merge_postings(p_merge_id uuid) RETURNS TABLE (
    transfer_id uuid, user_id uuid, idea_id uuid, source_account_id bigint, account_id bigint, is_return boolean,
    coins bigint
)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = app, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT p.transfer_id, s.user_id, s.idea_id, s.id, c.id, c.kind = 'wallet', -p.amount_coins
    FROM coin_merge_accounts AS m
    CROSS JOIN LATERAL (
        SELECT x.id, x.user_id, x.idea_id FROM coin_accounts AS x WHERE x.id = m.account_id LIMIT 1
    ) AS s
    CROSS JOIN LATERAL (
        SELECT x.transfer_id, x.amount_coins FROM coin_postings AS x
        WHERE x.account_id = m.account_id AND x.account_version > m.account_version - m.debits
            AND x.account_version <= m.account_version
        OFFSET 0
    ) AS p
    CROSS JOIN LATERAL (
        SELECT x.account_id FROM coin_postings AS x WHERE x.transfer_id = p.transfer_id AND x.side = 1 LIMIT 1
    ) AS q
    CROSS JOIN LATERAL (SELECT x.id, x.kind FROM coin_accounts AS x WHERE x.id = q.account_id LIMIT 1) AS c
    WHERE m.merge_id = p_merge_id AND m.debits > 0;
END $$;
REVOKE ALL ON FUNCTION app.coins_merge_postings(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.coins_merge_postings(uuid) TO ideamint_app;

-- The accounts whose coins have moved since a merge, with their member, and their idea unless it is a wallet: stakes on
-- the target or a source, and wallets that got coins back.
CREATE OR REPLACE FUNCTION app.coins_moved_since_merge(p_merge_id uuid, p_target_id uuid)
RETURNS TABLE (user_id uuid, idea_id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = app, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT a.user_id, a.idea_id
    FROM coin_merge_accounts AS m
    CROSS JOIN LATERAL (
        SELECT x.user_id, x.idea_id, x.version FROM coin_accounts AS x WHERE x.id = m.account_id LIMIT 1
    ) AS a
    WHERE m.merge_id = p_merge_id AND a.version <> m.account_version
    UNION ALL
    SELECT a.user_id, a.idea_id
    FROM coin_accounts AS a
    WHERE a.idea_id = p_target_id AND a.kind = 'stake' AND a.version > 0 AND NOT EXISTS (
        SELECT FROM coin_merge_accounts AS m WHERE m.merge_id = p_merge_id AND m.account_id = a.id
    );
END $$;
REVOKE ALL ON FUNCTION app.coins_moved_since_merge(uuid, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.coins_moved_since_merge(uuid, uuid) TO ideamint_app;

-- Undoes a merge: transfers that reference those of the merge move the coins back, and the sources are open again.
-- Nothing is done if coins have moved since: their accounts are returned, and no row means that it was undone.
CREATE OR REPLACE FUNCTION app.coins_undo_merge(
    p_campaign_id uuid, p_merge_id uuid, p_target_id uuid, p_source_id uuid[], p_actor_id uuid, p_reason text,
    p_effective_at timestamptz DEFAULT NULL
) RETURNS TABLE (user_id uuid, idea_id uuid)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    v_id bigint[];
    v_step record;
BEGIN
    PERFORM coins_lock_merge(p_campaign_id, p_source_id || p_target_id);
    PERFORM coins_check_targets(p_campaign_id, ARRAY[p_target_id], true);
    PERFORM coins_check_targets(p_campaign_id, p_source_id, false);
    v_id := ARRAY(
        SELECT u.id FROM coins_merge_postings(p_merge_id) AS s
        CROSS JOIN LATERAL (VALUES (s.source_account_id), (s.account_id)) AS u (id));
    PERFORM 1 FROM coin_accounts AS a WHERE a.id = ANY (v_id) ORDER BY a.id FOR UPDATE;
    RETURN QUERY SELECT m.user_id, m.idea_id FROM coins_moved_since_merge(p_merge_id, p_target_id) AS m;
    IF FOUND THEN
        RETURN;
    END IF;
    FOR v_step IN
        SELECT array_agg(s.account_id ORDER BY s.account_id) AS debit_id,
            array_agg(s.source_account_id ORDER BY s.account_id) AS credit_id,
            array_agg(s.coins ORDER BY s.account_id) AS coins,
            array_agg(s.transfer_id ORDER BY s.account_id) AS transfer_id
        FROM coins_merge_postings(p_merge_id) AS s
        GROUP BY s.idea_id, s.is_return
        ORDER BY s.idea_id, s.is_return
    LOOP
        PERFORM coins_post(p_campaign_id, 'reverse', v_step.debit_id, v_step.credit_id, v_step.coins, p_actor_id,
            p_reason, p_effective_at, v_step.transfer_id);
    END LOOP;
    UPDATE coin_targets AS t
    SET is_open = true, closed_at = NULL, settled_coins = NULL, settled_backers = NULL, settled_at = NULL
    WHERE t.idea_id = ANY (p_source_id);
END $$;
REVOKE ALL ON FUNCTION app.coins_undo_merge(uuid, uuid, uuid, uuid[], uuid, text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.coins_undo_merge(uuid, uuid, uuid, uuid[], uuid, text, timestamptz) TO ideamint_app;
