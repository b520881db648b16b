-- Invitations, accounts that their owner or an administrator has deleted, and earlier passwords.
ALTER TABLE app.users
    ADD COLUMN deleted_at timestamptz,
    ADD CONSTRAINT ck_users_deleted CHECK (deleted_at IS NULL OR NOT is_active);

-- Hashes of the passwords that a user had before, the newest ones only: a new password must be another one.
CREATE TABLE app.earlier_passwords (
    id uuid NOT NULL DEFAULT app.uuid7(),
    user_id uuid NOT NULL,
    password_hash text NOT NULL,
    replaced_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_earlier_passwords PRIMARY KEY (id),
    CONSTRAINT fk_earlier_passwords_user_id_users FOREIGN KEY (user_id) REFERENCES app.users (id)
);
CREATE INDEX ix_earlier_passwords_user_id ON app.earlier_passwords (user_id);

GRANT SELECT, INSERT, DELETE ON app.earlier_passwords TO ideamint_app;

ALTER TABLE app.account_mails
    DROP CONSTRAINT ck_account_mails_purpose,
    ADD CONSTRAINT ck_account_mails_purpose CHECK (purpose IN (
        'verify_address', 'registration_repeated', 'reset_password', 'password_changed', 'confirm_new_address',
        'address_changed', 'session_ended_by_reuse', 'account_deactivated', 'log_ins_delayed', 'log_in_code',
        'factors_changed', 'factor_reset', 'invited', 'account_deleted'
    ));
