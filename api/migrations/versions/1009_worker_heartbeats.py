"""Heartbeats of worker processes.

Revision ID: 1009
"""

from __future__ import annotations

from alembic import op

from api.migrations import statements

revision = "1009"
down_revision = "1008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL is in the file of the same name."""
    statements.run_version("1009_worker_heartbeats")


def downgrade() -> None:
    """Drop the table; its rows are not needed, because workers write them regularly."""
    op.execute("DROP TABLE app.worker_heartbeats")
