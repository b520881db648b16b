"""The constraints that were added without a check of the present rows are validated.

Revision ID: 1029
"""

from __future__ import annotations

from api.migrations import statements

revision = "1029"
down_revision = "1028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL is in the file of the same name."""
    statements.run_version("1029_valid_constraints")


def downgrade() -> None:
    """Do nothing: a constraint that is not validated accepts the same rows."""
