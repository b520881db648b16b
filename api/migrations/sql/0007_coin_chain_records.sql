-- What of a transfer is sealed, and how: the one place that docs/ledger-export.md describes.

CREATE FUNCTION app.coins_hmac(p_inner_key bytea, p_outer_key bytea, p_text text) RETURNS text
LANGUAGE sql STABLE STRICT
RETURN encode(sha256(p_outer_key || sha256(p_inner_key || convert_to(p_text, 'UTF8'))), 'hex');

CREATE FUNCTION app.coins_epoch_us(p_moment timestamptz) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT
RETURN (extract(epoch FROM p_moment) * 1000000)::bigint;

-- A transfer with its postings and their accounts, people and free text as keyed hashes, and the SHA-256 of it all. What is
-- missing is null, so that a transfer without a posting has a record too, and another hash.
CREATE VIEW app.coin_records AS
SELECT r.*, sha256(convert_to(array_to_string(ARRAY[
    'ideamint.transfer.1',
    r.id::text, r.campaign_id::text, r.batch_id::text, r.kind, r.actor, r.reason, r.reverses_id::text,
    r.effective_at::text, r.recorded_at::text, r.xid::text,
    r.debit_account, r.debit_idea_id::text, r.debit_member, r.debit_coins::text, r.debit_version::text,
    r.debit_balance_coins::text, r.debit_effective_at::text,
    r.credit_account, r.credit_idea_id::text, r.credit_member, r.credit_coins::text, r.credit_version::text,
    r.credit_balance_coins::text, r.credit_effective_at::text
], '|', ''), 'UTF8')) AS hash
FROM (
    SELECT t.id, t.campaign_id, t.batch_id, t.kind,
        -- a prefix each, or who may write a reason could have a member's hash made by writing the member's id
        app.coins_hmac(c.inner_key, c.outer_key, 'member|' || t.actor_id) AS actor,
        app.coins_hmac(c.inner_key, c.outer_key, 'reason|' || t.reason) AS reason,
        t.reverses_id,
        app.coins_epoch_us(t.effective_at) AS effective_at,
        app.coins_epoch_us(t.recorded_at) AS recorded_at,
        t.xid::text::bigint AS xid,
        d.kind AS debit_account,
        d.idea_id AS debit_idea_id,
        app.coins_hmac(c.inner_key, c.outer_key, 'member|' || d.user_id) AS debit_member,
        dp.amount_coins AS debit_coins,
        dp.account_version AS debit_version,
        dp.balance_after_coins AS debit_balance_coins,
        app.coins_epoch_us(dp.effective_at) AS debit_effective_at,
        k.kind AS credit_account,
        k.idea_id AS credit_idea_id,
        app.coins_hmac(c.inner_key, c.outer_key, 'member|' || k.user_id) AS credit_member,
        kp.amount_coins AS credit_coins,
        kp.account_version AS credit_version,
        kp.balance_after_coins AS credit_balance_coins,
        app.coins_epoch_us(kp.effective_at) AS credit_effective_at
    FROM app.coin_transfers AS t
    LEFT JOIN app.coin_chains AS c ON c.campaign_id = t.campaign_id
    LEFT JOIN app.coin_postings AS dp ON dp.transfer_id = t.id AND dp.side = -1
    LEFT JOIN app.coin_accounts AS d ON d.id = dp.account_id
    LEFT JOIN app.coin_postings AS kp ON kp.transfer_id = t.id AND kp.side = 1
    LEFT JOIN app.coin_accounts AS k ON k.id = kp.account_id
) AS r;

-- `p_hashes` are those of the block's transfers in order, in hexadecimal and joined by '|'.
CREATE FUNCTION app.coins_hash_block(
    p_campaign_id uuid, p_height bigint, p_previous_hash bytea, p_sealed_at timestamptz, p_hashes text
) RETURNS bytea
LANGUAGE sql STABLE STRICT
RETURN sha256(convert_to(
    'ideamint.block.1|' || p_campaign_id || '|' || p_height || '|' || encode(p_previous_hash, 'hex') || '|'
    || app.coins_epoch_us(p_sealed_at) || '|' || p_hashes, 'UTF8'
));

-- Seals what was posted since the last time, at most `p_transfers_max` transfers, into a block for each campaign among
-- them. Only as far as no transaction is under way that began before: nothing can come to stand before what is sealed.
-- Locks and changes nothing that a movement of coins reads. Returns how many transfers were sealed, null if somebody
-- else is at it.
CREATE FUNCTION app.coins_seal(p_transfers_max integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp SET enable_seqscan = off AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
    v_until xid8 := pg_snapshot_xmin(pg_current_snapshot());
    v_xid xid8;
    v_id uuid;
    v_transfer_id uuid[];
    v_campaign_id uuid[];
    v_transfers integer;
BEGIN
    SELECT s.sealed_xid, s.sealed_id INTO v_xid, v_id FROM coin_seals AS s FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF v_xid >= pg_snapshot_xmax(pg_current_snapshot()) THEN
        RAISE EXCEPTION 'transfers are sealed up to transaction %, and this server has only come to %',
            v_xid, pg_snapshot_xmax(pg_current_snapshot())
            USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'A dump restored into a new server needs its transaction counter put forward: pg_resetwal -x and -e.';
    END IF;

    SELECT array_agg(t.id ORDER BY t.xid, t.id), array_agg(t.campaign_id ORDER BY t.xid, t.id), count(*)
    INTO v_transfer_id, v_campaign_id, v_transfers
    FROM (
        SELECT t.id, t.campaign_id, t.xid FROM coin_transfers AS t
        WHERE (t.xid, t.id) > (v_xid, v_id) AND t.xid < v_until
        ORDER BY t.xid, t.id LIMIT p_transfers_max
    ) AS t;
    IF v_transfers = 0 THEN
        RETURN 0;
    END IF;

    -- three version 4 UUIDs are 366 bits of the server's own randomness
    INSERT INTO coin_chains (campaign_id, key)
    SELECT u.id, sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
    FROM (SELECT DISTINCT u.id FROM unnest(v_campaign_id) AS u (id)) AS u
    WHERE NOT EXISTS (SELECT FROM coin_chains AS c WHERE c.campaign_id = u.id);

    WITH placed AS (
        SELECT u.transfer_id, u.campaign_id, row_number() OVER (PARTITION BY u.campaign_id ORDER BY u.n) AS position
        FROM unnest(v_transfer_id, v_campaign_id) WITH ORDINALITY AS u (transfer_id, campaign_id, n)
    ), leaf AS MATERIALIZED (
        SELECT p.transfer_id, p.campaign_id, p.position, r.hash
        FROM placed AS p
        CROSS JOIN LATERAL (SELECT r.hash FROM coin_records AS r WHERE r.id = p.transfer_id OFFSET 0) AS r
    ), content AS (
        SELECT l.campaign_id, count(*) AS transfers, string_agg(encode(l.hash, 'hex'), '|' ORDER BY l.position) AS hashes
        FROM leaf AS l
        GROUP BY l.campaign_id
    ), block AS (
        INSERT INTO coin_blocks (campaign_id, height, previous_hash, hash, sealed_transfers, sealed_at)
        SELECT c.campaign_id, c.height + 1, c.hash,
            coins_hash_block(c.campaign_id, c.height + 1, c.hash, v_now, b.hashes), c.sealed_transfers + b.transfers, v_now
        FROM content AS b
        JOIN coin_chains AS c ON c.campaign_id = b.campaign_id
        RETURNING *
    ), membership AS (
        INSERT INTO coin_block_transfers (campaign_id, height, position, transfer_id, hash)
        SELECT l.campaign_id, c.height + 1, l.position, l.transfer_id, l.hash
        FROM leaf AS l
        JOIN coin_chains AS c ON c.campaign_id = l.campaign_id
    )
    UPDATE coin_chains AS c
    SET height = b.height, hash = b.hash, sealed_transfers = b.sealed_transfers, sealed_at = b.sealed_at
    FROM block AS b
    WHERE c.campaign_id = b.campaign_id;

    UPDATE coin_seals AS s SET sealed_xid = t.xid, sealed_id = t.id
    FROM coin_transfers AS t
    WHERE t.id = v_transfer_id[v_transfers];
    RETURN v_transfers;
END $$;

GRANT EXECUTE ON FUNCTION app.coins_seal(integer) TO ideamint_app;
