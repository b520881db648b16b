-- Grants and corrections for many members in one call, each item with an outcome of its own. A correction moves coins from
-- the mint to a wallet (more than 0) or back (less than 0), and says why; the mint's postings stay what was issued.
--
-- What the campaigns know and the ledger does not (who manages, who is a member) comes as `p_refusal`, null where there
-- is none. Ledgers are locked first, then wallets in the order of their ids; each lock is waited for a little, since a
-- member's own movement holds one for milliseconds, and what is held for longer is the outcome 'busy'. The wait ends
-- before a deadlock would be looked for. Items of one wallet are judged one after the other, in rounds.
CREATE FUNCTION app.coins_correct(
    p_campaign_id uuid[],
    p_user_id uuid[],
    p_kind text[],
    p_coins bigint[],
    p_reason text[],
    p_refusal text[],
    p_actor_id uuid,
    p_request_id text DEFAULT NULL,
    p_effective_at timestamptz DEFAULT NULL
) RETURNS TABLE (
    item integer,
    outcome text,
    transfer_id uuid,
    wallet_coins bigint,
    has_coins bigint,
    policy_coins bigint
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp SET enable_seqscan = off SET lock_timeout = '200ms'
SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
    v_batch_id uuid := uuid7();
    v_campaign_id uuid[];
    v_granting_id uuid[];
    v_ledger_id uuid[];
    v_wallet_id bigint[];
    v_round integer[];
    v_rounds integer;
BEGIN
    SELECT coalesce(array_agg(DISTINCT u.campaign_id), '{}'),
        coalesce(array_agg(DISTINCT u.campaign_id) FILTER (WHERE u.kind = 'grant'), '{}')
    INTO v_campaign_id, v_granting_id
    FROM unnest(p_campaign_id, p_kind, p_refusal) AS u (campaign_id, kind, refusal)
    WHERE u.refusal IS NULL;

    BEGIN
        -- one at a time opens wallets of a campaign, so that none is opened twice
        PERFORM 1 FROM coin_ledgers AS l WHERE l.campaign_id = ANY (v_granting_id) ORDER BY l.campaign_id FOR UPDATE;
        PERFORM 1 FROM coin_ledgers AS l WHERE l.campaign_id = ANY (v_campaign_id) ORDER BY l.campaign_id FOR SHARE;
        PERFORM 1
        FROM (
            SELECT DISTINCT u.campaign_id, u.user_id
            FROM unnest(p_campaign_id, p_user_id, p_refusal) AS u (campaign_id, user_id, refusal)
            WHERE u.refusal IS NULL
        ) AS w
        JOIN coin_accounts AS a ON a.campaign_id = w.campaign_id AND a.user_id = w.user_id AND a.kind = 'wallet'
        ORDER BY a.id
        FOR UPDATE OF a;
    EXCEPTION WHEN lock_not_available THEN
        NULL; -- this gave back every lock; what is free is taken below, and what is not is busy
    END;
    SELECT coalesce(array_agg(held.campaign_id), '{}') INTO v_granting_id
    FROM (
        SELECT l.campaign_id FROM coin_ledgers AS l
        WHERE l.campaign_id = ANY (v_granting_id) ORDER BY l.campaign_id FOR UPDATE SKIP LOCKED
    ) AS held;
    SELECT coalesce(array_agg(held.campaign_id), '{}') INTO v_ledger_id
    FROM (
        SELECT l.campaign_id FROM coin_ledgers AS l
        WHERE l.campaign_id = ANY (v_campaign_id) ORDER BY l.campaign_id FOR SHARE SKIP LOCKED
    ) AS held;

    SELECT array_agg(r.round ORDER BY r.n), coalesce(max(r.round), 0) INTO v_round, v_rounds
    FROM (
        SELECT u.n, row_number() OVER (PARTITION BY u.campaign_id, u.user_id ORDER BY u.n)::integer AS round
        FROM unnest(p_campaign_id, p_user_id) WITH ORDINALITY AS u (campaign_id, user_id, n)
    ) AS r;

    FOR v_this IN 1..v_rounds LOOP
        SELECT coalesce(array_agg(held.id), '{}') INTO v_wallet_id
        FROM (
            SELECT a.id
            FROM unnest(p_campaign_id, p_user_id, p_refusal, v_round) AS u (campaign_id, user_id, refusal, round)
            JOIN coin_accounts AS a ON a.campaign_id = u.campaign_id AND a.user_id = u.user_id AND a.kind = 'wallet'
            WHERE u.round = v_this AND u.refusal IS NULL
            ORDER BY a.id
            FOR UPDATE OF a SKIP LOCKED
        ) AS held;
        RETURN QUERY
        WITH asked AS (
            SELECT u.*
            FROM unnest(p_campaign_id, p_user_id, p_kind, p_coins, p_reason, p_refusal, v_round) WITH ORDINALITY
                AS u (campaign_id, user_id, kind, coins, reason, refusal, round, n)
            WHERE u.round = v_this
        ), judged AS (
            SELECT a.n, a.campaign_id, a.user_id, a.kind, nullif(btrim(a.reason), '') AS reason, w.id AS wallet_id,
                w.balance_coins AS has_coins, w.moved_at, l.mint_id, p.coins_per_member,
                CASE a.kind WHEN 'grant' THEN p.coins_per_member ELSE a.coins END AS coins,
                CASE
                    WHEN a.refusal IS NOT NULL THEN a.refusal
                    WHEN l.campaign_id IS NULL THEN 'not_a_member'
                    WHEN l.campaign_id <> ALL (v_ledger_id) THEN 'busy'
                    WHEN l.closed_at IS NOT NULL THEN 'ledger_closed'
                    WHEN a.kind = 'grant' THEN
                        CASE
                            WHEN a.coins <> p.coins_per_member THEN 'coins_differ'
                            WHEN w.id IS NOT NULL THEN 'already_granted'
                            WHEN l.campaign_id <> ALL (v_granting_id) THEN 'busy'
                            ELSE 'granted'
                        END
                    WHEN a.kind IS DISTINCT FROM 'correct' THEN 'unknown_kind'
                    WHEN w.id IS NULL OR w.frozen_at IS NOT NULL THEN 'not_a_member'
                    WHEN w.id <> ALL (v_wallet_id) THEN 'busy'
                    WHEN nullif(btrim(a.reason), '') IS NULL THEN 'reason_missing'
                    WHEN coalesce(a.coins, 0) = 0 THEN 'coins_missing'
                    WHEN w.balance_coins + least(a.coins, 0) < 0 THEN 'insufficient_coins'
                    WHEN a.coins > 1000000000000 - w.balance_coins THEN 'above_maximum'
                    ELSE 'corrected'
                END AS outcome
            FROM asked AS a
            LEFT JOIN LATERAL (
                SELECT * FROM coin_accounts AS x
                WHERE x.campaign_id = a.campaign_id AND x.user_id = a.user_id AND x.kind = 'wallet' AND a.refusal IS NULL
                LIMIT 1
            ) AS w ON true
            LEFT JOIN LATERAL (
                SELECT * FROM coin_ledgers AS x WHERE x.campaign_id = a.campaign_id AND a.refusal IS NULL LIMIT 1
            ) AS l ON true
            LEFT JOIN LATERAL (
                SELECT * FROM coin_policies AS x
                WHERE x.campaign_id = l.campaign_id AND x.version = l.policy_version LIMIT 1
            ) AS p ON true
        ), moved AS MATERIALIZED (
            SELECT j.*, uuid7() AS transfer_id, sign(j.coins)::smallint AS side,
                greatest(coalesce(p_effective_at, clock_timestamp()), j.moved_at) AS effective_at
            FROM judged AS j
            WHERE j.outcome IN ('granted', 'corrected')
        ), opened AS (
            INSERT INTO coin_accounts AS a (campaign_id, kind, user_id, balance_coins, version, moved_at)
            SELECT m.campaign_id, 'wallet', m.user_id, m.coins, 1, m.effective_at
            FROM moved AS m
            WHERE m.outcome = 'granted'
            RETURNING a.id, a.campaign_id, a.user_id, a.version, a.balance_coins
        ), corrected AS (
            UPDATE coin_accounts AS a
            SET balance_coins = a.balance_coins + m.coins, version = a.version + 1, moved_at = m.effective_at
            FROM moved AS m
            WHERE a.id = m.wallet_id AND m.outcome = 'corrected'
            RETURNING m.n, m.transfer_id, m.side, m.coins, m.mint_id, m.effective_at, a.id, a.version, a.balance_coins
        ), done AS (
            -- FULL, though every row finds its other: the planner expects few rows and would compare each with each
            SELECT m.n, m.transfer_id, m.side, m.coins, m.mint_id, m.effective_at, x.id, x.version, x.balance_coins
            FROM (SELECT * FROM moved WHERE outcome = 'granted') AS m
            FULL JOIN opened AS x ON x.campaign_id = m.campaign_id AND x.user_id = m.user_id
            UNION ALL
            SELECT * FROM corrected
        ), transferred AS (
            INSERT INTO coin_transfers (id, campaign_id, batch_id, kind, actor_id, reason, effective_at)
            SELECT m.transfer_id, m.campaign_id, v_batch_id, m.kind, p_actor_id, m.reason, m.effective_at FROM moved AS m
        ), posted AS (
            INSERT INTO coin_postings
                (transfer_id, side, account_id, amount_coins, account_version, balance_after_coins, effective_at)
            SELECT d.transfer_id, d.side, d.id, d.coins, d.version, d.balance_coins, d.effective_at FROM done AS d
            UNION ALL
            SELECT d.transfer_id, -d.side, d.mint_id, -d.coins, NULL, NULL, d.effective_at FROM done AS d
        ), told AS (
            INSERT INTO events (occurred_at, kind, campaign_id, actor_id, user_id, request_id, data)
            SELECT m.effective_at, 'coins_' || m.outcome, m.campaign_id, p_actor_id, m.user_id, p_request_id,
                jsonb_build_object('transfer_id', m.transfer_id, 'coins', m.coins, 'reason', m.reason,
                    'wallet_before_coins', coalesce(m.has_coins, 0),
                    'wallet_after_coins', coalesce(m.has_coins, 0) + m.coins)
            FROM moved AS m
        )
        SELECT j.n::integer, j.outcome, d.transfer_id, coalesce(d.balance_coins, j.has_coins), j.has_coins,
            j.coins_per_member::bigint
        FROM judged AS j
        FULL JOIN done AS d ON d.n = j.n;
    END LOOP;
END $$;

GRANT EXECUTE ON FUNCTION app.coins_correct(
    uuid[], uuid[], text[], bigint[], text[], text[], uuid, text, timestamptz) TO ideamint_app;
