"""The kinds of events and the scopes of API tokens of the versions from 1023 on.

Revision ID: 1028
"""

from __future__ import annotations

from api.migrations import statements

revision = "1028"
down_revision = "1027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL is in the file of the same name."""
    statements.run_version("1028_event_kinds_and_scopes")


def downgrade() -> None:
    """Restore the checks of the earlier release. Refused while it would not know an event or a scope."""
    statements.run_version("1028_event_kinds_and_scopes.down")
