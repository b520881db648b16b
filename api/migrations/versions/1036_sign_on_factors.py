"""Second factors of log-ins at providers, and the mail about a linked identity.

Revision ID: 1036
"""

from __future__ import annotations

from api.migrations import statements

revision = "1036"
down_revision = "1035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL is in the file of the same name."""
    statements.run_version("1036_sign_on_factors")


def downgrade() -> None:
    """Delete the column, and the codes without a second factor."""
    statements.run_version("1036_sign_on_factors.down")
