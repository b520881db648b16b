-- Verified addresses, the reader's language and time zone, and mails about accounts with their links.
ALTER TABLE app.users
    -- accounts that the earlier release creates during the upgrade can log in; registrations of this one set null
    ADD COLUMN email_verified_at timestamptz DEFAULT now(),
    ADD COLUMN password_changed_at timestamptz,
    ADD COLUMN language text CONSTRAINT ck_users_language CHECK (language IN ('en', 'pl')),
    ADD COLUMN time_zone text CONSTRAINT ck_users_time_zone_length CHECK (length(time_zone) BETWEEN 1 AND 64),
    ADD COLUMN department text CONSTRAINT ck_users_department_length CHECK (length(department) BETWEEN 1 AND 200);

ALTER TABLE app.sessions
    ADD COLUMN address text,
    ADD COLUMN agent text CONSTRAINT ck_sessions_agent_length CHECK (length(agent) <= 300),
    ADD COLUMN last_used_at timestamptz NOT NULL DEFAULT now();

-- A mail about an account. The worker creates the secret of its link when it sends the mail, and stores a hash of it.
CREATE TABLE app.account_mails (
    id uuid NOT NULL DEFAULT app.uuid7(),
    user_id uuid, -- null: the address of a request had no account, and no mail is sent
    purpose text NOT NULL CONSTRAINT ck_account_mails_purpose CHECK (purpose IN (
        'verify_address', 'registration_repeated', 'reset_password', 'password_changed', 'confirm_new_address',
        'address_changed', 'session_ended_by_reuse', 'account_deactivated'
    )),
    email text CONSTRAINT ck_account_mails_email_length CHECK (length(email) <= 254), -- null: the user's address
    created_at timestamptz NOT NULL DEFAULT now(),
    prepared_at timestamptz,
    sent_at timestamptz,
    secret_hash bytea,
    expires_at timestamptz,
    used_at timestamptz,
    CONSTRAINT pk_account_mails PRIMARY KEY (id),
    CONSTRAINT uq_account_mails_secret_hash UNIQUE (secret_hash),
    CONSTRAINT fk_account_mails_user_id_users FOREIGN KEY (user_id) REFERENCES app.users (id),
    CONSTRAINT ck_account_mails_link CHECK ((secret_hash IS NULL) = (expires_at IS NULL)),
    CONSTRAINT ck_account_mails_used CHECK (used_at IS NULL OR secret_hash IS NOT NULL)
);
CREATE INDEX ix_account_mails_user_id ON app.account_mails (user_id);

GRANT SELECT, INSERT, UPDATE, DELETE ON app.account_mails TO ideamint_app;

ALTER TABLE app.events
    DROP CONSTRAINT ck_events_kind,
    ADD CONSTRAINT ck_events_kind CHECK (kind IN (
        'user_registered', 'registration_repeated', 'user_created', 'user_updated', 'user_deactivated',
        'user_reactivated', 'user_rights_changed', 'user_address_verified', 'user_address_changed',
        'password_reset_requested', 'password_changed', 'user_sessions_ended', 'user_logged_in',
        'user_logged_out', 'log_in_failed',
        'refresh_token_reused', 'campaign_created', 'campaign_activated', 'campaign_dates_changed',
        'campaign_closed', 'campaign_completed', 'campaign_archived', 'election_imported',
        'member_joined', 'member_left', 'member_role_changed', 'member_attributes_changed', 'coin_policy_changed',
        'coins_granted', 'coins_corrected', 'coins_allocated', 'coins_reallocated',
        'coins_taken_back', 'coins_settled', 'idea_submitted', 'idea_edited',
        'idea_approved', 'idea_rejected', 'idea_withdrawn', 'idea_accepted',
        'idea_acceptance_undone', 'idea_started', 'idea_completed', 'idea_stopped',
        'idea_not_selected', 'idea_valued', 'data_command_sent'
    ));
