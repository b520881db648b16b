-- Raises an exception if the policy in force does not allow these ideas to be accepted now, with a constraint of the
-- rule and the figures as its detail, in JSON: `coin_targets_decided_early` before coins can no longer be moved, under
-- decision_mode = at_close; `coin_targets_lack_support` for an idea with fewer coins than accept_threshold_coins or
-- fewer backers than backers_min. Locks the ideas first, so the figures are those that would expire. Granted to no
-- role.
CREATE OR REPLACE FUNCTION app.coins_check_acceptance(
    p_campaign_id uuid, p_idea_id uuid[], p_effective_at timestamptz
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
DECLARE
    v_policy record;
    v_lacking record;
BEGIN
    PERFORM coins_lock_targets(p_idea_id);
    SELECT y.decision_mode, coalesce(y.accept_threshold_coins, 0) AS accept_threshold_coins, y.backers_min,
        least(x.closes_at, y.allocate_until) AS closes_at
    INTO STRICT v_policy
    FROM coin_ledgers AS x
    JOIN coin_policies AS y ON y.campaign_id = x.campaign_id AND y.version = x.policy_version
    WHERE x.campaign_id = p_campaign_id;
    IF v_policy.decision_mode = 'at_close'
        AND coalesce(p_effective_at, clock_timestamp()) <= coalesce(v_policy.closes_at, 'infinity') THEN
        RAISE EXCEPTION 'ideas of campaign % are decided after the end of allocation', p_campaign_id
            USING ERRCODE = 'object_not_in_prerequisite_state', CONSTRAINT = 'coin_targets_decided_early',
            TABLE = 'coin_targets', DETAIL = jsonb_build_object('closes_at', v_policy.closes_at);
    END IF;
    IF v_policy.accept_threshold_coins = 0 AND v_policy.backers_min = 0 THEN
        RETURN; -- the stakes, which can be many, are summed only for a rule about them
    END IF;
    SELECT s.idea_id, s.coins, s.backers INTO v_lacking
    FROM (
        SELECT u.id AS idea_id, coalesce(sum(a.balance_coins), 0)::bigint AS coins,
            count(*) FILTER (WHERE a.balance_coins > 0) AS backers
        FROM unnest(p_idea_id) AS u (id)
        LEFT JOIN coin_accounts AS a ON a.idea_id = u.id AND a.kind = 'stake'
        GROUP BY u.id
    ) AS s
    WHERE s.coins < v_policy.accept_threshold_coins OR s.backers < v_policy.backers_min
    ORDER BY s.idea_id LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'idea % has % coins of % backers, too few to be accepted',
            v_lacking.idea_id, v_lacking.coins, v_lacking.backers
            USING ERRCODE = 'object_not_in_prerequisite_state', CONSTRAINT = 'coin_targets_lack_support',
            TABLE = 'coin_targets', DETAIL = jsonb_build_object(
                'idea_id', v_lacking.idea_id, 'coins', v_lacking.coins, 'backers', v_lacking.backers,
                'accept_threshold_coins', v_policy.accept_threshold_coins, 'backers_min', v_policy.backers_min);
    END IF;
END $$;
REVOKE ALL ON FUNCTION app.coins_check_acceptance(uuid, uuid[], timestamptz) FROM PUBLIC;

-- Raises an exception with the constraint `coin_targets_withdrawn_late` if the author withdraws one of these ideas
-- after the policy's author_withdraw_until. Granted to no role.
CREATE OR REPLACE FUNCTION app.coins_check_withdrawal(
    p_campaign_id uuid, p_idea_id uuid[], p_actor_id uuid, p_effective_at timestamptz
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
DECLARE
    v_until timestamptz;
BEGIN
    SELECT y.author_withdraw_until INTO v_until
    FROM coin_targets AS t
    JOIN coin_ledgers AS x ON x.campaign_id = t.campaign_id
    JOIN coin_policies AS y ON y.campaign_id = x.campaign_id AND y.version = x.policy_version
    WHERE t.idea_id = ANY (p_idea_id) AND t.campaign_id = p_campaign_id AND t.author_id = p_actor_id
        AND coalesce(p_effective_at, clock_timestamp()) > y.author_withdraw_until
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'authors of campaign % could withdraw their ideas until %', p_campaign_id, v_until
            USING ERRCODE = 'object_not_in_prerequisite_state', CONSTRAINT = 'coin_targets_withdrawn_late',
            TABLE = 'coin_targets', DETAIL = jsonb_build_object('author_withdraw_until', v_until);
    END IF;
END $$;
REVOKE ALL ON FUNCTION app.coins_check_withdrawal(uuid, uuid[], uuid, timestamptz) FROM PUBLIC;

-- Whether the coins of withdrawn and rejected ideas expire under the policy in force. Granted to no role.
CREATE OR REPLACE FUNCTION app.coins_returned_expire(p_campaign_id uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = app, pg_temp AS $$
    SELECT y.returned_coins = 'expire'
    FROM coin_ledgers AS x
    JOIN coin_policies AS y ON y.campaign_id = x.campaign_id AND y.version = x.policy_version
    WHERE x.campaign_id = p_campaign_id
$$;
REVOKE ALL ON FUNCTION app.coins_returned_expire(uuid) FROM PUBLIC;
