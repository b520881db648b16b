"""Invitations, deleted accounts, and earlier passwords.

Revision ID: 1020
"""

from __future__ import annotations

from api.migrations import statements

revision = "1020"
down_revision = "1019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL is in the file of the same name."""
    statements.run_version("1020_account_lifecycle")


def downgrade() -> None:
    """Remove the columns and the table. Refused while accounts are deleted, which the earlier release would show."""
    statements.run_version("1020_account_lifecycle.down")
