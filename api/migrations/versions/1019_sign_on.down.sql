DO $$ BEGIN
    IF EXISTS (SELECT FROM app.events WHERE kind IN ('identity_linked', 'identity_unlinked', 'user_logged_out_by_provider')) THEN
        RAISE EXCEPTION 'app.events holds events of sign-on that the earlier release does not know; not downgraded';
    END IF;
END $$;
ALTER TABLE app.users DROP COLUMN external_id;
DROP TABLE app.logout_tokens;
DROP TABLE app.sign_on_codes;
DROP TABLE app.provider_sessions;
DROP TABLE app.identities;
