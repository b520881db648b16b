-- Grants and corrections for many members in one call, with one outcome per item. A correction moves coins from the
-- mint to a wallet (more than 0) or back (less than 0) and has a reason; the sum of the mint's postings is still the
-- number of issued coins.
--
-- Refusals that the domain campaigns decides (who is a manager, who is a member) are passed in `p_refusal`, null for
-- none. Ledgers are locked first, then wallets in the order of their ids. Each lock has a short timeout, since a
-- member's own movement holds it for milliseconds; a row that is locked for longer has the outcome 'busy'. The timeout
-- is shorter than deadlock_timeout. Items of one wallet are processed one after the other, in rounds. The locks on
-- ledgers exclude the end of the campaign and other calls of this function, but allow members to join, because
-- `coins_grant` takes a shared lock.
--
-- The new balance is known once the wallet is locked, so written rows are not joined back. Plans are generic: with
-- forced custom plans, the foreign key check of each posting is planned again, which takes a third of the total time.
CREATE OR REPLACE FUNCTION app.coins_correct(
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
SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    v_batch_id uuid := uuid7();
    v_campaign_id uuid[];
    v_granting_id uuid[];
    v_ledger_id uuid[];
    v_round integer[];
    v_rounds integer;
    -- one element per item
    v_wallet_id bigint[];
    v_is_held boolean[];
BEGIN
    SELECT coalesce(array_agg(DISTINCT u.campaign_id), '{}'),
        coalesce(array_agg(DISTINCT u.campaign_id) FILTER (WHERE u.kind = 'grant'), '{}')
    INTO v_campaign_id, v_granting_id
    FROM unnest(p_campaign_id, p_kind, p_refusal) AS u (campaign_id, kind, refusal)
    WHERE u.refusal IS NULL;

    SELECT array_agg(r.round ORDER BY r.n), coalesce(max(r.round), 0) INTO v_round, v_rounds
    FROM (
        SELECT u.n, row_number() OVER (PARTITION BY u.campaign_id, u.user_id ORDER BY u.n)::integer AS round
        FROM unnest(p_campaign_id, p_user_id) WITH ORDINALITY AS u (campaign_id, user_id, n)
    ) AS r;

    BEGIN
        -- only one transaction at a time opens wallets of a campaign, so that none is opened twice
        PERFORM 1 FROM coin_ledgers AS l
        WHERE l.campaign_id = ANY (v_granting_id) ORDER BY l.campaign_id FOR NO KEY UPDATE;
        PERFORM 1 FROM coin_ledgers AS l
        WHERE l.campaign_id = ANY (v_campaign_id) ORDER BY l.campaign_id FOR KEY SHARE;
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
        NULL; -- all locks were released; free rows are locked below, the others are busy
    END;
    SELECT coalesce(array_agg(held.campaign_id), '{}') INTO v_granting_id
    FROM (
        SELECT l.campaign_id FROM coin_ledgers AS l
        WHERE l.campaign_id = ANY (v_granting_id) ORDER BY l.campaign_id FOR NO KEY UPDATE SKIP LOCKED
    ) AS held;
    SELECT coalesce(array_agg(held.campaign_id), '{}') INTO v_ledger_id
    FROM (
        SELECT l.campaign_id FROM coin_ledgers AS l
        WHERE l.campaign_id = ANY (v_campaign_id) ORDER BY l.campaign_id FOR KEY SHARE SKIP LOCKED
    ) AS held;

    FOR v_this IN 1..v_rounds LOOP
        SELECT array_agg(w.id ORDER BY u.n) INTO v_wallet_id
        FROM unnest(p_campaign_id, p_user_id, p_refusal, v_round) WITH ORDINALITY
            AS u (campaign_id, user_id, refusal, round, n)
        LEFT JOIN LATERAL (
            SELECT x.id FROM coin_accounts AS x
            WHERE x.campaign_id = u.campaign_id AND x.user_id = u.user_id AND x.kind = 'wallet'
                AND u.round = v_this AND u.refusal IS NULL
            LIMIT 1
        ) AS w ON true;
        -- FULL, though every held row has an item: the planner expects few rows and would use a nested loop otherwise
        SELECT array_agg(held.id IS NOT NULL ORDER BY u.n) INTO v_is_held
        FROM unnest(v_wallet_id) WITH ORDINALITY AS u (id, n)
        FULL JOIN (
            SELECT a.id FROM coin_accounts AS a WHERE a.id = ANY (v_wallet_id) ORDER BY a.id FOR UPDATE SKIP LOCKED
        ) AS held ON held.id = u.id;
        RETURN QUERY
        WITH judged AS (
            SELECT a.n, a.campaign_id, a.user_id, a.kind, nullif(btrim(a.reason), '') AS reason, w.id AS wallet_id,
                w.balance_coins AS has_coins, w.version, w.moved_at, l.mint_id, p.grant_coins,
                CASE a.kind WHEN 'grant' THEN p.grant_coins ELSE a.coins END AS coins,
                CASE
                    WHEN a.refusal IS NOT NULL THEN a.refusal
                    WHEN l.campaign_id IS NULL THEN 'not_a_member'
                    WHEN l.campaign_id <> ALL (v_ledger_id) THEN 'busy'
                    WHEN l.closed_at IS NOT NULL THEN 'ledger_closed'
                    WHEN a.kind = 'grant' THEN
                        CASE
                            WHEN w.id IS NOT NULL AND a.coins NOT IN (p.coins_per_member, p.grant_coins)
                                THEN 'coins_differ'
                            WHEN w.id IS NOT NULL THEN 'already_granted'
                            WHEN p.grant_coins = 0 THEN 'too_late'
                            WHEN a.coins <> p.grant_coins THEN 'coins_differ'
                            WHEN l.campaign_id <> ALL (v_granting_id) THEN 'busy'
                            ELSE 'granted'
                        END
                    WHEN a.kind IS DISTINCT FROM 'correct' THEN 'unknown_kind'
                    WHEN w.id IS NULL OR w.frozen_at IS NOT NULL THEN 'not_a_member'
                    WHEN NOT a.is_held THEN 'busy'
                    WHEN nullif(btrim(a.reason), '') IS NULL THEN 'reason_missing'
                    WHEN coalesce(a.coins, 0) = 0 THEN 'coins_missing'
                    WHEN w.balance_coins + least(a.coins, 0) < 0 THEN 'insufficient_coins'
                    WHEN a.coins > 1000000000000 - w.balance_coins THEN 'above_maximum'
                    ELSE 'corrected'
                END AS outcome
            FROM unnest(p_campaign_id, p_user_id, p_kind, p_coins, p_reason, p_refusal, v_round, v_wallet_id, v_is_held)
                WITH ORDINALITY AS a (campaign_id, user_id, kind, coins, reason, refusal, round, wallet_id, is_held, n)
            LEFT JOIN LATERAL (
                SELECT x.id, x.balance_coins, x.version, x.moved_at, x.frozen_at
                FROM coin_accounts AS x WHERE x.id = a.wallet_id LIMIT 1
            ) AS w ON true
            LEFT JOIN LATERAL (
                SELECT x.campaign_id, x.mint_id, x.closed_at, x.policy_version
                FROM coin_ledgers AS x WHERE x.campaign_id = a.campaign_id AND a.refusal IS NULL LIMIT 1
            ) AS l ON true
            LEFT JOIN LATERAL (
                SELECT coins_grant_amount(x.coins_per_member, x.late_grant, x.allocation_opens_at, x.allocate_until,
                    coalesce(p_effective_at, statement_timestamp())) AS grant_coins, x.coins_per_member
                FROM coin_policies AS x
                WHERE x.campaign_id = l.campaign_id AND x.version = l.policy_version LIMIT 1
            ) AS p ON true
            WHERE a.round = v_this
        ), done AS MATERIALIZED (
            -- the row is locked, so the new balance is known before it is written
            SELECT j.n, j.outcome, j.campaign_id, j.user_id, j.kind, j.coins, j.reason, j.has_coins, j.grant_coins,
                j.mint_id, j.transfer_id,
                CASE WHEN j.transfer_id IS NULL THEN j.has_coins
                    ELSE coalesce(j.has_coins, 0) + j.coins END AS wallet_coins,
                coalesce(j.version, 0) + 1 AS version,
                CASE j.outcome WHEN 'granted' THEN nextval('coin_accounts_id_seq') ELSE j.wallet_id END AS wallet_id,
                greatest(coalesce(p_effective_at, clock_timestamp()), j.moved_at) AS effective_at
            FROM (
                SELECT x.n, x.outcome, x.campaign_id, x.user_id, x.kind, x.coins, x.reason, x.has_coins,
                    x.grant_coins, x.mint_id, x.version, x.wallet_id, x.moved_at,
                    CASE WHEN x.outcome IN ('granted', 'corrected') THEN uuid7() END AS transfer_id
                FROM judged AS x
            ) AS j
        ), opened AS (
            INSERT INTO coin_accounts (id, campaign_id, kind, user_id, balance_coins, version, moved_at)
            OVERRIDING SYSTEM VALUE
            SELECT d.wallet_id, d.campaign_id, 'wallet', d.user_id, d.wallet_coins, d.version, d.effective_at
            FROM done AS d
            WHERE d.outcome = 'granted'
        ), corrected AS (
            UPDATE coin_accounts AS a
            SET balance_coins = a.balance_coins + d.coins, version = a.version + 1, moved_at = d.effective_at
            FROM done AS d
            WHERE a.id = d.wallet_id AND d.outcome = 'corrected'
        ), transferred AS (
            INSERT INTO coin_transfers (id, campaign_id, batch_id, kind, actor_id, reason, effective_at)
            SELECT d.transfer_id, d.campaign_id, v_batch_id, d.kind, p_actor_id, d.reason, d.effective_at
            FROM done AS d
            WHERE d.transfer_id IS NOT NULL
        ), posted AS (
            INSERT INTO coin_postings
                (transfer_id, side, account_id, amount_coins, account_version, balance_after_coins, effective_at)
            SELECT d.transfer_id, sign(d.coins), d.wallet_id, d.coins, d.version, d.wallet_coins, d.effective_at
            FROM done AS d
            WHERE d.transfer_id IS NOT NULL
            UNION ALL
            SELECT d.transfer_id, -sign(d.coins), d.mint_id, -d.coins, NULL, NULL, d.effective_at
            FROM done AS d
            WHERE d.transfer_id IS NOT NULL
        ), recorded AS (
            -- the event has the id of its transfer, which saves a random number
            INSERT INTO events (id, occurred_at, kind, campaign_id, actor_id, user_id, request_id, data)
            SELECT d.transfer_id, d.effective_at, 'coins_' || d.outcome, d.campaign_id, p_actor_id, d.user_id,
                p_request_id,
                json_object('transfer_id': d.transfer_id, 'coins': d.coins, 'reason': d.reason,
                    'wallet_before_coins': coalesce(d.has_coins, 0), 'wallet_after_coins': d.wallet_coins
                    RETURNING jsonb)
            FROM done AS d
            WHERE d.transfer_id IS NOT NULL
        )
        SELECT d.n::integer, d.outcome, d.transfer_id, d.wallet_coins, d.has_coins, d.grant_coins::bigint
        FROM done AS d;
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION app.coins_correct(
    uuid[], uuid[], text[], bigint[], text[], text[], uuid, text, timestamptz
) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.coins_correct(
    uuid[], uuid[], text[], bigint[], text[], text[], uuid, text, timestamptz
) TO ideamint_app;
