-- The most coins that a member may have on one idea, by the fields of the policy; null is no maximum. The planner
-- replaces a call by the expression.
CREATE OR REPLACE FUNCTION app.coins_idea_max(p_coins integer, p_percent integer, p_coins_per_member integer)
RETURNS bigint
LANGUAGE sql IMMUTABLE RETURN coalesce(p_coins, p_coins_per_member::bigint * p_percent / 100);
REVOKE ALL ON FUNCTION app.coins_idea_max(integer, integer, integer) FROM PUBLIC;

CREATE OR REPLACE FUNCTION app.coins_open_ledger(p_campaign_id uuid, p_policy jsonb, p_actor_id uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
BEGIN
    -- fields that the request omits, such as those that an earlier release does not know, have the defaults of the columns
    INSERT INTO coin_policies (
        campaign_id, version, coins_per_member, coins_per_allocation_min, coins_per_member_and_idea_max,
        coins_per_member_and_idea_max_percent, own_ideas, take_back, take_back_until, move_cooldown_s,
        allocation_opens_at, allocate_until, late_grant, decision_mode, accept_threshold_coins, backers_min,
        returned_coins, author_withdraw_until, undo_window_h, grace_h, at_end, stakes_visible_to, created_at,
        created_by
    )
    SELECT
        p.campaign_id, p.version, p.coins_per_member, p.coins_per_allocation_min, p.coins_per_member_and_idea_max,
        p.coins_per_member_and_idea_max_percent, p.own_ideas, p.take_back, p.take_back_until, p.move_cooldown_s,
        p.allocation_opens_at, p.allocate_until, p.late_grant, p.decision_mode, p.accept_threshold_coins,
        p.backers_min, p.returned_coins, p.author_withdraw_until, p.undo_window_h, p.grace_h, p.at_end,
        p.stakes_visible_to, p.created_at, p.created_by
    FROM jsonb_populate_record(NULL::coin_policies, jsonb_build_object(
        'coins_per_member', 100, 'coins_per_allocation_min', 1, 'own_ideas', false, 'take_back', true,
        'undo_window_h', 168, 'at_end', 'expire', 'stakes_visible_to', 'self', 'grace_h', 24, 'late_grant', 'full',
        'move_cooldown_s', 0, 'decision_mode', 'rolling', 'backers_min', 0, 'returned_coins', 'reuse')
        || p_policy || jsonb_build_object('campaign_id', p_campaign_id, 'version', 1,
        'created_at', clock_timestamp(), 'created_by', p_actor_id)) AS p;
    WITH account AS (
        INSERT INTO coin_accounts (campaign_id, kind)
        SELECT p_campaign_id, k.kind FROM unnest(ARRAY['mint', 'carried_in', 'expired', 'carried_out']) AS k (kind)
        RETURNING id, kind
    )
    INSERT INTO coin_ledgers (campaign_id, policy_version, mint_id, carried_in_id, expired_id, carried_out_id)
    SELECT p_campaign_id, 1,
        max(id) FILTER (WHERE kind = 'mint'), max(id) FILTER (WHERE kind = 'carried_in'),
        max(id) FILTER (WHERE kind = 'expired'), max(id) FILTER (WHERE kind = 'carried_out')
    FROM account;
END $$;
REVOKE ALL ON FUNCTION app.coins_open_ledger(uuid, jsonb, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.coins_open_ledger(uuid, jsonb, uuid) TO ideamint_app;

-- Waits for running movements on these ideas and blocks new ones until the transaction ends. Granted to no role.
CREATE OR REPLACE FUNCTION app.coins_lock_targets(p_idea_id uuid[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
DECLARE
    v_id uuid;
BEGIN
    FOR v_id IN SELECT u.id FROM unnest(p_idea_id) AS u (id) ORDER BY u.id LOOP
        PERFORM pg_advisory_xact_lock(uuid_hash_extended(v_id, 0));
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION app.coins_lock_targets(uuid[]) FROM PUBLIC;

CREATE OR REPLACE FUNCTION app.coins_has_stakes(p_campaign_id uuid) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = app, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM coin_targets AS t JOIN coin_accounts AS a ON a.idea_id = t.idea_id AND a.kind = 'stake'
        WHERE t.campaign_id = p_campaign_id
    )
$$;
REVOKE ALL ON FUNCTION app.coins_has_stakes(uuid) FROM PUBLIC;

-- Stores a new version of the policy. coins_per_member is frozen once a grant exists, the other fields once a stake
-- exists. The window may be extended, and the stakes be visible to fewer people, at any time. Returns the version, or
-- the names of the frozen fields that would change.
CREATE OR REPLACE FUNCTION app.coins_set_policy(p_campaign_id uuid, p_policy jsonb, p_actor_id uuid)
RETURNS TABLE (version integer, frozen text[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_audiences CONSTANT text[] := ARRAY['self', 'managers', 'members'];
    v_policy_version integer;
    v_old coin_policies;
    v_new coin_policies;
    v_changed text[];
    v_frozen text[] := '{}';
BEGIN
    SELECT l.policy_version INTO STRICT v_policy_version
    FROM coin_ledgers AS l WHERE l.campaign_id = p_campaign_id FOR UPDATE;
    -- the whole row, with the type of the table: jsonb_populate_record takes the fields that the request omits from it
    v_old := (
        SELECT p FROM coin_policies AS p WHERE p.campaign_id = p_campaign_id AND p.version = v_policy_version
    );
    v_new := jsonb_populate_record(v_old, p_policy || jsonb_build_object(
        'campaign_id', p_campaign_id, 'version', v_old.version + 1,
        'created_at', clock_timestamp(), 'created_by', p_actor_id));
    v_changed := ARRAY(
        SELECT n.key FROM jsonb_each(to_jsonb(v_new)) AS n
        JOIN jsonb_each(to_jsonb(v_old)) AS o ON o.key = n.key
        WHERE n.value <> o.value AND n.key NOT IN ('version', 'created_at', 'created_by')
        ORDER BY n.key);
    IF EXISTS (SELECT FROM coin_accounts AS a WHERE a.campaign_id = p_campaign_id AND a.kind = 'wallet') THEN
        v_frozen := ARRAY(SELECT c.name FROM unnest(v_changed) AS c (name) WHERE c.name = 'coins_per_member');
    END IF;
    -- a first stake that is being written relies on the current policy: wait for its transaction, then count it
    IF NOT coins_has_stakes(p_campaign_id) THEN
        PERFORM coins_lock_targets(ARRAY(
            SELECT t.idea_id FROM coin_targets AS t WHERE t.campaign_id = p_campaign_id AND t.is_open));
    END IF;
    IF coins_has_stakes(p_campaign_id) THEN
        v_frozen := ARRAY(
            SELECT c.name FROM unnest(v_changed) AS c (name)
            WHERE CASE c.name
                WHEN 'allocate_until'
                    THEN coalesce(v_new.allocate_until, 'infinity') < coalesce(v_old.allocate_until, 'infinity')
                WHEN 'stakes_visible_to'
                    THEN array_position(v_audiences, v_new.stakes_visible_to)
                        > array_position(v_audiences, v_old.stakes_visible_to)
                ELSE true END
            ORDER BY c.name);
    END IF;
    IF v_frozen <> '{}' THEN
        RETURN QUERY SELECT v_old.version, v_frozen;
        RETURN;
    END IF;
    INSERT INTO coin_policies (
        campaign_id, version, coins_per_member, coins_per_allocation_min, coins_per_member_and_idea_max,
        coins_per_member_and_idea_max_percent, own_ideas, take_back, take_back_until, move_cooldown_s,
        allocation_opens_at, allocate_until, late_grant, decision_mode, accept_threshold_coins, backers_min,
        returned_coins, author_withdraw_until, undo_window_h, grace_h, at_end, stakes_visible_to, created_at,
        created_by
    )
    VALUES (
        v_new.campaign_id, v_new.version, v_new.coins_per_member, v_new.coins_per_allocation_min,
        v_new.coins_per_member_and_idea_max, v_new.coins_per_member_and_idea_max_percent, v_new.own_ideas,
        v_new.take_back, v_new.take_back_until, v_new.move_cooldown_s, v_new.allocation_opens_at,
        v_new.allocate_until, v_new.late_grant, v_new.decision_mode, v_new.accept_threshold_coins, v_new.backers_min,
        v_new.returned_coins, v_new.author_withdraw_until, v_new.undo_window_h, v_new.grace_h, v_new.at_end,
        v_new.stakes_visible_to, v_new.created_at, v_new.created_by
    );
    UPDATE coin_ledgers AS l SET policy_version = v_new.version WHERE l.campaign_id = p_campaign_id;
    RETURN QUERY SELECT v_new.version, v_frozen;
END $$;
REVOKE ALL ON FUNCTION app.coins_set_policy(uuid, jsonb, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.coins_set_policy(uuid, jsonb, uuid) TO ideamint_app;
