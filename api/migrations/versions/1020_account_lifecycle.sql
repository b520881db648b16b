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
    ));
