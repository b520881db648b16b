"""The constraints of 1030 to 1034 that were added without a check are validated.

Revision ID: 1035
"""

from __future__ import annotations

from api.migrations import statements

revision = "1035"
down_revision = "1034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL is in the file of the same name."""
    statements.run_version("1035_valid_constraints")


def downgrade() -> None:
    """Do nothing: a constraint that is not validated accepts the same rows."""
