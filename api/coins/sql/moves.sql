-- The hot path: many movements of coins by members in one call, from a wallet or a stake to a stake or a wallet.
--
-- It never waits for a lock. Every movement of a member locks the row of the member's wallet, with SKIP LOCKED.
-- Movements take the advisory lock of the idea in shared mode, and a change of the idea's state takes it in exclusive
-- mode; movements only try to take it. An item whose lock is held by another transaction has the outcome 'busy', and
-- the caller retries it. So there are no deadlocks, and no item waits for an item of another member.
--
-- A refusal is an outcome, not an exception: one refused item does not roll back the others. Items of one wallet are
-- checked one after the other, in rounds. Each round is one set-based statement; a usual batch has one round.
CREATE OR REPLACE FUNCTION app.coins_move(
    p_campaign_id uuid[],
    p_user_id uuid[],
    p_from_idea_id uuid[],
    p_to_idea_id uuid[],
    p_coins bigint[],
    p_key text[],
    p_request_hash bytea[],
    p_request_id text[],
    p_actor_id uuid DEFAULT NULL,
    p_effective_at timestamptz DEFAULT NULL,
    p_is_import boolean DEFAULT false
) RETURNS TABLE (
    item integer,
    outcome text,
    transfer_id uuid,
    effective_at timestamptz,
    from_balance_coins bigint,
    to_balance_coins bigint,
    has_coins bigint,
    limit_coins bigint,
    opens_at timestamptz,
    closes_at timestamptz
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    v_at timestamptz;
    v_busy uuid[];
    v_wallet_id bigint[];
    v_round integer[];
    v_rounds integer;
BEGIN
    SELECT coalesce(array_agg(lock.idea_id) FILTER (WHERE NOT lock.is_ours), '{}') INTO v_busy
    FROM (
        SELECT i.idea_id, pg_try_advisory_xact_lock_shared(uuid_hash_extended(i.idea_id, 0)) AS is_ours
        FROM (SELECT DISTINCT u.idea_id FROM unnest(p_from_idea_id || p_to_idea_id) AS u (idea_id)) AS i
        WHERE i.idea_id IS NOT NULL
    ) AS lock;

    SELECT coalesce(array_agg(held.id), '{}') INTO v_wallet_id
    FROM (
        SELECT a.id
        FROM (
            SELECT DISTINCT u.campaign_id, u.user_id
            FROM unnest(p_campaign_id, p_user_id) AS u (campaign_id, user_id)
        ) AS w
        JOIN coin_accounts AS a ON a.campaign_id = w.campaign_id AND a.user_id = w.user_id AND a.kind = 'wallet'
        ORDER BY a.id
        FOR UPDATE OF a SKIP LOCKED
    ) AS held;

    SELECT array_agg(r.round ORDER BY r.n), coalesce(max(r.round), 0) INTO v_round, v_rounds
    FROM (
        SELECT u.n, row_number() OVER (PARTITION BY u.campaign_id, u.user_id ORDER BY u.n)::integer AS round
        FROM unnest(p_campaign_id, p_user_id) WITH ORDINALITY AS u (campaign_id, user_id, n)
    ) AS r;

    FOR v_this IN 1..v_rounds LOOP
        -- read once, after locking: a movement that is allowed within the window is also recorded within it
        v_at := coalesce(p_effective_at, clock_timestamp());
        RETURN QUERY
        WITH requested AS (
            SELECT u.campaign_id, u.user_id, u.from_idea_id, u.to_idea_id, u.coins, u.key, u.request_hash, u.request_id,
                u.n
            FROM unnest(p_campaign_id, p_user_id, p_from_idea_id, p_to_idea_id, p_coins, p_key, p_request_hash,
                p_request_id, v_round) WITH ORDINALITY
                AS u (campaign_id, user_id, from_idea_id, to_idea_id, coins, key, request_hash, request_id, round, n)
            WHERE u.round = v_this
        ), judged AS (
            SELECT a.n, a.campaign_id, a.user_id, a.from_idea_id, a.to_idea_id, a.coins, a.key, a.request_hash,
                a.request_id, w.id AS wallet_id, w.balance_coins AS wallet_coins, f.id AS from_id,
                f.moved_at AS from_moved_at,
                t.moved_at AS to_moved_at, w.moved_at AS wallet_moved_at, k.transfer_id AS replays_id,
                p.opens_at, p.closes_at,
                CASE WHEN a.from_idea_id IS NULL THEN w.balance_coins
                    ELSE coalesce(f.balance_coins, 0) END AS has_coins,
                coalesce(t.balance_coins, 0) AS on_target_coins,
                p.coins_per_allocation_min, p.idea_max_coins, p.take_back_until, p.move_cooldown_s,
                CASE
                    WHEN w.id IS NULL THEN 'not_a_member'
                    WHEN w.id <> ALL (v_wallet_id) THEN 'busy'
                    WHEN k.request_hash = a.request_hash THEN 'replayed'
                    WHEN k.request_hash IS NOT NULL THEN 'key_reused'
                    WHEN a.from_idea_id = ANY (v_busy) OR a.to_idea_id = ANY (v_busy) THEN 'busy'
                    WHEN w.frozen_at IS NOT NULL THEN 'wallet_frozen'
                    WHEN a.coins IS NULL OR a.coins < 1 THEN 'not_positive'
                    WHEN a.to_idea_id IS NULL AND a.from_idea_id IS NULL OR a.to_idea_id = a.from_idea_id
                        THEN 'same_account'
                    WHEN a.to_idea_id IS NOT NULL AND tt.idea_id IS NULL THEN 'unknown_idea'
                    WHEN a.from_idea_id IS NOT NULL AND ft.idea_id IS NULL THEN 'unknown_idea'
                    WHEN NOT coalesce(tt.is_open, true) OR NOT coalesce(ft.is_open, true) THEN 'idea_not_open'
                    -- a grace time is looked at only where a return to the wallet would otherwise be refused
                    WHEN (v_at < p.opens_at OR v_at > p.closes_at) AND (
                        a.to_idea_id IS NOT NULL
                        OR NOT coins_is_graced(v_at, ft.grace_from, ft.grace_until, f.id, a.coins)
                    ) THEN 'window_closed'
                    WHEN tt.author_id = a.user_id AND NOT p.own_ideas THEN 'own_idea'
                    WHEN a.to_idea_id IS NULL AND (NOT p.take_back OR v_at > p.take_back_until)
                        AND NOT coins_is_graced(v_at, ft.grace_from, ft.grace_until, f.id, a.coins)
                        THEN 'take_back_refused'
                    WHEN v_at < f.moved_at + make_interval(secs => p.move_cooldown_s) AND p.move_cooldown_s > 0 AND (
                        a.to_idea_id IS NOT NULL
                        OR NOT coins_is_graced(v_at, ft.grace_from, ft.grace_until, f.id, a.coins)
                    ) THEN 'cooling_down'
                    WHEN a.to_idea_id IS NOT NULL AND a.coins < p.coins_per_allocation_min THEN 'below_minimum'
                    WHEN a.from_idea_id IS NULL AND w.balance_coins < a.coins THEN 'insufficient_coins'
                    WHEN a.from_idea_id IS NOT NULL AND coalesce(f.balance_coins, 0) < a.coins THEN 'insufficient_stake'
                    WHEN f.balance_coins - a.coins BETWEEN 1 AND p.coins_per_allocation_min - 1 THEN 'below_minimum'
                    WHEN coalesce(t.balance_coins, 0) + a.coins > p.idea_max_coins THEN 'above_maximum'
                    ELSE 'moved'
                END AS outcome
            FROM requested AS a
            LEFT JOIN LATERAL (
                SELECT x.id, x.balance_coins, x.moved_at, x.frozen_at FROM coin_accounts AS x
                WHERE x.campaign_id = a.campaign_id AND x.user_id = a.user_id AND x.kind = 'wallet' LIMIT 1
            ) AS w ON true
            LEFT JOIN LATERAL (
                SELECT x.request_hash, x.transfer_id FROM coin_keys AS x
                WHERE x.campaign_id = a.campaign_id AND x.user_id = a.user_id AND x.key = a.key LIMIT 1
            ) AS k ON true
            LEFT JOIN LATERAL (
                SELECT x.idea_id, x.is_open, x.grace_from, x.grace_until FROM coin_targets AS x
                WHERE x.idea_id = a.from_idea_id AND x.campaign_id = a.campaign_id LIMIT 1
            ) AS ft ON true
            LEFT JOIN LATERAL (
                SELECT x.idea_id, x.is_open, x.author_id FROM coin_targets AS x
                WHERE x.idea_id = a.to_idea_id AND x.campaign_id = a.campaign_id LIMIT 1
            ) AS tt ON true
            LEFT JOIN LATERAL (
                SELECT x.id, x.balance_coins, x.moved_at FROM coin_accounts AS x
                WHERE x.user_id = a.user_id AND x.idea_id = a.from_idea_id AND x.kind = 'stake' LIMIT 1
            ) AS f ON true
            LEFT JOIN LATERAL (
                SELECT x.id, x.balance_coins, x.moved_at FROM coin_accounts AS x
                WHERE x.user_id = a.user_id AND x.idea_id = a.to_idea_id AND x.kind = 'stake' LIMIT 1
            ) AS t ON true
            LEFT JOIN LATERAL (
                -- the intersection of the windows of campaign and policy; greatest and least ignore nulls
                SELECT greatest(x.opens_at, y.allocation_opens_at) AS opens_at,
                    least(x.closes_at, x.paused_at, y.allocate_until) AS closes_at, y.own_ideas, y.take_back,
                    y.take_back_until, y.move_cooldown_s, y.coins_per_allocation_min,
                    coins_idea_max(y.coins_per_member_and_idea_max, y.coins_per_member_and_idea_max_percent,
                        y.coins_per_member) AS idea_max_coins
                FROM coin_ledgers AS x
                JOIN coin_policies AS y ON y.campaign_id = x.campaign_id AND y.version = x.policy_version
                WHERE x.campaign_id = a.campaign_id LIMIT 1
            ) AS p ON true
        ), moved AS MATERIALIZED (
            SELECT j.n, j.campaign_id, j.user_id, j.from_idea_id, j.to_idea_id, j.coins, j.key, j.request_hash,
                j.request_id, j.wallet_id, j.from_id, uuid7() AS transfer_id,
                CASE WHEN j.from_idea_id IS NULL THEN 'allocate' WHEN j.to_idea_id IS NULL THEN 'take_back'
                    ELSE 'reallocate' END AS kind,
                greatest(v_at, j.from_moved_at, j.to_moved_at,
                    CASE WHEN j.from_idea_id IS NULL OR j.to_idea_id IS NULL THEN j.wallet_moved_at END) AS effective_at
            FROM judged AS j
            WHERE j.outcome = 'moved'
        ), wallet AS (
            UPDATE coin_accounts AS a
            SET balance_coins = a.balance_coins + CASE WHEN m.from_idea_id IS NULL THEN -m.coins ELSE m.coins END,
                version = a.version + 1, moved_at = m.effective_at
            FROM moved AS m
            WHERE a.id = m.wallet_id AND m.kind <> 'reallocate'
            RETURNING m.n, m.transfer_id, CASE m.kind WHEN 'allocate' THEN -1 ELSE 1 END AS side, m.coins,
                m.effective_at, a.id, a.version, a.balance_coins
        ), debited AS (
            UPDATE coin_accounts AS a
            SET balance_coins = a.balance_coins - m.coins, version = a.version + 1, moved_at = m.effective_at
            FROM moved AS m
            WHERE a.id = m.from_id
            RETURNING m.n, m.transfer_id, -1 AS side, m.coins, m.effective_at, a.id, a.version, a.balance_coins
        ), credited AS (
            INSERT INTO coin_accounts AS a (campaign_id, kind, user_id, idea_id, balance_coins, version, moved_at)
            SELECT m.campaign_id, 'stake', m.user_id, m.to_idea_id, m.coins, 1, m.effective_at
            FROM moved AS m
            WHERE m.to_idea_id IS NOT NULL
            ON CONFLICT (user_id, idea_id) WHERE kind = 'stake' DO UPDATE
            SET balance_coins = a.balance_coins + excluded.balance_coins, version = a.version + 1,
                moved_at = excluded.moved_at
            RETURNING a.user_id, a.idea_id, a.id, a.version, a.balance_coins
        ), leg AS (
            -- FULL, though every row has a match: the planner expects few rows and would use a nested loop otherwise
            SELECT m.n, m.transfer_id, 1 AS side, m.coins, m.effective_at, x.id, x.version, x.balance_coins
            FROM (
                SELECT v.n, v.transfer_id, v.coins, v.effective_at, v.user_id, v.to_idea_id
                FROM moved AS v WHERE v.to_idea_id IS NOT NULL
            ) AS m
            FULL JOIN credited AS x ON x.user_id = m.user_id AND x.idea_id = m.to_idea_id
            UNION ALL
            SELECT x.n, x.transfer_id, x.side, x.side * x.coins, x.effective_at, x.id, x.version, x.balance_coins
            FROM (
                SELECT w.n, w.transfer_id, w.side, w.coins, w.effective_at, w.id, w.version, w.balance_coins
                FROM wallet AS w
                UNION ALL
                SELECT d.n, d.transfer_id, d.side, d.coins, d.effective_at, d.id, d.version, d.balance_coins
                FROM debited AS d
            ) AS x
        ), transferred AS (
            INSERT INTO coin_transfers (id, campaign_id, batch_id, kind, actor_id, effective_at)
            SELECT m.transfer_id, m.campaign_id, m.transfer_id, m.kind, coalesce(p_actor_id, m.user_id), m.effective_at
            FROM moved AS m
        ), posted AS (
            INSERT INTO coin_postings
                (transfer_id, side, account_id, amount_coins, account_version, balance_after_coins, effective_at)
            SELECT l.transfer_id, l.side, l.id, l.coins, l.version, l.balance_coins, l.effective_at FROM leg AS l
        ), bound AS (
            INSERT INTO coin_keys (campaign_id, user_id, key, request_hash, transfer_id)
            SELECT m.campaign_id, m.user_id, m.key, m.request_hash, m.transfer_id
            FROM moved AS m WHERE m.key IS NOT NULL
        ), recorded AS (
            INSERT INTO events (occurred_at, kind, campaign_id, actor_id, user_id, idea_id, request_id, data)
            SELECT m.effective_at,
                CASE m.kind WHEN 'allocate' THEN 'coins_allocated' WHEN 'take_back' THEN 'coins_taken_back'
                    ELSE 'coins_reallocated' END,
                m.campaign_id, coalesce(p_actor_id, m.user_id), m.user_id, coalesce(m.to_idea_id, m.from_idea_id),
                m.request_id, jsonb_build_object('transfer_id', m.transfer_id, 'coins', m.coins,
                    'from_idea_id', m.from_idea_id, 'to_idea_id', m.to_idea_id)
            FROM moved AS m
            WHERE NOT p_is_import
        )
        SELECT j.n::integer, j.outcome, coalesce(l.transfer_id, j.replays_id),
            coalesce(l.effective_at, rf.effective_at),
            coalesce(l.from_coins, rf.balance_after_coins), coalesce(l.to_coins, rt.balance_after_coins),
            CASE j.outcome WHEN 'above_maximum' THEN j.on_target_coins ELSE j.has_coins END,
            CASE j.outcome WHEN 'above_maximum' THEN j.idea_max_coins
                WHEN 'below_minimum' THEN j.coins_per_allocation_min END::bigint,
            CASE j.outcome WHEN 'cooling_down' THEN j.from_moved_at + make_interval(secs => j.move_cooldown_s)
                ELSE j.opens_at END,
            CASE j.outcome WHEN 'take_back_refused' THEN j.take_back_until ELSE j.closes_at END
        FROM judged AS j
        FULL JOIN (
            SELECT x.n, x.transfer_id, x.effective_at, max(x.balance_coins) FILTER (WHERE x.side = -1) AS from_coins,
                max(x.balance_coins) FILTER (WHERE x.side = 1) AS to_coins
            FROM leg AS x
            GROUP BY x.n, x.transfer_id, x.effective_at
        ) AS l ON l.n = j.n
        LEFT JOIN LATERAL (
            SELECT x.effective_at, x.balance_after_coins FROM coin_postings AS x
            WHERE j.outcome = 'replayed' AND x.transfer_id = j.replays_id AND x.side = -1 LIMIT 1
        ) AS rf ON true
        LEFT JOIN LATERAL (
            SELECT x.balance_after_coins FROM coin_postings AS x
            WHERE j.outcome = 'replayed' AND x.transfer_id = j.replays_id AND x.side = 1 LIMIT 1
        ) AS rt ON true;
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION app.coins_move(
    uuid[], uuid[], uuid[], uuid[], bigint[], text[], bytea[], text[], uuid, timestamptz, boolean
) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.coins_move(
    uuid[], uuid[], uuid[], uuid[], bigint[], text[], bytea[], text[], uuid, timestamptz, boolean
) TO ideamint_app;
