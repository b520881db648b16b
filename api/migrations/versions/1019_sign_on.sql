-- Identities at OpenID Connect providers, and the sessions that began there.

-- An identity is the pair of issuer and subject. An address is no identity: a provider can give it to another person.
CREATE TABLE app.identities (
    id uuid NOT NULL DEFAULT app.uuid7(),
    user_id uuid NOT NULL,
    issuer text NOT NULL CONSTRAINT ck_identities_issuer_length CHECK (length(issuer) BETWEEN 1 AND 500),
    subject text NOT NULL CONSTRAINT ck_identities_subject_length CHECK (length(subject) BETWEEN 1 AND 255),
    created_at timestamptz NOT NULL DEFAULT now(),
    last_log_in_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_identities PRIMARY KEY (id),
    CONSTRAINT uq_identities_issuer_subject UNIQUE (issuer, subject),
    CONSTRAINT uq_identities_user_id_issuer UNIQUE (user_id, issuer),
    CONSTRAINT fk_identities_user_id_users FOREIGN KEY (user_id) REFERENCES app.users (id)
);

-- A session that began at a provider, and what the log-out there needs.
CREATE TABLE app.provider_sessions (
    session_id uuid NOT NULL,
    identity_id uuid NOT NULL,
    provider_session text CONSTRAINT ck_provider_sessions_provider_session_length CHECK (
        length(provider_session) BETWEEN 1 AND 255
    ), -- the claim sid
    encrypted_id_token bytea NOT NULL,
    CONSTRAINT pk_provider_sessions PRIMARY KEY (session_id),
    CONSTRAINT fk_provider_sessions_session_id_sessions FOREIGN KEY (session_id)
    REFERENCES app.sessions (id) ON DELETE CASCADE,
    CONSTRAINT fk_provider_sessions_identity_id_identities FOREIGN KEY (identity_id) REFERENCES app.identities (id)
);
CREATE INDEX ix_provider_sessions_identity_id ON app.provider_sessions (identity_id);
CREATE INDEX ix_provider_sessions_provider_session ON app.provider_sessions (provider_session);

-- A code that a program exchanges for tokens once; only its hash is stored.
CREATE TABLE app.sign_on_codes (
    id uuid NOT NULL DEFAULT app.uuid7(),
    code_hash bytea NOT NULL,
    code_challenge text NOT NULL CONSTRAINT ck_sign_on_codes_code_challenge CHECK (length(code_challenge) = 43),
    provider text NOT NULL,
    identity_id uuid NOT NULL,
    provider_session text,
    encrypted_id_token bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT pk_sign_on_codes PRIMARY KEY (id),
    CONSTRAINT uq_sign_on_codes_code_hash UNIQUE (code_hash),
    CONSTRAINT fk_sign_on_codes_identity_id_identities FOREIGN KEY (identity_id) REFERENCES app.identities (id)
);
CREATE INDEX ix_sign_on_codes_identity_id ON app.sign_on_codes (identity_id);

-- Log-out tokens that were received, so that none is accepted twice.
CREATE TABLE app.logout_tokens (
    issuer text NOT NULL,
    token_id text NOT NULL CONSTRAINT ck_logout_tokens_token_id_length CHECK (length(token_id) BETWEEN 1 AND 255),
    expires_at timestamptz NOT NULL,
    CONSTRAINT pk_logout_tokens PRIMARY KEY (issuer, token_id)
);

-- The id of a person in the organisation's personnel system, by which rosters find them.
ALTER TABLE app.users
    ADD COLUMN external_id text CONSTRAINT ck_users_external_id_length CHECK (length(external_id) BETWEEN 1 AND 200);
CREATE UNIQUE INDEX uq_users_external_id ON app.users (external_id);

GRANT SELECT, INSERT, DELETE, UPDATE (last_log_in_at) ON app.identities TO ideamint_app;
GRANT SELECT, INSERT, DELETE ON app.provider_sessions TO ideamint_app;
GRANT SELECT, INSERT, DELETE ON app.sign_on_codes TO ideamint_app;
GRANT SELECT, INSERT, DELETE ON app.logout_tokens TO ideamint_app;
