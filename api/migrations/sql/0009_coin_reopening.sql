-- Opens an accepted idea again: what expired is put back by transfers that name what they reverse. Put back is all that was
-- there when it was closed, or nothing: an idea whose coins went back to the wallets, or are on their way, stays closed.
CREATE OR REPLACE FUNCTION app.coins_reopen_target(p_campaign_id uuid, p_idea_id uuid, p_actor_id uuid, p_reason text)
RETURNS TABLE (coins bigint, backers integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_expired_id bigint;
    v_stake_id bigint[];
    v_coins bigint[];
    v_reverses_id uuid[];
    v_restored_coins bigint;
    v_settled_coins bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(uuid_hash_extended(p_idea_id, 0));
    SELECT l.expired_id INTO STRICT v_expired_id FROM coin_ledgers AS l
    WHERE l.campaign_id = p_campaign_id AND l.closed_at IS NULL FOR SHARE;
    -- an idea may have been accepted and undone before: the expiry that closed it last is each stake's last posting
    SELECT coalesce(array_agg(a.id), '{}'), coalesce(array_agg(-p.amount_coins), '{}'), coalesce(array_agg(t.id), '{}')
    INTO v_stake_id, v_coins, v_reverses_id
    FROM coin_accounts AS a
    JOIN coin_postings AS p ON p.account_id = a.id AND p.account_version = a.version AND p.side = -1
    JOIN coin_transfers AS t ON t.id = p.transfer_id AND t.kind = 'expire'
    WHERE a.idea_id = p_idea_id AND a.kind = 'stake' AND a.campaign_id = p_campaign_id;
    SELECT coalesce(sum(u.c), 0) INTO v_restored_coins FROM unnest(v_coins) AS u (c);
    SELECT t.settled_coins INTO v_settled_coins FROM coin_targets AS t
    WHERE t.idea_id = p_idea_id AND t.campaign_id = p_campaign_id AND NOT t.is_open;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'idea % is not closed', p_idea_id USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF v_restored_coins <> v_settled_coins THEN
        RAISE EXCEPTION 'idea % had % coins when it was closed, and % of them expired: there is no acceptance to undo',
            p_idea_id, v_settled_coins, v_restored_coins USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    PERFORM coins_post(p_campaign_id, 'reverse', array_fill(v_expired_id, ARRAY[cardinality(v_stake_id)]), v_stake_id,
        v_coins, p_actor_id, p_reason, NULL, v_reverses_id);
    UPDATE coin_targets AS t
    SET is_open = true, closed_at = NULL, settled_coins = NULL, settled_backers = NULL, settled_at = NULL
    WHERE t.idea_id = p_idea_id AND t.campaign_id = p_campaign_id;
    RETURN QUERY SELECT v_restored_coins, cardinality(v_coins);
END $$;
