-- A wallet with the policy's coins for each of these members that has none yet; thaws the wallets of those who have.
-- Returns who was granted coins now. The ledger's lock keeps its end out and lets a bulk grant to others go on.
CREATE OR REPLACE FUNCTION app.coins_grant(
    p_campaign_id uuid, p_user_id uuid[], p_actor_id uuid, p_effective_at timestamptz DEFAULT NULL
) RETURNS uuid[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
DECLARE
    v_ledger coin_ledgers;
    v_coins bigint;
    v_id bigint[];
    v_user_id uuid[];
BEGIN
    SELECT * INTO STRICT v_ledger FROM coin_ledgers WHERE campaign_id = p_campaign_id FOR KEY SHARE;
    IF v_ledger.closed_at IS NOT NULL THEN
        RAISE EXCEPTION 'the ledger of campaign % is closed', p_campaign_id USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    SELECT coins_per_member INTO STRICT v_coins FROM coin_policies
    WHERE campaign_id = p_campaign_id AND version = v_ledger.policy_version;
    -- in the order in which everybody locks wallets
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
    PERFORM coins_post(p_campaign_id, 'grant', array_fill(v_ledger.mint_id, ARRAY[cardinality(v_id)]), v_id,
        array_fill(v_coins, ARRAY[cardinality(v_id)]), p_actor_id, NULL, p_effective_at);
    RETURN v_user_id;
END $$;
