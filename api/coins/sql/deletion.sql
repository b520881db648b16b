-- What belongs to a ledger can be deleted only before its first transfer. Granted to no role.
CREATE OR REPLACE FUNCTION app.coins_refuse_deletion() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM coin_transfers AS t WHERE t.campaign_id = OLD.campaign_id) THEN
        RAISE EXCEPTION '% is append-only: the ledger of campaign % has transfers', TG_TABLE_NAME, OLD.campaign_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END $$;
REVOKE ALL ON FUNCTION app.coins_refuse_deletion() FROM PUBLIC;

-- Deletes the ledger of a draft, with its policies. False, if it has wallets or transfers: then nothing is deleted.
CREATE OR REPLACE FUNCTION app.coins_delete_ledger(p_campaign_id uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
BEGIN
    PERFORM l.campaign_id FROM coin_ledgers AS l WHERE l.campaign_id = p_campaign_id FOR UPDATE;
    IF EXISTS (
        SELECT FROM coin_accounts AS a
        WHERE a.campaign_id = p_campaign_id AND a.kind NOT IN ('mint', 'carried_in', 'expired', 'carried_out')
    ) OR EXISTS (SELECT FROM coin_transfers AS t WHERE t.campaign_id = p_campaign_id) THEN
        RETURN false;
    END IF;
    DELETE FROM coin_ledgers WHERE campaign_id = p_campaign_id;
    DELETE FROM coin_policies WHERE campaign_id = p_campaign_id;
    DELETE FROM coin_accounts WHERE campaign_id = p_campaign_id;
    RETURN true;
END $$;
REVOKE ALL ON FUNCTION app.coins_delete_ledger(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.coins_delete_ledger(uuid) TO ideamint_app;
