"""The constraints of 1037 that were added without a check are validated.

Revision ID: 1039
"""

from __future__ import annotations

from api.migrations import statements

revision = "1039"
down_revision = "1038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL is in the file of the same name."""
    statements.run_version("1039_valid_constraints")


def downgrade() -> None:
    """Do nothing: a constraint that is not validated accepts the same rows."""
