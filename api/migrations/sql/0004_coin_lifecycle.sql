-- What happens to a campaign's ledger as a whole. Each is called in the session of the command that causes it.

CREATE FUNCTION app.coins_open_ledger(p_campaign_id uuid, p_policy jsonb, p_actor_id uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
BEGIN
    INSERT INTO coin_policies
    SELECT (jsonb_populate_record(NULL::coin_policies, p_policy || jsonb_build_object(
        'campaign_id', p_campaign_id, 'version', 1, 'created_at', clock_timestamp(), 'created_by', p_actor_id))).*;
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

-- A new version of the policy. Frozen: coins_per_member once a grant exists, the rest once a stake exists; until then
-- everything may change. The window may be extended at any time. Returns the version, or the names of frozen fields.
CREATE FUNCTION app.coins_set_policy(p_campaign_id uuid, p_policy jsonb, p_actor_id uuid)
RETURNS TABLE (version integer, frozen text[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_ledger coin_ledgers;
    v_old coin_policies;
    v_new coin_policies;
    v_frozen text[] := '{}';
BEGIN
    SELECT * INTO STRICT v_ledger FROM coin_ledgers AS l WHERE l.campaign_id = p_campaign_id FOR UPDATE;
    SELECT * INTO STRICT v_old FROM coin_policies AS p
    WHERE p.campaign_id = p_campaign_id AND p.version = v_ledger.policy_version;
    v_new := jsonb_populate_record(v_old, p_policy || jsonb_build_object(
        'campaign_id', p_campaign_id, 'version', v_old.version + 1,
        'created_at', clock_timestamp(), 'created_by', p_actor_id));
    IF EXISTS (SELECT FROM coin_accounts AS a WHERE a.campaign_id = p_campaign_id AND a.kind = 'wallet')
        AND v_new.coins_per_member <> v_old.coins_per_member THEN
        v_frozen := v_frozen || 'coins_per_member'::text;
    END IF;
    IF EXISTS (
        SELECT FROM coin_targets AS t JOIN coin_accounts AS a ON a.idea_id = t.idea_id AND a.kind = 'stake'
        WHERE t.campaign_id = p_campaign_id
    ) THEN
        v_frozen := v_frozen
            || CASE WHEN v_new.coins_per_allocation_min <> v_old.coins_per_allocation_min
                THEN ARRAY['coins_per_allocation_min'] ELSE '{}' END
            || CASE WHEN v_new.coins_per_member_and_idea_max IS DISTINCT FROM v_old.coins_per_member_and_idea_max
                THEN ARRAY['coins_per_member_and_idea_max'] ELSE '{}' END
            || CASE WHEN v_new.own_ideas <> v_old.own_ideas THEN ARRAY['own_ideas'] ELSE '{}' END
            || CASE WHEN v_new.take_back <> v_old.take_back THEN ARRAY['take_back'] ELSE '{}' END
            || CASE WHEN v_new.at_end <> v_old.at_end THEN ARRAY['at_end'] ELSE '{}' END
            || CASE WHEN v_new.allocation_opens_at IS DISTINCT FROM v_old.allocation_opens_at
                THEN ARRAY['allocation_opens_at'] ELSE '{}' END
            || CASE WHEN coalesce(v_new.allocate_until, 'infinity') < coalesce(v_old.allocate_until, 'infinity')
                THEN ARRAY['allocate_until'] ELSE '{}' END;
    END IF;
    IF v_frozen <> '{}' THEN
        RETURN QUERY SELECT v_old.version, v_frozen;
        RETURN;
    END IF;
    INSERT INTO coin_policies SELECT v_new.*;
    UPDATE coin_ledgers AS l SET policy_version = v_new.version WHERE l.campaign_id = p_campaign_id;
    RETURN QUERY SELECT v_new.version, v_frozen;
END $$;

-- A wallet with the policy's coins for each of these members that has none yet; thaws the wallets of those who have.
-- Returns who was granted coins now.
CREATE FUNCTION app.coins_grant(
    p_campaign_id uuid, p_user_id uuid[], p_actor_id uuid, p_effective_at timestamptz DEFAULT NULL
) RETURNS uuid[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
DECLARE
    v_ledger coin_ledgers;
    v_coins bigint;
    v_id bigint[];
    v_user_id uuid[];
BEGIN
    SELECT * INTO STRICT v_ledger FROM coin_ledgers WHERE campaign_id = p_campaign_id FOR SHARE;
    IF v_ledger.closed_at IS NOT NULL THEN
        RAISE EXCEPTION 'the ledger of campaign % is closed', p_campaign_id USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    SELECT coins_per_member INTO STRICT v_coins FROM coin_policies
    WHERE campaign_id = p_campaign_id AND version = v_ledger.policy_version;
    UPDATE coin_accounts SET frozen_at = NULL
    WHERE campaign_id = p_campaign_id AND user_id = ANY (p_user_id) AND kind = 'wallet' AND frozen_at IS NOT NULL;
    WITH opened AS (
        INSERT INTO coin_accounts (campaign_id, kind, user_id, balance_coins)
        SELECT p_campaign_id, 'wallet', u.user_id, 0
        FROM (SELECT DISTINCT d.user_id FROM unnest(p_user_id) AS d (user_id)) AS u
        ORDER BY u.user_id
        ON CONFLICT (campaign_id, user_id) WHERE kind = 'wallet' DO NOTHING
        RETURNING id, user_id
    )
    SELECT coalesce(array_agg(id ORDER BY id), '{}'), coalesce(array_agg(user_id ORDER BY id), '{}')
    INTO v_id, v_user_id FROM opened;
    PERFORM coins_post(p_campaign_id, 'grant', array_fill(v_ledger.mint_id, ARRAY[cardinality(v_id)]), v_id,
        array_fill(v_coins, ARRAY[cardinality(v_id)]), p_actor_id, NULL, p_effective_at);
    RETURN v_user_id;
END $$;

CREATE FUNCTION app.coins_freeze_wallet(p_campaign_id uuid, p_user_id uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = app, pg_temp AS $$
    UPDATE coin_accounts SET frozen_at = clock_timestamp()
    WHERE campaign_id = p_campaign_id AND user_id = p_user_id AND kind = 'wallet' AND frozen_at IS NULL
$$;

CREATE FUNCTION app.coins_open_targets(p_campaign_id uuid, p_idea_id uuid[], p_author_id uuid[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
BEGIN
    PERFORM 1 FROM coin_ledgers WHERE campaign_id = p_campaign_id AND closed_at IS NULL FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the ledger of campaign % is not open', p_campaign_id USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    INSERT INTO coin_targets (idea_id, campaign_id, author_id)
    SELECT t.idea_id, p_campaign_id, t.author_id FROM unnest(p_idea_id, p_author_id) AS t (idea_id, author_id);
END $$;

-- Closes ideas for coins: the stakes expire ('expire', 'settle') or go back to their wallets ('return'). Waits for
-- movements under way on these ideas, and lets none start. Returns a row an idea.
CREATE FUNCTION app.coins_close_targets(
    p_campaign_id uuid, p_idea_id uuid[], p_kind text, p_actor_id uuid, p_reason text DEFAULT NULL,
    p_effective_at timestamptz DEFAULT NULL
) RETURNS TABLE (idea_id uuid, settled_coins bigint, settled_backers integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_id uuid;
    v_stake_id bigint[];
    v_credit_id bigint[];
    v_coins bigint[];
BEGIN
    IF p_kind NOT IN ('expire', 'return', 'settle') THEN
        RAISE EXCEPTION 'stakes of a closed idea expire, return or settle, not %', p_kind;
    END IF;
    FOR v_id IN SELECT u.id FROM unnest(p_idea_id) AS u (id) ORDER BY u.id LOOP
        PERFORM pg_advisory_xact_lock(uuid_hash_extended(v_id, 0));
    END LOOP;
    RETURN QUERY
    UPDATE coin_targets AS t
    SET is_open = false, closed_at = clock_timestamp(), settled_coins = s.coins, settled_backers = s.backers
    FROM (
        SELECT u.id, coalesce(sum(a.balance_coins), 0)::bigint AS coins,
            count(*) FILTER (WHERE a.balance_coins > 0)::integer AS backers
        FROM unnest(p_idea_id) AS u (id)
        LEFT JOIN coin_accounts AS a ON a.idea_id = u.id AND a.kind = 'stake'
        GROUP BY u.id
    ) AS s
    WHERE t.idea_id = s.id AND t.campaign_id = p_campaign_id AND t.is_open
    RETURNING t.idea_id, t.settled_coins, t.settled_backers;

    SELECT array_agg(a.id), array_agg(CASE p_kind WHEN 'return' THEN w.id ELSE l.expired_id END), array_agg(a.balance_coins)
    INTO v_stake_id, v_credit_id, v_coins
    FROM coin_accounts AS a
    JOIN coin_ledgers AS l ON l.campaign_id = a.campaign_id
    JOIN coin_accounts AS w ON w.campaign_id = a.campaign_id AND w.user_id = a.user_id AND w.kind = 'wallet'
    WHERE a.idea_id = ANY (p_idea_id) AND a.kind = 'stake' AND a.balance_coins > 0 AND a.campaign_id = p_campaign_id;
    PERFORM coins_post(p_campaign_id, p_kind, v_stake_id, v_credit_id, v_coins, p_actor_id, p_reason, p_effective_at);
END $$;

-- The campaign's end under at_end = expire: every open idea is closed, every wallet emptied, no grant comes after.
CREATE FUNCTION app.coins_close_ledger(p_campaign_id uuid, p_actor_id uuid, p_effective_at timestamptz DEFAULT NULL)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
DECLARE
    v_ledger coin_ledgers;
    v_wallet_id bigint[];
    v_coins bigint[];
BEGIN
    SELECT * INTO STRICT v_ledger FROM coin_ledgers WHERE campaign_id = p_campaign_id AND closed_at IS NULL FOR UPDATE;
    PERFORM coins_close_targets(p_campaign_id,
        coalesce((SELECT array_agg(idea_id) FROM coin_targets WHERE campaign_id = p_campaign_id AND is_open), '{}'),
        'settle', p_actor_id, NULL, p_effective_at);
    SELECT coalesce(array_agg(id), '{}'), coalesce(array_agg(balance_coins), '{}') INTO v_wallet_id, v_coins
    FROM coin_accounts WHERE campaign_id = p_campaign_id AND kind IN ('wallet', 'held') AND balance_coins > 0;
    PERFORM coins_post(p_campaign_id, 'settle', v_wallet_id,
        array_fill(v_ledger.expired_id, ARRAY[cardinality(v_wallet_id)]), v_coins, p_actor_id, NULL, p_effective_at);
    UPDATE coin_ledgers SET closed_at = clock_timestamp() WHERE campaign_id = p_campaign_id;
    RETURN (SELECT coalesce(sum(c), 0) FROM unnest(v_coins) AS c);
END $$;

-- Conservation from the postings alone, and whether the kept balances agree with them. A row a campaign.
CREATE FUNCTION app.coins_verify(p_campaign_id uuid DEFAULT NULL) RETURNS TABLE (
    campaign_id uuid, issued_coins bigint, carried_in_coins bigint, wallet_coins bigint, held_coins bigint,
    staked_coins bigint, expired_coins bigint, carried_out_coins bigint, difference_coins bigint,
    wrong_balances bigint, unbalanced_transfers bigint
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = app, pg_temp AS $$
    WITH account AS (
        SELECT a.campaign_id, a.kind, a.balance_coins, coalesce(sum(p.amount_coins), 0)::bigint AS posted_coins
        FROM coin_accounts AS a
        LEFT JOIN coin_postings AS p ON p.account_id = a.id
        WHERE p_campaign_id IS NULL OR a.campaign_id = p_campaign_id
        GROUP BY a.id
    ), unbalanced AS (
        SELECT t.campaign_id, count(*) AS transfers
        FROM (
            SELECT t.campaign_id FROM coin_transfers AS t
            LEFT JOIN coin_postings AS p ON p.transfer_id = t.id
            WHERE p_campaign_id IS NULL OR t.campaign_id = p_campaign_id
            GROUP BY t.id HAVING count(p.side) <> 2 OR sum(p.amount_coins) <> 0
        ) AS t
        GROUP BY t.campaign_id
    ), total AS (
        SELECT a.campaign_id,
            coalesce(-sum(a.posted_coins) FILTER (WHERE a.kind = 'mint'), 0)::bigint AS issued,
            coalesce(-sum(a.posted_coins) FILTER (WHERE a.kind = 'carried_in'), 0)::bigint AS carried_in,
            coalesce(sum(a.balance_coins) FILTER (WHERE a.kind = 'wallet'), 0)::bigint AS wallet,
            coalesce(sum(a.balance_coins) FILTER (WHERE a.kind = 'held'), 0)::bigint AS held,
            coalesce(sum(a.balance_coins) FILTER (WHERE a.kind = 'stake'), 0)::bigint AS staked,
            coalesce(sum(a.posted_coins) FILTER (WHERE a.kind = 'expired'), 0)::bigint AS expired,
            coalesce(sum(a.posted_coins) FILTER (WHERE a.kind = 'carried_out'), 0)::bigint AS carried_out,
            count(*) FILTER (WHERE a.balance_coins <> a.posted_coins) AS wrong
        FROM account AS a
        GROUP BY a.campaign_id
    )
    SELECT t.campaign_id, t.issued, t.carried_in, t.wallet, t.held, t.staked, t.expired, t.carried_out,
        t.issued + t.carried_in - t.wallet - t.held - t.staked - t.expired - t.carried_out,
        t.wrong, coalesce(u.transfers, 0)
    FROM total AS t LEFT JOIN unbalanced AS u ON u.campaign_id = t.campaign_id
$$;

GRANT EXECUTE ON FUNCTION app.coins_open_ledger(uuid, jsonb, uuid), app.coins_set_policy(uuid, jsonb, uuid),
    app.coins_grant(uuid, uuid[], uuid, timestamptz), app.coins_freeze_wallet(uuid, uuid),
    app.coins_open_targets(uuid, uuid[], uuid[]),
    app.coins_close_targets(uuid, uuid[], text, uuid, text, timestamptz),
    app.coins_close_ledger(uuid, uuid, timestamptz), app.coins_verify(uuid) TO ideamint_app;
