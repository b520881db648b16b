"""The campaign roles observer and moderator.

Revision ID: 1023
"""

from __future__ import annotations

from api.migrations import statements

revision = "1023"
down_revision = "1022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL is in the file of the same name."""
    statements.run_version("1023_members")


def downgrade() -> None:
    """Narrow the checks again. Refused while members have a role, or tokens a scope, that the earlier release lacks."""
    statements.run_version("1023_members.down")
