-- Many transfers of one command, each personal account in at most one of them. Not granted to anybody: the lifecycle
-- functions call it. Locks personal accounts in id order and waits for them, so callers must not hold a later one.
CREATE FUNCTION app.coins_post(
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
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
DECLARE
    v_batch_id uuid := uuid7();
    v_asked integer := coalesce(cardinality(p_amount_coins), 0);
    v_posted integer;
BEGIN
    IF v_asked = 0 THEN
        RETURN 0;
    END IF;
    PERFORM 1 FROM coin_accounts AS a
    WHERE a.id = ANY (p_debit_id || p_credit_id) AND a.balance_coins IS NOT NULL
    ORDER BY a.id FOR UPDATE;

    WITH asked AS (
        SELECT t.debit_id, t.credit_id, t.amount_coins, t.reverses_id, uuid7() AS transfer_id,
            greatest(coalesce(p_effective_at, clock_timestamp()), d.moved_at, c.moved_at) AS effective_at
        FROM unnest(p_debit_id, p_credit_id, p_amount_coins, p_reverses_id)
            AS t (debit_id, credit_id, amount_coins, reverses_id)
        JOIN coin_accounts AS d ON d.id = t.debit_id AND d.campaign_id = p_campaign_id
        JOIN coin_accounts AS c ON c.id = t.credit_id AND c.campaign_id = p_campaign_id
    ), leg AS (
        SELECT transfer_id, -1 AS side, debit_id AS account_id, -amount_coins AS amount_coins, effective_at FROM asked
        UNION ALL
        SELECT transfer_id, 1, credit_id, amount_coins, effective_at FROM asked
    ), touched AS (
        UPDATE coin_accounts AS a
        SET balance_coins = a.balance_coins + l.amount_coins, version = a.version + 1, moved_at = l.effective_at
        FROM leg AS l
        WHERE a.id = l.account_id AND a.balance_coins IS NOT NULL
        RETURNING a.id, a.version, a.balance_coins
    ), transferred AS (
        INSERT INTO coin_transfers (id, campaign_id, batch_id, kind, actor_id, reason, reverses_id, effective_at)
        SELECT transfer_id, p_campaign_id, v_batch_id, p_kind, p_actor_id, p_reason, reverses_id, effective_at FROM asked
    ), posted AS (
        INSERT INTO coin_postings
            (transfer_id, side, account_id, amount_coins, account_version, balance_after_coins, effective_at)
        SELECT l.transfer_id, l.side, l.account_id, l.amount_coins, t.version, t.balance_coins, l.effective_at
        FROM leg AS l
        LEFT JOIN touched AS t ON t.id = l.account_id
        RETURNING 1
    )
    SELECT count(*) / 2 INTO v_posted FROM posted;

    IF v_posted <> v_asked THEN
        RAISE EXCEPTION 'posted % of % transfers: an account is not of campaign %', v_posted, v_asked, p_campaign_id;
    END IF;
    RETURN v_posted;
END $$;
