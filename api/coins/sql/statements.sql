-- The newest transfers of an account within a time (from p_since, before p_until) and of some kinds (null: all), before
-- a transfer that was seen (null: none): at least p_limit of them if there are so many, and all that have the time of
-- the last one. The postings of an account are in order of time by their version, so it begins at the version of the
-- time, which is found by binary search, and reads backwards, a few at a time. Transfers of other kinds are read and
-- left out.
CREATE OR REPLACE FUNCTION app.coins_account_transfers(
    p_account_id bigint, p_version integer, p_limit integer, p_since timestamptz, p_until timestamptz,
    p_after_at timestamptz, p_after_id uuid, p_kinds text[]
) RETURNS TABLE (transfer_id uuid, effective_at timestamptz)
LANGUAGE plpgsql STABLE SET search_path = app, pg_temp SET enable_seqscan = off SET enable_sort = off AS $$
#variable_conflict use_column
DECLARE
    v_version CONSTANT integer := coins_version_at(
        p_account_id, p_version, coalesce(least(p_until, p_after_at), 'infinity'));
    v_found integer := 0;
    v_last_at timestamptz;
    v_posting record;
BEGIN
    FOR v_posting IN
        SELECT p.transfer_id, p.effective_at, t.kind
        FROM coin_postings AS p
        CROSS JOIN LATERAL (SELECT x.kind FROM coin_transfers AS x WHERE x.id = p.transfer_id LIMIT 1) AS t
        WHERE p.account_id = p_account_id AND p.account_version <= v_version
        ORDER BY p.account_version DESC
    LOOP
        EXIT WHEN v_posting.effective_at < p_since OR (v_found >= p_limit AND v_posting.effective_at < v_last_at);
        CONTINUE WHEN v_posting.effective_at >= p_until OR NOT (p_kinds IS NULL OR v_posting.kind = ANY (p_kinds))
            OR (v_posting.effective_at, v_posting.transfer_id) >= (p_after_at, p_after_id);
        v_found := v_found + 1;
        v_last_at := v_posting.effective_at;
        transfer_id := v_posting.transfer_id;
        effective_at := v_posting.effective_at;
        RETURN NEXT;
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION app.coins_account_transfers(
    bigint, integer, integer, timestamptz, timestamptz, timestamptz, uuid, text[]
) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.coins_account_transfers(
    bigint, integer, integer, timestamptz, timestamptz, timestamptz, uuid, text[]
) TO ideamint_app;
