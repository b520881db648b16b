"""Verified addresses, profiles, and mails about accounts.

Revision ID: 1016
"""

from __future__ import annotations

from api.migrations import statements

revision = "1016"
down_revision = "1015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL is in the file of the same name."""
    statements.run_version("1016_accounts")


def downgrade() -> None:
    """Remove the columns and the table. Refused while there are events of the new kinds."""
    statements.run_version("1016_accounts.down")
