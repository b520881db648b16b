-- The default is what an API of the earlier release means: there every log-in by a provider has a second factor.
ALTER TABLE app.sign_on_codes ADD COLUMN has_second_factor boolean NOT NULL DEFAULT TRUE;

ALTER TABLE app.account_mails
    DROP CONSTRAINT ck_account_mails_purpose,
    ADD CONSTRAINT ck_account_mails_purpose CHECK (purpose IN (
        'verify_address', 'registration_repeated', 'reset_password', 'password_changed', 'confirm_new_address',
        'address_changed', 'session_ended_by_reuse', 'account_deactivated', 'log_ins_delayed', 'log_in_code',
        'factors_changed', 'factor_reset', 'invited', 'account_deleted', 'identity_linked'
    ));
