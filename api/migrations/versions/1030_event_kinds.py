"""The kinds of events of the versions from 1031 on.

Revision ID: 1030
"""

from __future__ import annotations

from api.migrations import statements

revision = "1030"
down_revision = "1029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL is in the file of the same name."""
    statements.run_version("1030_event_kinds")


def downgrade() -> None:
    """Restore the checks of the earlier release. Refused while such events exist."""
    statements.run_version("1030_event_kinds.down")
