"""Events have a version and a closed set of kinds; consumers have cursors, leases and parked events.

Revision ID: 0010
"""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

KINDS = (
    *("user_registered", "user_created", "user_updated", "user_deactivated", "user_sessions_ended", "user_logged_in"),
    *("user_logged_out", "log_in_failed", "refresh_token_reused", "campaign_created", "campaign_activated"),
    *("campaign_completed", "campaign_archived", "election_imported", "member_joined", "member_left"),
    *("member_role_changed", "coin_policy_changed", "coins_granted", "coins_corrected", "coins_allocated"),
    *("coins_reallocated", "coins_taken_back", "coins_settled", "idea_submitted", "idea_edited", "idea_approved"),
    *("idea_rejected", "idea_withdrawn", "idea_accepted", "idea_acceptance_undone", "idea_started", "idea_completed"),
    *("idea_stopped", "idea_not_selected", "idea_valued"),
)
# The last hexadecimal digit of the campaign's id; 0 without a campaign. Unlike PostgreSQL's hash functions it stays the
# same in every server version. `api.events.queries` holds the same expression.
PARTITION = "get_byte(uuid_send(coalesce(campaign_id, '00000000-0000-0000-0000-000000000000'::uuid)), 15) & 15"


def upgrade() -> None:
    """Without rows this is quick; with rows the check and the index read each row once."""
    op.execute("ALTER TABLE app.events ADD COLUMN version smallint NOT NULL DEFAULT 1")
    op.execute("ALTER TABLE app.events DROP CONSTRAINT ck_events_kind")
    kinds = ", ".join(f"'{kind}'" for kind in KINDS)
    op.execute(f"ALTER TABLE app.events ADD CONSTRAINT ck_events_kind CHECK (kind IN ({kinds}))")
    op.execute("DROP INDEX app.ix_events_xid")
    op.execute(f"CREATE INDEX ix_events_partition ON app.events (({PARTITION}), xid, id)")
    op.execute(
        """
        CREATE TABLE app.event_cursors (
            consumer text NOT NULL CONSTRAINT ck_event_cursors_consumer CHECK (consumer ~ '^[a-z]+(_[a-z]+)*$'),
            partition smallint NOT NULL CONSTRAINT ck_event_cursors_partition CHECK (partition BETWEEN 0 AND 15),
            xid xid8 NOT NULL,
            id uuid NOT NULL,
            lease_token uuid,
            lease_until timestamptz,
            holder text,
            moved_at timestamptz,
            CONSTRAINT pk_event_cursors PRIMARY KEY (consumer, partition),
            CONSTRAINT ck_event_cursors_lease
                CHECK (num_nulls(lease_token, lease_until, holder) IN (0, 3))
        ) WITH (fillfactor = 50)
        """
    )
    op.execute(
        """
        CREATE TABLE app.event_failures (
            consumer text NOT NULL,
            event_id uuid NOT NULL,
            partition smallint NOT NULL,
            campaign_id uuid NOT NULL,
            xid xid8 NOT NULL,
            recorded_at timestamptz NOT NULL,
            attempts smallint NOT NULL DEFAULT 0 CONSTRAINT ck_event_failures_attempts CHECK (attempts >= 0),
            due_at timestamptz,
            parked_at timestamptz,
            error text,
            CONSTRAINT pk_event_failures PRIMARY KEY (consumer, event_id),
            CONSTRAINT fk_event_failures_event_cursors FOREIGN KEY (consumer, partition)
                REFERENCES app.event_cursors (consumer, partition),
            CONSTRAINT ck_event_failures_parked CHECK (parked_at IS NULL OR (due_at IS NULL AND attempts > 0))
        )
        """
    )
    op.execute(
        "CREATE INDEX ix_event_failures_campaign_id ON app.event_failures (consumer, campaign_id, xid, event_id)"
    )
    op.execute(
        "CREATE INDEX ix_event_failures_due_at ON app.event_failures (consumer, partition, due_at) "
        "WHERE due_at IS NOT NULL"
    )
    op.execute("CREATE INDEX ix_event_failures_parked_at ON app.event_failures (consumer) WHERE parked_at IS NOT NULL")
    op.execute("GRANT SELECT, INSERT, UPDATE ON app.event_cursors TO ideamint_app")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON app.event_failures TO ideamint_app")


def downgrade() -> None:
    """Positions and parked events are lost; a consumer then starts again as it declares."""
    op.execute("DROP TABLE app.event_failures")
    op.execute("DROP TABLE app.event_cursors")
    op.execute("DROP INDEX app.ix_events_partition")
    op.execute("CREATE INDEX ix_events_xid ON app.events (xid, id)")
    op.execute("ALTER TABLE app.events DROP CONSTRAINT ck_events_kind")
    op.execute("ALTER TABLE app.events ADD CONSTRAINT ck_events_kind CHECK (kind ~ '^[a-z]+(_[a-z]+)*$')")
    op.execute("ALTER TABLE app.events DROP COLUMN version")
