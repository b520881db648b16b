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
    ADD COLUMN agent text,
    ADD COLUMN token_id uuid,
    ADD CONSTRAINT ck_events_agent_length CHECK (length(agent) <= 300) NOT VALID; -- 1022 validates it
