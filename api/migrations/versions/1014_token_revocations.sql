-- Ended sessions and raised token versions. Every API process keeps them in memory for the lifetime of an access token.
-- Rows are added by triggers only, so that no way to end a session can leave one out.
CREATE TABLE app.token_revocations (
    id uuid NOT NULL DEFAULT app.uuid7(),
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    user_id uuid NOT NULL,
    session_id uuid, -- the tokens of this session
    token_version integer, -- or all tokens of the user with a lower version
    revoked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_token_revocations PRIMARY KEY (id),
    CONSTRAINT ck_token_revocations_one CHECK (num_nonnulls(session_id, token_version) = 1)
);
CREATE INDEX ix_token_revocations_xid ON app.token_revocations (xid);

GRANT SELECT, DELETE ON app.token_revocations TO ideamint_app;
