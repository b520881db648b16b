-- Runs for each transfer at COMMIT. SET enable_seqscan allows only look-ups by key: a plan that was cached while the
-- tables were small would read whole tables for each transfer (9 minutes instead of 5 s for an import of 69,000
-- transfers).
CREATE OR REPLACE FUNCTION app.coins_check_zero_sum() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp SET enable_seqscan = off AS $$
DECLARE
    v_postings integer;
    v_sum bigint;
BEGIN
    SELECT count(*) FILTER (
        WHERE (SELECT a.campaign_id FROM coin_accounts AS a WHERE a.id = p.account_id) = NEW.campaign_id
    ), sum(p.amount_coins) INTO v_postings, v_sum
    FROM coin_postings AS p
    WHERE p.transfer_id = NEW.id;
    IF v_postings <> 2 OR v_sum <> 0 THEN
        RAISE EXCEPTION 'transfer % has % postings within its campaign that sum to %, not 2 that sum to 0',
            NEW.id, v_postings, coalesce(v_sum, 0)
            USING ERRCODE = 'check_violation', CONSTRAINT = 'coin_transfers_zero_sum', TABLE = 'coin_transfers';
    END IF;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION app.coins_check_zero_sum() FROM PUBLIC;

-- Posts many transfers of one command, each personal account in at most one of them. Granted to no role: other
-- functions call it. Locks personal accounts in id order and waits for them, so callers must not hold a lock on a later
-- one.
--
-- The accounts are locked before they are read, so the new balances are known before they are written, and written rows
-- are not joined back. The campaign's own accounts have no stored balance and are looked up once per call. One generic
-- plan for every size, with a look-up by key for each row: a custom plan for a few rows is slow for many.
CREATE OR REPLACE FUNCTION app.coins_post(
    p_campaign_id uuid,
    p_kind text,
    p_debit_id bigint[],
    p_credit_id bigint[],
    p_amount_coins bigint[],
    p_actor_id uuid,
    p_reason text,
    p_effective_at timestamptz,
    p_reverses_id uuid[] DEFAULT NULL
) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    v_batch_id uuid := uuid7();
    v_requested integer := coalesce(cardinality(p_amount_coins), 0);
    v_ledger_id bigint[];
    v_postings integer;
BEGIN
    IF v_requested = 0 THEN
        RETURN 0;
    END IF;
    SELECT array_agg(a.id) INTO v_ledger_id
    FROM coin_accounts AS a WHERE a.campaign_id = p_campaign_id AND a.user_id IS NULL;
    PERFORM 1 FROM coin_accounts AS a
    WHERE a.id = ANY (p_debit_id || p_credit_id) AND a.balance_coins IS NOT NULL
    ORDER BY a.id FOR UPDATE;

    WITH requested AS MATERIALIZED (
        SELECT t.debit_id, t.credit_id, t.amount_coins, t.reverses_id, uuid7() AS transfer_id,
            d.version + 1 AS debit_version, d.balance_coins - t.amount_coins AS debit_coins,
            c.version + 1 AS credit_version, c.balance_coins + t.amount_coins AS credit_coins,
            greatest(coalesce(p_effective_at, clock_timestamp()), d.moved_at, c.moved_at) AS effective_at
        FROM unnest(p_debit_id, p_credit_id, p_amount_coins, p_reverses_id)
            AS t (debit_id, credit_id, amount_coins, reverses_id)
        LEFT JOIN LATERAL (
            SELECT x.id, x.balance_coins, x.version, x.moved_at FROM coin_accounts AS x
            WHERE x.id = t.debit_id AND t.debit_id <> ALL (v_ledger_id) AND x.campaign_id = p_campaign_id LIMIT 1
        ) AS d ON true
        LEFT JOIN LATERAL (
            SELECT x.id, x.balance_coins, x.version, x.moved_at FROM coin_accounts AS x
            WHERE x.id = t.credit_id AND t.credit_id <> ALL (v_ledger_id) AND x.campaign_id = p_campaign_id LIMIT 1
        ) AS c ON true
        WHERE (d.id IS NOT NULL OR t.debit_id = ANY (v_ledger_id))
            AND (c.id IS NOT NULL OR t.credit_id = ANY (v_ledger_id))
    ), leg AS (
        SELECT transfer_id, -1 AS side, debit_id AS account_id, -amount_coins AS amount_coins, debit_version AS version,
            debit_coins AS balance_coins, effective_at
        FROM requested
        UNION ALL
        SELECT transfer_id, 1, credit_id, amount_coins, credit_version, credit_coins, effective_at FROM requested
    ), touched AS (
        UPDATE coin_accounts AS a
        SET balance_coins = l.balance_coins, version = l.version, moved_at = l.effective_at
        FROM leg AS l
        WHERE a.id = l.account_id AND l.version IS NOT NULL
    ), transferred AS (
        INSERT INTO coin_transfers (id, campaign_id, batch_id, kind, actor_id, reason, reverses_id, effective_at)
        SELECT transfer_id, p_campaign_id, v_batch_id, p_kind, p_actor_id, p_reason, reverses_id, effective_at
        FROM requested
    )
    INSERT INTO coin_postings
        (transfer_id, side, account_id, amount_coins, account_version, balance_after_coins, effective_at)
    SELECT l.transfer_id, l.side, l.account_id, l.amount_coins, l.version, l.balance_coins, l.effective_at
    FROM leg AS l;
    GET DIAGNOSTICS v_postings = ROW_COUNT;

    IF v_postings <> 2 * v_requested THEN
        RAISE EXCEPTION 'posted % of % transfers: an account is not of campaign %',
            v_postings / 2, v_requested, p_campaign_id;
    END IF;
    RETURN v_requested;
END $$;
REVOKE ALL ON FUNCTION app.coins_post(
    uuid, text, bigint[], bigint[], bigint[], uuid, text, timestamptz, uuid[]
) FROM PUBLIC;
