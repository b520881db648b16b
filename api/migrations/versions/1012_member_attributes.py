"""The event of changed attributes of a member.

Revision ID: 1012
"""

from __future__ import annotations

from api.migrations import statements

revision = "1012"
down_revision = "1011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL is in the file of the same name."""
    statements.run_version("1012_member_attributes")


def downgrade() -> None:
    """Narrow the check again. Refused while there are events of the new kind."""
    statements.run_version("1012_member_attributes.down")
