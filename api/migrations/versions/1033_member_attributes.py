"""Attributes of members that a campaign defines, withdrawn requests to join, and limits of mails.

Revision ID: 1033
"""

from __future__ import annotations

from api.migrations import statements

revision = "1033"
down_revision = "1032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL is in the file of the same name."""
    statements.run_version("1033_member_attributes")


def downgrade() -> None:
    """Restore the tables of the earlier release. Refused while there are definitions, or requests that it does not know."""
    statements.run_version("1033_member_attributes.down")
