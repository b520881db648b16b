"""One append-only table of events, partitioned by month.

Revision ID: 0002
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Rows land in the month they were recorded in; the default partition catches what nobody prepared."""
    op.execute(
        r"""
        CREATE TABLE app.events (
            id uuid NOT NULL DEFAULT app.uuid7(),
            xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
            recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            occurred_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            kind text NOT NULL CONSTRAINT ck_events_kind CHECK (kind ~ '^[a-z]+(_[a-z]+)*$'),
            campaign_id uuid,
            actor_id uuid,
            user_id uuid,
            idea_id uuid,
            request_id text,
            data jsonb NOT NULL DEFAULT '{}',
            CONSTRAINT pk_events PRIMARY KEY (id, recorded_at)
        ) PARTITION BY RANGE (recorded_at)
        """
    )
    op.execute("CREATE INDEX ix_events_xid ON app.events (xid, id)")
    op.execute("CREATE INDEX ix_events_campaign_id ON app.events (campaign_id, occurred_at)")
    op.execute("CREATE INDEX ix_events_recorded_at ON app.events USING brin (recorded_at)")
    op.execute("CREATE TABLE app.events_default PARTITION OF app.events DEFAULT")
    op.execute(
        """
        CREATE FUNCTION app.prepare_event_partitions(p_months integer) RETURNS integer
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
        DECLARE
            v_month date;
            v_made integer := 0;
        BEGIN
            FOR v_month IN
                SELECT generate_series(date_trunc('month', now() AT TIME ZONE 'UTC'),
                    date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => p_months),
                    interval '1 month')::date
            LOOP
                IF to_regclass('app.events_' || to_char(v_month, 'YYYYMM')) IS NULL THEN
                    EXECUTE format(
                        'CREATE TABLE app.%I PARTITION OF app.events FOR VALUES FROM (%L) TO (%L)',
                        'events_' || to_char(v_month, 'YYYYMM'),
                        to_char(v_month, 'YYYY-MM-DD') || ' 00:00+00',
                        to_char(v_month + interval '1 month', 'YYYY-MM-DD') || ' 00:00+00');
                    v_made := v_made + 1;
                END IF;
            END LOOP;
            RETURN v_made;
        END $$
        """
    )
    op.execute("GRANT EXECUTE ON FUNCTION app.prepare_event_partitions(integer) TO ideamint_app")
    op.execute("SELECT app.prepare_event_partitions(12)")
    op.execute(
        "CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE ON app.events "
        "FOR EACH ROW EXECUTE FUNCTION app.refuse_change()"
    )
    op.execute("GRANT SELECT, INSERT ON app.events TO ideamint_app")
    op.execute(
        "GRANT SELECT (id, xid, recorded_at, occurred_at, kind, campaign_id, actor_id, user_id, idea_id) "
        "ON app.events TO ideamint_dbt"
    )


def downgrade() -> None:
    """Events cannot be rebuilt: refused while there are any."""
    op.execute(
        "DO $$ BEGIN IF EXISTS (SELECT FROM app.events) THEN "
        "RAISE EXCEPTION 'app.events holds rows that cannot be rebuilt; not dropped'; END IF; END $$"
    )
    op.execute("DROP FUNCTION app.prepare_event_partitions(integer)")
    op.execute("DROP TABLE app.events")
