-- Failed log-ins, counted by a hash of the account, the network, both, or the account's device.
CREATE TABLE app.log_in_counts (
    key bytea NOT NULL,
    failures integer NOT NULL,
    failed_at timestamptz,
    succeeded_at timestamptz, -- of a pair of account and network: when a log-in from there succeeded
    CONSTRAINT pk_log_in_counts PRIMARY KEY (key),
    CONSTRAINT ck_log_in_counts_key CHECK (octet_length(key) = 16),
    CONSTRAINT ck_log_in_counts_failures CHECK (failures >= 0 AND (failures = 0 OR failed_at IS NOT NULL))
);

ALTER TABLE app.sessions
    ADD COLUMN authenticated_at timestamptz NOT NULL DEFAULT now(), -- when its user last proved who they are
    ADD COLUMN second_factor_at timestamptz; -- when they last used a second factor, or a passkey
UPDATE app.sessions SET authenticated_at = created_at;

-- The secret that an authenticator app shares with this installation.
CREATE TABLE app.authenticator_apps (
    user_id uuid NOT NULL,
    encrypted_secret bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    confirmed_at timestamptz, -- null: no code was entered yet, and none is asked for
    last_step bigint NOT NULL DEFAULT 0, -- the time step of the last code, which is not accepted again
    CONSTRAINT pk_authenticator_apps PRIMARY KEY (user_id),
    CONSTRAINT fk_authenticator_apps_user_id_users FOREIGN KEY (user_id) REFERENCES app.users (id)
);

CREATE TABLE app.recovery_codes (
    id uuid NOT NULL DEFAULT app.uuid7(),
    user_id uuid NOT NULL,
    code_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz,
    CONSTRAINT pk_recovery_codes PRIMARY KEY (id),
    CONSTRAINT uq_recovery_codes_user_id UNIQUE (user_id, code_hash),
    CONSTRAINT fk_recovery_codes_user_id_users FOREIGN KEY (user_id) REFERENCES app.users (id)
);

CREATE TABLE app.passkeys (
    id uuid NOT NULL DEFAULT app.uuid7(),
    user_id uuid NOT NULL,
    credential_id bytea NOT NULL,
    public_key bytea NOT NULL,
    sign_count bigint NOT NULL,
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    CONSTRAINT pk_passkeys PRIMARY KEY (id),
    CONSTRAINT uq_passkeys_credential_id UNIQUE (credential_id),
    CONSTRAINT fk_passkeys_user_id_users FOREIGN KEY (user_id) REFERENCES app.users (id),
    CONSTRAINT ck_passkeys_name_length CHECK (length(name) BETWEEN 1 AND 100),
    CONSTRAINT ck_passkeys_credential_id_length CHECK (octet_length(credential_id) BETWEEN 1 AND 1023)
);
CREATE INDEX ix_passkeys_user_id ON app.passkeys (user_id);

-- A log-in that waits for its second step, or the challenge that a passkey signs.
CREATE TABLE app.log_in_challenges (
    id uuid NOT NULL DEFAULT app.uuid7(),
    secret_hash bytea NOT NULL,
    purpose text NOT NULL,
    user_id uuid, -- null: the passkey names its user
    password_changed_at timestamptz, -- the user's, when the password was checked
    webauthn_challenge bytea NOT NULL,
    mail_code_hash bytea,
    failures integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    CONSTRAINT pk_log_in_challenges PRIMARY KEY (id),
    CONSTRAINT uq_log_in_challenges_secret_hash UNIQUE (secret_hash),
    CONSTRAINT fk_log_in_challenges_user_id_users FOREIGN KEY (user_id) REFERENCES app.users (id),
    CONSTRAINT ck_log_in_challenges_purpose CHECK (purpose IN (
        'second_step', 'mailed_code', 'passkey_log_in', 'passkey_registration'
    )),
    CONSTRAINT ck_log_in_challenges_user CHECK ((user_id IS NULL) = (purpose = 'passkey_log_in')),
    CONSTRAINT ck_log_in_challenges_failures CHECK (failures BETWEEN 0 AND 5),
    CONSTRAINT ck_log_in_challenges_mail_code CHECK (mail_code_hash IS NULL OR purpose = 'mailed_code')
);
CREATE INDEX ix_log_in_challenges_user_id ON app.log_in_challenges (user_id);
CREATE INDEX ix_log_in_challenges_expires_at ON app.log_in_challenges (expires_at);

ALTER TABLE app.account_mails
    ADD COLUMN challenge_id uuid, -- of a mail with a code: the log-in that waits for it
    DROP CONSTRAINT ck_account_mails_purpose,
    ADD CONSTRAINT ck_account_mails_purpose CHECK (purpose IN (
        'verify_address', 'registration_repeated', 'reset_password', 'password_changed', 'confirm_new_address',
        'address_changed', 'session_ended_by_reuse', 'account_deactivated', 'log_ins_delayed', 'log_in_code',
        'factors_changed', 'factor_reset'
    )),
    ADD CONSTRAINT ck_account_mails_challenge CHECK ((challenge_id IS NOT NULL) = (purpose = 'log_in_code')),
    ADD CONSTRAINT fk_account_mails_challenge_id_log_in_challenges
    FOREIGN KEY (challenge_id) REFERENCES app.log_in_challenges (id) ON DELETE CASCADE;
CREATE INDEX ix_account_mails_challenge_id ON app.account_mails (challenge_id) WHERE challenge_id IS NOT NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON app.log_in_counts, app.authenticator_apps, app.recovery_codes, app.passkeys,
app.log_in_challenges TO ideamint_app;

-- The kinds of events of this version and of the three that follow it, so that the table is locked once. They include
-- all kinds of before, so present rows need no check: 1022 validates the constraint, and nothing waits for it.
ALTER TABLE app.events
    DROP CONSTRAINT ck_events_kind,
    ADD CONSTRAINT ck_events_kind CHECK (kind IN (
        'user_registered', 'registration_repeated', 'user_created', 'user_updated', 'user_deactivated',
        'user_reactivated', 'user_rights_changed', 'user_address_verified', 'user_address_changed',
        'password_reset_requested', 'password_changed', 'user_sessions_ended', 'user_logged_in',
        'user_logged_out', 'log_in_failed', 'refresh_token_reused', 'second_factor_added',
        'second_factor_removed', 'second_factors_reset', 'second_factor_failed', 'recovery_codes_created',
        'recovery_code_used', 'user_confirmed', 'session_refreshed', 'api_token_created', 'api_token_rotated',
        'api_token_revoked', 'service_account_created', 'service_account_changed',
        'service_account_deactivated', 'request_refused', 'personal_data_read', 'identity_linked',
        'identity_unlinked', 'user_logged_out_by_provider', 'user_invited', 'user_deleted', 'campaign_created',
        'campaign_activated', 'campaign_dates_changed', 'campaign_closed', 'campaign_completed',
        'campaign_archived', 'election_imported', 'member_joined', 'member_left', 'member_role_changed',
        'member_attributes_changed', 'coin_policy_changed', 'coins_granted', 'coins_corrected',
        'coins_allocated', 'coins_reallocated', 'coins_taken_back', 'coins_settled', 'idea_submitted',
        'idea_edited', 'idea_approved', 'idea_rejected', 'idea_withdrawn', 'idea_accepted',
        'idea_acceptance_undone', 'idea_started', 'idea_completed', 'idea_stopped', 'idea_not_selected',
        'idea_valued', 'data_command_sent'
    )) NOT VALID;
