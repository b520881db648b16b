-- The end of API tokens. It is recorded like that of sessions, in app.token_revocations, with the id of the token as
-- that of the session: every process then refuses the token within a second.

CREATE OR REPLACE FUNCTION app.auth_record_api_token_end() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app AS $$
BEGIN
    INSERT INTO token_revocations (user_id, session_id) VALUES (coalesce(OLD.user_id, OLD.service_account_id), OLD.id);
    RETURN NULL;
END $$;

-- Ends the tokens of a user or a service account that is deactivated, whatever statement does it.
CREATE OR REPLACE FUNCTION app.auth_revoke_api_tokens() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app AS $$
BEGIN
    UPDATE api_tokens SET revoked_at = clock_timestamp(), revoked_by = NEW.updated_by
    WHERE (user_id = NEW.id OR service_account_id = NEW.id) AND revoked_at IS NULL;
    RETURN NULL;
END $$;
