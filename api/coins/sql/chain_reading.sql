-- Recomputes the chain of a campaign from the transfers. Returns one row with the differences, counted, and the first
-- `p_findings_max` of them as findings; without a chain the height is 0. One statement, so that it reads one snapshot.
CREATE OR REPLACE FUNCTION app.coins_check_chain(p_campaign_id uuid, p_findings_max integer) RETURNS TABLE (
    height bigint, hash bytea, sealed_transfers bigint, sealed_at timestamptz, wrong_blocks bigint,
    altered_transfers bigint, removed_transfers bigint, unsealed_transfers bigint, findings jsonb
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = app, pg_temp SET work_mem = '64MB' SET jit = off AS $$
    WITH chain AS (
        SELECT coalesce(c.height, 0) AS height, coalesce(c.hash, decode(repeat('00', 32), 'hex')) AS hash,
            coalesce(c.sealed_transfers, 0) AS sealed_transfers, c.sealed_at
        FROM (VALUES (p_campaign_id)) AS requested (campaign_id)
        LEFT JOIN coin_chains AS c ON c.campaign_id = requested.campaign_id
    ), member AS MATERIALIZED (
        SELECT m.height, m.position, m.transfer_id, m.hash, r.id IS NULL AS is_removed,
            r.id IS NOT NULL AND r.hash <> m.hash AS is_altered
        FROM coin_block_transfers AS m
        LEFT JOIN coin_records AS r ON r.id = m.transfer_id
        WHERE m.campaign_id = p_campaign_id
    ), content AS (
        SELECT m.height, count(*) AS transfers, max(m.position) AS last_position,
            string_agg(encode(m.hash, 'hex'), '|' ORDER BY m.position) AS hashes
        FROM member AS m
        GROUP BY m.height
    ), block AS (
        SELECT height, b.hash, b.sealed_transfers, b.previous_hash, c.transfers, c.last_position,
            coins_hash_block(p_campaign_id, height, b.previous_hash, b.sealed_at, c.hashes) AS found_hash,
            lag(height, 1, 0::bigint) OVER before AS height_before,
            lag(b.hash, 1, decode(repeat('00', 32), 'hex')) OVER before AS hash_before,
            lag(b.sealed_transfers, 1, 0::bigint) OVER before AS sealed_before
        FROM (
            SELECT b.height, b.hash, b.sealed_transfers, b.previous_hash, b.sealed_at
            FROM coin_blocks AS b WHERE b.campaign_id = p_campaign_id
        ) AS b
        FULL JOIN content AS c USING (height)
        WINDOW before AS (ORDER BY height)
    ), finding AS (
        SELECT 'wrong_block' AS problem, b.height, NULL::integer AS position, NULL::uuid AS transfer_id,
            CASE
                WHEN b.hash IS NULL THEN 'the block is missing, its transfers are not'
                WHEN b.height <> b.height_before + 1 OR b.previous_hash IS DISTINCT FROM b.hash_before
                    THEN 'it does not follow the block before it'
                WHEN b.hash IS DISTINCT FROM b.found_hash THEN 'its hash is not that of its time and its transfers'
                ELSE 'its count of transfers is not that of its transfers'
            END AS detail
        FROM block AS b
        WHERE b.hash IS NULL OR b.height <> b.height_before + 1 OR b.previous_hash IS DISTINCT FROM b.hash_before
            OR b.hash IS DISTINCT FROM b.found_hash OR b.last_position <> b.transfers
            OR b.sealed_transfers IS DISTINCT FROM b.sealed_before + b.transfers
        UNION ALL
        SELECT 'wrong_block', c.height, NULL, NULL, 'the head of the chain is not its last block'
        FROM chain AS c
        LEFT JOIN (
            SELECT b.height, b.hash, b.sealed_transfers FROM block AS b ORDER BY b.height DESC LIMIT 1
        ) AS b ON true
        WHERE (c.height, c.sealed_transfers) <> (coalesce(b.height, 0), coalesce(b.sealed_transfers, 0))
            OR c.hash <> coalesce(b.hash, decode(repeat('00', 32), 'hex'))
        UNION ALL
        SELECT CASE WHEN m.is_removed THEN 'removed_transfer' ELSE 'altered_transfer' END, m.height, m.position,
            m.transfer_id,
            CASE WHEN m.is_removed THEN 'it was sealed and is missing' ELSE 'it is not what was sealed' END
        FROM member AS m
        WHERE m.is_removed OR m.is_altered
        UNION ALL
        SELECT 'unsealed_transfer', NULL, NULL, t.id,
            'it is ordered before the last sealed transfer and in no block: it was inserted, or removed from a block'
        FROM coin_transfers AS t
        JOIN coin_seals AS s ON (t.xid, t.id) <= (s.sealed_xid, s.sealed_id)
        LEFT JOIN coin_block_transfers AS m ON m.transfer_id = t.id AND m.campaign_id = p_campaign_id
        WHERE t.campaign_id = p_campaign_id AND m.transfer_id IS NULL
    ), counted AS (
        SELECT count(*) FILTER (WHERE f.problem = 'wrong_block') AS wrong_blocks,
            count(*) FILTER (WHERE f.problem = 'altered_transfer') AS altered_transfers,
            count(*) FILTER (WHERE f.problem = 'removed_transfer') AS removed_transfers,
            count(*) FILTER (WHERE f.problem = 'unsealed_transfer') AS unsealed_transfers
        FROM finding AS f
    ), named AS (
        SELECT jsonb_agg(f ORDER BY f.height, f.position, f.transfer_id) AS findings
        FROM (
            SELECT f.problem, f.height, f.position, f.transfer_id, f.detail
            FROM finding AS f ORDER BY f.height, f.position NULLS FIRST, f.transfer_id LIMIT p_findings_max
        ) AS f
    )
    SELECT c.height, c.hash, c.sealed_transfers, c.sealed_at, n.wrong_blocks, n.altered_transfers, n.removed_transfers,
        n.unsealed_transfers, coalesce(f.findings, '[]')
    FROM chain AS c CROSS JOIN counted AS n CROSS JOIN named AS f
$$;
REVOKE ALL ON FUNCTION app.coins_check_chain(uuid, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.coins_check_chain(uuid, integer) TO ideamint_app;

-- Lines of an export up to block `p_height_max`, at most `p_lines_max` after the line at (`p_after_height`,
-- `p_after_position`). Position 0 is the block itself. Sealed rows never change, so pages that are read at different
-- times are consistent.
CREATE OR REPLACE FUNCTION app.coins_export_chain(
    p_campaign_id uuid, p_height_max bigint, p_after_height bigint, p_after_position integer, p_lines_max integer
) RETURNS TABLE (height bigint, "position" integer, line text) -- noqa: references.quoting
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = app, pg_temp SET enable_seqscan = off AS $$
    WITH requested AS (
        (
            SELECT b.height, 0 AS position, NULL::uuid AS transfer_id, b.hash
            FROM coin_blocks AS b
            WHERE b.campaign_id = p_campaign_id AND b.height <= p_height_max
                AND (b.height, 0) > (p_after_height, p_after_position)
            ORDER BY b.height LIMIT p_lines_max
        )
        UNION ALL
        (
            SELECT m.height, m.position, m.transfer_id, m.hash
            FROM coin_block_transfers AS m
            WHERE m.campaign_id = p_campaign_id AND m.height <= p_height_max
                AND (m.height, m.position) > (p_after_height, p_after_position)
            ORDER BY m.height, m.position LIMIT p_lines_max
        )
    )
    SELECT a.height, a.position, CASE WHEN a.position = 0 THEN b.line ELSE t.line END
    FROM (
        SELECT a.height, a.position, a.transfer_id, a.hash
        FROM requested AS a ORDER BY a.height, a.position LIMIT p_lines_max
    ) AS a
    LEFT JOIN LATERAL (
        SELECT row_to_json(x)::text AS line
        FROM (
            SELECT b.height AS block, encode(b.previous_hash, 'hex') AS previous_hash,
                coins_epoch_us(b.sealed_at) AS sealed_at, encode(b.hash, 'hex') AS hash
            FROM coin_blocks AS b WHERE b.campaign_id = p_campaign_id AND b.height = a.height AND a.position = 0
            OFFSET 0
        ) AS x
    ) AS b ON true
    LEFT JOIN LATERAL (
        SELECT row_to_json(x)::text AS line
        FROM (
            SELECT a.transfer_id AS id, r.campaign_id, r.batch_id, r.kind, r.actor, r.reason, r.reverses_id,
                r.effective_at, r.recorded_at, r.xid,
                r.debit_account, r.debit_idea_id, r.debit_member, r.debit_coins, r.debit_version, r.debit_balance_coins,
                r.debit_effective_at,
                r.credit_account, r.credit_idea_id, r.credit_member, r.credit_coins, r.credit_version,
                r.credit_balance_coins, r.credit_effective_at, encode(a.hash, 'hex') AS hash
            FROM (SELECT 1) AS one LEFT JOIN coin_records AS r ON r.id = a.transfer_id
            WHERE a.position > 0
            OFFSET 0
        ) AS x
    ) AS t ON true
    ORDER BY a.height, a.position
$$;
REVOKE ALL ON FUNCTION app.coins_export_chain(uuid, bigint, bigint, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.coins_export_chain(uuid, bigint, bigint, integer, integer) TO ideamint_app;
