DO $$ BEGIN
    IF EXISTS (
        SELECT FROM app.events
        WHERE kind IN (
            'session_refreshed', 'api_token_created', 'api_token_rotated', 'api_token_revoked', 'service_account_created',
            'service_account_changed', 'service_account_deactivated', 'request_refused', 'personal_data_read'
        )
    ) THEN
        RAISE EXCEPTION 'app.events holds events of tokens and audits that the earlier release does not know; not downgraded';
    END IF;
END $$;
DROP TABLE app.api_tokens;
DROP TABLE app.service_accounts;
ALTER TABLE app.events DROP COLUMN address, DROP COLUMN agent, DROP COLUMN token_id;
