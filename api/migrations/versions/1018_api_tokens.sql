-- API tokens of users and of service accounts. A service account is no row of app.users, so by their foreign keys it
-- can be neither a member of a campaign nor the author of an idea.
CREATE TABLE app.service_accounts (
    id uuid NOT NULL DEFAULT app.uuid7(),
    name text NOT NULL CONSTRAINT ck_service_accounts_name_length CHECK (length(name) BETWEEN 1 AND 100),
    scopes text[] NOT NULL CONSTRAINT ck_service_accounts_scopes CHECK (
        cardinality(scopes) > 0 AND scopes <@ ARRAY[
            'manage_users', 'view_audit', 'view_campaign', 'manage_campaign', 'manage_members',
            'manage_coin_policy', 'grant_coins',
            'view_coin_figures', 'view_coin_audit', 'view_stakes', 'view_report', 'view_all_ideas', 'manage_ideas'
        ]
    ),
    owner_id uuid NOT NULL, -- the person who answers for it
    is_active boolean NOT NULL DEFAULT true,
    token_version integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by uuid,
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by uuid,
    CONSTRAINT pk_service_accounts PRIMARY KEY (id),
    CONSTRAINT fk_service_accounts_owner_id_users FOREIGN KEY (owner_id) REFERENCES app.users (id)
);
CREATE UNIQUE INDEX uq_service_accounts_name_lower ON app.service_accounts (lower(name));
CREATE INDEX ix_service_accounts_owner_id ON app.service_accounts (owner_id);

-- Only the SHA-256 of a token is stored. Its owner, scopes and hash never change: the application has no right to.
CREATE TABLE app.api_tokens (
    id uuid NOT NULL DEFAULT app.uuid7(),
    user_id uuid,
    service_account_id uuid,
    name text NOT NULL CONSTRAINT ck_api_tokens_name_length CHECK (length(name) BETWEEN 1 AND 100),
    prefix text NOT NULL CONSTRAINT ck_api_tokens_prefix CHECK (prefix ~ '^imt_[0-9A-Za-z]{8}$'),
    token_hash bytea NOT NULL CONSTRAINT ck_api_tokens_token_hash CHECK (length(token_hash) = 32),
    scopes text[] NOT NULL CONSTRAINT ck_api_tokens_scopes CHECK (
        cardinality(scopes) > 0 AND scopes <@ ARRAY[
            'own:read', 'manage_users', 'view_audit', 'create_campaign', 'view_campaign', 'join_campaign',
            'leave_campaign', 'manage_campaign', 'manage_members', 'manage_coin_policy', 'coins:stake', 'grant_coins',
            'view_coin_figures', 'view_coin_audit', 'view_stakes', 'view_report', 'submit_idea', 'view_all_ideas',
            'edit_idea', 'withdraw_idea', 'manage_ideas'
        ]
    ),
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by uuid,
    expires_at timestamptz NOT NULL,
    last_used_at timestamptz,
    revoked_at timestamptz,
    revoked_by uuid,
    CONSTRAINT pk_api_tokens PRIMARY KEY (id),
    CONSTRAINT uq_api_tokens_token_hash UNIQUE (token_hash),
    CONSTRAINT fk_api_tokens_user_id_users FOREIGN KEY (user_id) REFERENCES app.users (id),
    CONSTRAINT fk_api_tokens_service_account_id_service_accounts
        FOREIGN KEY (service_account_id) REFERENCES app.service_accounts (id),
    CONSTRAINT ck_api_tokens_one_owner CHECK (num_nonnulls(user_id, service_account_id) = 1),
    -- what belongs to a person
    CONSTRAINT ck_api_tokens_service_scopes CHECK (
        service_account_id IS NULL OR NOT scopes && ARRAY[
            'own:read', 'create_campaign', 'join_campaign', 'leave_campaign', 'coins:stake', 'submit_idea',
            'edit_idea', 'withdraw_idea'
        ]
    ),
    CONSTRAINT ck_api_tokens_expires_at CHECK (expires_at <= created_at + interval '366 days')
);
CREATE INDEX ix_api_tokens_user_id ON app.api_tokens (user_id);
CREATE INDEX ix_api_tokens_service_account_id ON app.api_tokens (service_account_id);

GRANT SELECT, INSERT, UPDATE ON app.service_accounts TO ideamint_app;
GRANT SELECT, INSERT, DELETE, UPDATE (expires_at, last_used_at, revoked_at, revoked_by)
    ON app.api_tokens TO ideamint_app;

-- Where a request came from, and the API token that it used. Null for work without a request, and for movements of
-- coins, which are written in batches.
ALTER TABLE app.events
    ADD COLUMN address text,
    ADD COLUMN agent text CONSTRAINT ck_events_agent_length CHECK (length(agent) <= 300),
    ADD COLUMN token_id uuid;
-- The audit lists events by id, newest first. Movements of coins are not in it, and have no entries in its indexes.
CREATE INDEX ix_events_audit ON app.events (id)
WHERE kind NOT IN ('coins_allocated', 'coins_reallocated', 'coins_taken_back');
CREATE INDEX ix_events_actor_id ON app.events (actor_id, id)
WHERE kind NOT IN ('coins_allocated', 'coins_reallocated', 'coins_taken_back');
CREATE INDEX ix_events_user_id ON app.events (user_id, id)
WHERE kind NOT IN ('coins_allocated', 'coins_reallocated', 'coins_taken_back');
CREATE INDEX ix_events_audit_campaign_id ON app.events (campaign_id, id)
WHERE kind NOT IN ('coins_allocated', 'coins_reallocated', 'coins_taken_back');
CREATE INDEX ix_events_idea_id ON app.events (idea_id, id)
WHERE kind NOT IN ('coins_allocated', 'coins_reallocated', 'coins_taken_back') AND idea_id IS NOT NULL;
CREATE INDEX ix_events_kind ON app.events (kind, id)
WHERE kind NOT IN ('coins_allocated', 'coins_reallocated', 'coins_taken_back');
CREATE INDEX ix_events_address ON app.events (address, id)
WHERE kind NOT IN ('coins_allocated', 'coins_reallocated', 'coins_taken_back') AND address IS NOT NULL;
CREATE INDEX ix_events_token_id ON app.events (token_id, id)
WHERE kind NOT IN ('coins_allocated', 'coins_reallocated', 'coins_taken_back') AND token_id IS NOT NULL;

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
        'service_account_deactivated', 'request_refused', 'personal_data_read', 'campaign_created',
        'campaign_activated', 'campaign_dates_changed', 'campaign_closed', 'campaign_completed',
        'campaign_archived', 'election_imported', 'member_joined', 'member_left', 'member_role_changed',
        'member_attributes_changed', 'coin_policy_changed', 'coins_granted', 'coins_corrected',
        'coins_allocated', 'coins_reallocated', 'coins_taken_back', 'coins_settled', 'idea_submitted',
        'idea_edited', 'idea_approved', 'idea_rejected', 'idea_withdrawn', 'idea_accepted',
        'idea_acceptance_undone', 'idea_started', 'idea_completed', 'idea_stopped', 'idea_not_selected',
        'idea_valued', 'data_command_sent'
    ));
