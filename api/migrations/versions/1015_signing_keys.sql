-- Ed25519 keys that sign access tokens. The private part is encrypted with a key that is not in the database.
CREATE TABLE app.signing_keys (
    kid text NOT NULL,
    public_key bytea NOT NULL CONSTRAINT ck_signing_keys_public_key CHECK (length(public_key) = 32),
    encrypted_private_key bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    signs_from timestamptz NOT NULL,
    accepted_until timestamptz, -- null: in use
    CONSTRAINT pk_signing_keys PRIMARY KEY (kid)
);
GRANT SELECT, INSERT, DELETE, UPDATE (accepted_until) ON app.signing_keys TO ideamint_app;
