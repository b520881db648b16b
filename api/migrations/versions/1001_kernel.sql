REVOKE ALL ON SCHEMA app FROM PUBLIC;
GRANT USAGE ON SCHEMA app TO ideamint_app, ideamint_dbt;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

-- The default of every id. PostgreSQL 18 has uuidv7(); for 16 and 17 it is computed with the same layout (RFC 9562,
-- 5.7). A SQL-standard body instead of a fixed search_path: its names are resolved now, and the planner can inline it.
DO $do$
BEGIN
    IF current_setting('server_version_num')::integer >= 180000 THEN
        CREATE FUNCTION app.uuid7() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE
        RETURN uuidv7();
    ELSE
        CREATE FUNCTION app.uuid7() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE
        RETURN encode(
            set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
                PLACING substring(int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
                FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid;
    END IF;
END $do$;
REVOKE ALL ON FUNCTION app.uuid7() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.uuid7() TO ideamint_app;

-- Hashes of the routine files and of the triggers that were applied to this database (api/migrations/routines.py).
CREATE TABLE app.schema_routines (
    name text NOT NULL,
    hash text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_schema_routines PRIMARY KEY (name)
);
GRANT SELECT ON app.schema_routines TO ideamint_app;

-- Responses kept for Idempotency-Key.
CREATE TABLE app.idempotent_responses (
    user_id uuid NOT NULL,
    route text NOT NULL,
    key text NOT NULL CONSTRAINT ck_idempotent_responses_key_length CHECK (length(key) BETWEEN 1 AND 255),
    request_hash bytea NOT NULL,
    status_code smallint NOT NULL,
    headers jsonb NOT NULL,
    body bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_idempotent_responses PRIMARY KEY (user_id, route, key)
);
CREATE INDEX ix_idempotent_responses_created_at ON app.idempotent_responses (created_at);
GRANT SELECT, INSERT, DELETE ON app.idempotent_responses TO ideamint_app;
