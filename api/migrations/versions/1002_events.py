"""One append-only table of events, partitioned by month; cursors and failures of their consumers.

Revision ID: 1002
"""

from __future__ import annotations

from alembic import op

from api.migrations import statements

revision = "1002"
down_revision = "1001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL is in the file of the same name. A routine creates the partitions of the first year."""
    statements.run_version("1002_events")
    statements.run_routines("events/sql/partitions.sql")
    op.execute("SELECT app.prepare_event_partitions(12)")


def downgrade() -> None:
    """Drop the events, unless there are any: they cannot be restored."""
    statements.refuse_rows("events", "holds rows that cannot be restored; not dropped")
    op.execute("DROP TABLE app.event_failures, app.event_cursors, app.events")
