-- The coins of a stake that were on the idea at a moment and were not taken from it since. Coins that came later may
-- have been taken first, so it can be more than the balance.
CREATE OR REPLACE FUNCTION app.coins_kept_since(p_account_id bigint, p_since timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = app, pg_temp SET enable_seqscan = off AS $$
DECLARE
    v_version integer;
    v_version_then integer;
    v_coins bigint;
BEGIN
    SELECT a.version INTO STRICT v_version FROM coin_accounts AS a WHERE a.id = p_account_id;
    v_version_then := coins_version_at(p_account_id, v_version, p_since);
    SELECT coalesce(sum(
        CASE WHEN p.account_version = v_version_then THEN p.balance_after_coins ELSE p.amount_coins END), 0)
    INTO v_coins
    FROM coin_postings AS p
    WHERE p.account_id = p_account_id AND p.account_version BETWEEN v_version_then AND v_version
        AND (p.account_version = v_version_then OR p.amount_coins < 0);
    RETURN v_coins;
END $$;
REVOKE ALL ON FUNCTION app.coins_kept_since(bigint, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.coins_kept_since(bigint, timestamptz) TO ideamint_app;

-- Whether coins of a stake may be taken back whatever the policy's take_back and the windows say: the idea is in a
-- grace time, and these coins were on it at its beginning and were not taken from it since. Coins that came later are
-- not free, or a member could take any coins back through this idea. Granted to no role: `coins_move` calls it for
-- returns to the wallet that it would refuse otherwise.
CREATE OR REPLACE FUNCTION app.coins_is_graced(
    p_at timestamptz, p_from timestamptz, p_until timestamptz, p_account_id bigint, p_coins bigint
) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = app, pg_temp AS $$
BEGIN
    IF p_until IS NULL OR p_at > p_until OR p_account_id IS NULL THEN
        RETURN false;
    END IF;
    RETURN p_coins <= coins_kept_since(p_account_id, p_from);
END $$;
REVOKE ALL ON FUNCTION app.coins_is_graced(timestamptz, timestamptz, timestamptz, bigint, bigint) FROM PUBLIC;

-- Begins a grace time of an open idea after running movements on it, by the policy in force. A second one replaces the
-- first: the coins on the idea at its beginning are free, which include those of the first that are still there.
-- Returns its end; null if the policy has none, or no coins are on the idea.
CREATE OR REPLACE FUNCTION app.coins_begin_grace(p_campaign_id uuid, p_idea_id uuid) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
DECLARE
    v_grace_h integer;
    v_from timestamptz;
    v_until timestamptz;
BEGIN
    PERFORM coins_lock_targets(ARRAY[p_idea_id]);
    SELECT y.grace_h INTO v_grace_h
    FROM coin_targets AS t
    JOIN coin_ledgers AS x ON x.campaign_id = t.campaign_id AND x.closed_at IS NULL
    JOIN coin_policies AS y ON y.campaign_id = x.campaign_id AND y.version = x.policy_version
    WHERE t.idea_id = p_idea_id AND t.campaign_id = p_campaign_id AND t.is_open;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'idea % of campaign % is not open', p_idea_id, p_campaign_id
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF v_grace_h = 0 OR NOT EXISTS (
        SELECT FROM coin_accounts AS a WHERE a.idea_id = p_idea_id AND a.kind = 'stake' AND a.balance_coins > 0
    ) THEN
        RETURN NULL;
    END IF;
    v_from := clock_timestamp();
    UPDATE coin_targets AS t
    SET grace_from = v_from, grace_until = greatest(t.grace_until, v_from + make_interval(hours => v_grace_h))
    WHERE t.idea_id = p_idea_id
    RETURNING t.grace_until INTO v_until;
    RETURN v_until;
END $$;
REVOKE ALL ON FUNCTION app.coins_begin_grace(uuid, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.coins_begin_grace(uuid, uuid) TO ideamint_app;

-- Raises an exception with the constraint `coin_targets_in_grace`, and the time as its detail, while backers of one of
-- these open ideas may take their coins back. Locks the ideas first: no grace time begins afterwards. Granted to no
-- role.
CREATE OR REPLACE FUNCTION app.coins_check_grace(p_campaign_id uuid, p_idea_id uuid[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
DECLARE
    v_until timestamptz;
BEGIN
    PERFORM coins_lock_targets(p_idea_id);
    SELECT max(t.grace_until) INTO v_until FROM coin_targets AS t
    WHERE t.idea_id = ANY (p_idea_id) AND t.campaign_id = p_campaign_id AND t.is_open
        AND t.grace_until >= clock_timestamp();
    IF v_until IS NOT NULL THEN
        RAISE EXCEPTION 'backers of an idea of campaign % may take coins back until %', p_campaign_id, v_until
            USING ERRCODE = 'object_not_in_prerequisite_state', CONSTRAINT = 'coin_targets_in_grace',
            TABLE = 'coin_targets', DETAIL = to_jsonb(v_until) #>> '{}';
    END IF;
END $$;
REVOKE ALL ON FUNCTION app.coins_check_grace(uuid, uuid[]) FROM PUBLIC;
