-- Revocations are recorded by triggers, whatever statement ends a session or changes the rights of a user.

CREATE OR REPLACE FUNCTION app.auth_raise_token_version() RETURNS trigger
LANGUAGE plpgsql SET search_path = app AS $$
BEGIN
    -- access tokens contain roles and permissions: tokens with the old ones become invalid
    IF NEW.token_version = OLD.token_version THEN
        NEW.token_version := OLD.token_version + 1;
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION app.auth_record_token_version() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app AS $$
BEGIN
    INSERT INTO token_revocations (user_id, token_version) VALUES (NEW.id, NEW.token_version);
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION app.auth_record_session_end() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app AS $$
BEGIN
    INSERT INTO token_revocations (user_id, session_id) VALUES (OLD.user_id, OLD.id);
    RETURN NULL;
END $$;
