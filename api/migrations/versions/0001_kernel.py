"""The schema, UUIDv7 on every supported server, and replies kept for Idempotency-Key.

Revision ID: 0001
"""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """PostgreSQL 18 has uuidv7(); 16 and 17 get the same layout (RFC 9562, 5.7) from SQL."""
    op.execute("CREATE SCHEMA IF NOT EXISTS app")
    op.execute("REVOKE ALL ON SCHEMA app FROM PUBLIC")
    op.execute("GRANT USAGE ON SCHEMA app TO ideamint_app, ideamint_dbt")
    op.execute("ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC")
    op.execute(
        """
        DO $$
        BEGIN
            IF current_setting('server_version_num')::int >= 180000 THEN
                CREATE FUNCTION app.uuid7() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE
                AS 'SELECT pg_catalog.uuidv7()';
            ELSE
                CREATE FUNCTION app.uuid7() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS $f$
                    SELECT encode(
                        set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
                            PLACING substring(int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
                            FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid
                $f$;
            END IF;
        END $$
        """
    )
    op.execute("GRANT EXECUTE ON FUNCTION app.uuid7() TO ideamint_app")
    op.execute(
        """
        CREATE FUNCTION app.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
        END $$
        """
    )
    op.execute(
        """
        CREATE TABLE app.idempotent_replies (
            user_id uuid NOT NULL,
            route text NOT NULL,
            key text NOT NULL CONSTRAINT ck_idempotent_replies_key_length CHECK (length(key) BETWEEN 1 AND 255),
            request_hash bytea NOT NULL,
            status_code smallint NOT NULL,
            headers jsonb NOT NULL,
            body bytea NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT pk_idempotent_replies PRIMARY KEY (user_id, route, key)
        )
        """
    )
    op.execute("CREATE INDEX ix_idempotent_replies_created_at ON app.idempotent_replies (created_at)")
    op.execute("GRANT SELECT, INSERT, DELETE ON app.idempotent_replies TO ideamint_app")


def downgrade() -> None:
    """Nothing below this but an empty database."""
    op.execute("DROP TABLE app.idempotent_replies")
    op.execute("DROP FUNCTION app.refuse_change()")
    op.execute("DROP FUNCTION app.uuid7()")
    op.execute("ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC")
