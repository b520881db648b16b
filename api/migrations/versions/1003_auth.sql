-- A user without an address, such as an imported voter, owns coins but cannot log in.
CREATE TABLE app.users (
    id uuid NOT NULL DEFAULT app.uuid7(),
    email text CONSTRAINT ck_users_email_length CHECK (length(email) <= 254),
    display_name text NOT NULL CONSTRAINT ck_users_display_name_length CHECK (length(display_name) BETWEEN 1 AND 200),
    password_hash text,
    roles text[] NOT NULL DEFAULT '{}'
        CONSTRAINT ck_users_roles CHECK (roles <@ ARRAY['system_admin', 'executive']),
    permissions text[] NOT NULL DEFAULT '{}'
        CONSTRAINT ck_users_permissions CHECK (permissions <@ ARRAY['create_campaign']),
    is_active boolean NOT NULL DEFAULT true,
    is_imported boolean NOT NULL DEFAULT false,
    token_version integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by uuid,
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by uuid,
    CONSTRAINT pk_users PRIMARY KEY (id),
    CONSTRAINT ck_users_log_in_needs_email CHECK (password_hash IS NULL OR email IS NOT NULL),
    CONSTRAINT ck_users_imported_cannot_log_in CHECK (NOT is_imported OR (email IS NULL AND password_hash IS NULL))
);
CREATE UNIQUE INDEX uq_users_email_lower ON app.users (lower(email));

CREATE TABLE app.sessions (
    id uuid NOT NULL DEFAULT app.uuid7(),
    user_id uuid NOT NULL,
    kind text NOT NULL CONSTRAINT ck_sessions_kind CHECK (kind IN ('token', 'browser')),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    CONSTRAINT pk_sessions PRIMARY KEY (id),
    CONSTRAINT fk_sessions_user_id_users FOREIGN KEY (user_id) REFERENCES app.users (id)
);
CREATE INDEX ix_sessions_user_id ON app.sessions (user_id);

CREATE TABLE app.session_tokens (
    id uuid NOT NULL DEFAULT app.uuid7(),
    session_id uuid NOT NULL,
    token_hash bytea NOT NULL,
    issued_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    CONSTRAINT pk_session_tokens PRIMARY KEY (id),
    CONSTRAINT uq_session_tokens_token_hash UNIQUE (token_hash),
    CONSTRAINT fk_session_tokens_session_id_sessions
        FOREIGN KEY (session_id) REFERENCES app.sessions (id) ON DELETE CASCADE
);
CREATE INDEX ix_session_tokens_session_id ON app.session_tokens (session_id);

GRANT SELECT, INSERT, UPDATE ON app.users TO ideamint_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON app.sessions, app.session_tokens TO ideamint_app;
GRANT SELECT (id, is_active, is_imported, created_at) ON app.users TO ideamint_dbt;
