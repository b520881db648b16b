DO $$ BEGIN
    IF EXISTS (SELECT FROM app.events WHERE kind IN ('user_invited', 'user_deleted')) THEN
        RAISE EXCEPTION 'app.events holds events of accounts that the earlier release does not know; not downgraded';
    END IF;
END $$;
DO $$ BEGIN
    IF EXISTS (SELECT FROM app.users WHERE deleted_at IS NOT NULL) THEN
        RAISE EXCEPTION 'app.users holds deleted accounts, which the earlier release would show; not downgraded';
    END IF;
END $$;
ALTER TABLE app.users DROP COLUMN deleted_at;
DROP TABLE app.earlier_passwords;
DELETE FROM app.account_mails
WHERE purpose IN ('invited', 'account_deleted');
ALTER TABLE app.account_mails
    DROP CONSTRAINT ck_account_mails_purpose,
    ADD CONSTRAINT ck_account_mails_purpose CHECK (purpose IN (
        'verify_address', 'registration_repeated', 'reset_password', 'password_changed', 'confirm_new_address',
        'address_changed', 'session_ended_by_reuse', 'account_deactivated', 'log_ins_delayed', 'log_in_code',
        'factors_changed', 'factor_reset'
    ));
