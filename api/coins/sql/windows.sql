-- Sets the window of the campaign, both moments included; null is no limit. Members can move coins in the intersection
-- of this window and that of the policy.
CREATE OR REPLACE FUNCTION app.coins_set_window(
    p_campaign_id uuid, p_opens_at timestamptz, p_closes_at timestamptz
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
BEGIN
    UPDATE coin_ledgers AS l SET opens_at = p_opens_at, closes_at = p_closes_at
    WHERE l.campaign_id = p_campaign_id AND l.closed_at IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the ledger of campaign % is not open', p_campaign_id
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
END $$;
REVOKE ALL ON FUNCTION app.coins_set_window(uuid, timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.coins_set_window(uuid, timestamptz, timestamptz) TO ideamint_app;

-- Sets since when the campaign is paused; null if it is not. Members cannot move coins while it is.
CREATE OR REPLACE FUNCTION app.coins_set_pause(p_campaign_id uuid, p_paused_at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
BEGIN
    UPDATE coin_ledgers AS l SET paused_at = p_paused_at
    WHERE l.campaign_id = p_campaign_id AND l.closed_at IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the ledger of campaign % is not open', p_campaign_id
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
END $$;
REVOKE ALL ON FUNCTION app.coins_set_pause(uuid, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.coins_set_pause(uuid, timestamptz) TO ideamint_app;
