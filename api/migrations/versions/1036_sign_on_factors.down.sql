-- A code is valid for a minute; those whose log-in has no second factor would gain one.
DELETE FROM app.sign_on_codes
WHERE NOT has_second_factor;
ALTER TABLE app.sign_on_codes DROP COLUMN has_second_factor;
DELETE FROM app.account_mails
WHERE purpose = 'identity_linked';
ALTER TABLE app.account_mails
    DROP CONSTRAINT ck_account_mails_purpose,
    ADD CONSTRAINT ck_account_mails_purpose CHECK (purpose IN (
        'verify_address', 'registration_repeated', 'reset_password', 'password_changed', 'confirm_new_address',
        'address_changed', 'session_ended_by_reuse', 'account_deactivated', 'log_ins_delayed', 'log_in_code',
        'factors_changed', 'factor_reset', 'invited', 'account_deleted'
    ));
