-- The coins that a new member is granted at a time, by the fields of the policy: all of them until allocation opens,
-- and after that, by `late_grant`, all, none, or the part of the window that is left, rounded up.
CREATE OR REPLACE FUNCTION app.coins_grant_amount(
    p_coins integer, p_late_grant text, p_opens_at timestamptz, p_closes_at timestamptz, p_at timestamptz
) RETURNS integer
LANGUAGE sql IMMUTABLE SET search_path = app, pg_temp AS $$
    SELECT CASE
        WHEN p_late_grant = 'full' OR p_at <= p_opens_at THEN p_coins
        WHEN p_late_grant = 'none' OR p_at >= p_closes_at THEN 0
        ELSE ceil(p_coins * extract(EPOCH FROM p_closes_at - p_at) / extract(EPOCH FROM p_closes_at - p_opens_at))
    END::integer
$$;
REVOKE ALL ON FUNCTION app.coins_grant_amount(integer, text, timestamptz, timestamptz, timestamptz) FROM PUBLIC;

-- Opens a wallet with the coins of the policy for each of these members without one, and unfreezes the wallets of the
-- others. Returns the members who were granted coins: none of those who come too late for `late_grant`. The lock on the
-- ledger excludes its closing, but not a bulk grant to other members.
CREATE OR REPLACE FUNCTION app.coins_grant(
    p_campaign_id uuid, p_user_id uuid[], p_actor_id uuid, p_effective_at timestamptz DEFAULT NULL
) RETURNS uuid[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
DECLARE
    v_mint_id bigint;
    v_policy_version integer;
    v_closed_at timestamptz;
    v_coins bigint;
    v_id bigint[];
    v_user_id uuid[];
BEGIN
    SELECT mint_id, policy_version, closed_at INTO STRICT v_mint_id, v_policy_version, v_closed_at
    FROM coin_ledgers WHERE campaign_id = p_campaign_id FOR KEY SHARE;
    IF v_closed_at IS NOT NULL THEN
        RAISE EXCEPTION 'the ledger of campaign % is closed', p_campaign_id
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    -- the members of the first grant have joined before the campaign began, and are not late
    SELECT CASE
        WHEN EXISTS (SELECT FROM coin_accounts WHERE campaign_id = p_campaign_id AND kind = 'wallet')
            THEN coins_grant_amount(coins_per_member, late_grant, allocation_opens_at, allocate_until,
                coalesce(p_effective_at, clock_timestamp()))
        ELSE coins_per_member END
    INTO STRICT v_coins FROM coin_policies
    WHERE campaign_id = p_campaign_id AND version = v_policy_version;
    -- in the order in which all functions lock wallets
    PERFORM 1 FROM coin_accounts
    WHERE campaign_id = p_campaign_id AND user_id = ANY (p_user_id) AND kind = 'wallet' AND frozen_at IS NOT NULL
    ORDER BY id FOR UPDATE;
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
    IF v_coins = 0 THEN
        RETURN '{}'::uuid[];
    END IF;
    PERFORM coins_post(p_campaign_id, 'grant', array_fill(v_mint_id, ARRAY[cardinality(v_id)]), v_id,
        array_fill(v_coins, ARRAY[cardinality(v_id)]), p_actor_id, NULL, p_effective_at);
    RETURN v_user_id;
END $$;
REVOKE ALL ON FUNCTION app.coins_grant(uuid, uuid[], uuid, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.coins_grant(uuid, uuid[], uuid, timestamptz) TO ideamint_app;

-- Freezes the wallets of these members, in the order in which all functions lock wallets.
CREATE OR REPLACE FUNCTION app.coins_freeze_wallets(p_campaign_id uuid, p_user_id uuid[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
BEGIN
    PERFORM 1 FROM coin_accounts
    WHERE campaign_id = p_campaign_id AND user_id = ANY (p_user_id) AND kind = 'wallet' AND frozen_at IS NULL
    ORDER BY id FOR UPDATE;
    UPDATE coin_accounts SET frozen_at = clock_timestamp()
    WHERE campaign_id = p_campaign_id AND user_id = ANY (p_user_id) AND kind = 'wallet' AND frozen_at IS NULL;
END $$;
REVOKE ALL ON FUNCTION app.coins_freeze_wallets(uuid, uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.coins_freeze_wallets(uuid, uuid[]) TO ideamint_app;

-- Called by the release before 1033.
CREATE OR REPLACE FUNCTION app.coins_freeze_wallet(p_campaign_id uuid, p_user_id uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = app, pg_temp AS $$
    UPDATE coin_accounts SET frozen_at = clock_timestamp()
    WHERE campaign_id = p_campaign_id AND user_id = p_user_id AND kind = 'wallet' AND frozen_at IS NULL
$$;
REVOKE ALL ON FUNCTION app.coins_freeze_wallet(uuid, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.coins_freeze_wallet(uuid, uuid) TO ideamint_app;

-- Returns the stakes of a member on open ideas, or on one of them, to the wallet, whatever the policy and its window
-- allow the member, as movements by the actor. Waits for running movements of the member. The wallet is locked before
-- the stakes, which have later ids. The caller holds a lock under which the ideas are not closed or reopened. Returns
-- the coins.
CREATE OR REPLACE FUNCTION app.coins_return_stakes(
    p_campaign_id uuid, p_user_id uuid, p_actor_id uuid, p_effective_at timestamptz DEFAULT NULL,
    p_request_id text DEFAULT NULL, p_idea_id uuid DEFAULT NULL
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
DECLARE
    v_wallet_id bigint;
    v_stake record;
    v_coins bigint := 0;
BEGIN
    SELECT id INTO v_wallet_id FROM coin_accounts
    WHERE campaign_id = p_campaign_id AND user_id = p_user_id AND kind = 'wallet' FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    FOR v_stake IN
        SELECT a.id, a.idea_id, a.balance_coins FROM coin_accounts AS a
        JOIN coin_targets AS t ON t.idea_id = a.idea_id AND t.campaign_id = p_campaign_id AND t.is_open
        WHERE a.user_id = p_user_id AND a.campaign_id = p_campaign_id AND a.kind = 'stake' AND a.balance_coins > 0
            AND (p_idea_id IS NULL OR a.idea_id = p_idea_id)
        ORDER BY a.id
    LOOP
        PERFORM coins_post(p_campaign_id, 'take_back', ARRAY[v_stake.id], ARRAY[v_wallet_id],
            ARRAY[v_stake.balance_coins], p_actor_id, NULL, p_effective_at);
        INSERT INTO events (occurred_at, kind, campaign_id, actor_id, user_id, idea_id, request_id, data)
        SELECT p.effective_at, 'coins_taken_back', p_campaign_id, p_actor_id, p_user_id, v_stake.idea_id, p_request_id,
            jsonb_build_object('transfer_id', p.transfer_id, 'coins', v_stake.balance_coins,
                'from_idea_id', v_stake.idea_id, 'to_idea_id', NULL)
        FROM coin_accounts AS a
        JOIN coin_postings AS p ON p.account_id = a.id AND p.account_version = a.version
        WHERE a.id = v_stake.id;
        v_coins := v_coins + v_stake.balance_coins;
    END LOOP;
    RETURN v_coins;
END $$;
REVOKE ALL ON FUNCTION app.coins_return_stakes(uuid, uuid, uuid, timestamptz, text, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.coins_return_stakes(uuid, uuid, uuid, timestamptz, text, uuid) TO ideamint_app;
