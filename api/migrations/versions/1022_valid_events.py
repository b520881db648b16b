"""The constraints of events are validated.

Revision ID: 1022
"""

from __future__ import annotations

from api.migrations import statements

revision = "1022"
down_revision = "1021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL is in the file of the same name."""
    statements.run_version("1022_valid_events")


def downgrade() -> None:
    """Do nothing: a constraint that is not validated accepts the same rows."""
