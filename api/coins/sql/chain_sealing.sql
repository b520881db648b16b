CREATE OR REPLACE FUNCTION app.coins_refuse_key_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = app, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'the key of a chain cannot change: with another key, every sealed transfer would look altered'
        USING ERRCODE = 'restrict_violation';
END $$;
REVOKE ALL ON FUNCTION app.coins_refuse_key_change() FROM PUBLIC;

-- Seals the transfers since the last run, at most `p_transfers_max`, into one block per campaign. It stops below the
-- oldest open transaction, so that no transfer can be ordered before a sealed one. It locks and changes no row that a
-- movement of coins reads. Returns the number of sealed transfers, null if another process is sealing.
CREATE OR REPLACE FUNCTION app.coins_seal(p_transfers_max integer) RETURNS integer
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
        RAISE EXCEPTION 'transfers are sealed up to transaction %, but this server is only at %',
            v_xid, pg_snapshot_xmax(pg_current_snapshot())
            USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'After restoring a dump into a new server, advance its transaction counter: pg_resetwal -x and -e.';
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

    -- three version 4 UUIDs contain 366 random bits of the server
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
        SELECT l.campaign_id, count(*) AS transfers,
            string_agg(encode(l.hash, 'hex'), '|' ORDER BY l.position) AS hashes
        FROM leaf AS l
        GROUP BY l.campaign_id
    ), block AS (
        INSERT INTO coin_blocks (campaign_id, height, previous_hash, hash, sealed_transfers, sealed_at)
        SELECT c.campaign_id, c.height + 1, c.hash,
            coins_hash_block(c.campaign_id, c.height + 1, c.hash, v_now, b.hashes),
            c.sealed_transfers + b.transfers, v_now
        FROM content AS b
        JOIN coin_chains AS c ON c.campaign_id = b.campaign_id
        RETURNING campaign_id, height, hash, sealed_transfers, sealed_at
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
REVOKE ALL ON FUNCTION app.coins_seal(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.coins_seal(integer) TO ideamint_app;
