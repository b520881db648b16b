-- The version of an account at a time: that of its last posting up to then, 0 before the first. The postings of an
-- account are in order of time, so a binary search needs about log2(versions) look-ups. SET enable_seqscan: a session
-- may have cached a plan for a smaller table, which would read all of it.
CREATE OR REPLACE FUNCTION app.coins_version_at(
    p_account_id bigint, p_version integer, p_at timestamptz
) RETURNS integer
LANGUAGE plpgsql STABLE SET search_path = app, pg_temp SET enable_seqscan = off AS $$
DECLARE
    v_low integer := 0;
    v_high integer := p_version;
    v_middle integer;
    v_moved_at timestamptz;
BEGIN
    IF p_at = 'infinity' THEN
        RETURN p_version;
    END IF;
    WHILE v_low < v_high LOOP
        v_middle := (v_low + v_high + 1) / 2;
        SELECT p.effective_at INTO STRICT v_moved_at FROM coin_postings AS p
        WHERE p.account_id = p_account_id AND p.account_version = v_middle;
        IF v_moved_at <= p_at THEN
            v_low := v_middle;
        ELSE
            v_high := v_middle - 1;
        END IF;
    END LOOP;
    RETURN v_low;
END $$;
REVOKE ALL ON FUNCTION app.coins_version_at(bigint, integer, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.coins_version_at(bigint, integer, timestamptz) TO ideamint_app;
