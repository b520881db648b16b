"""Roles for the data platform, and the event of a command to it.

Revision ID: 1010
"""

from __future__ import annotations

from api.migrations import statements

revision = "1010"
down_revision = "1009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL is in the file of the same name."""
    statements.run_version("1010_data_roles")


def downgrade() -> None:
    """Narrow the checks again. Refused while there are events of the new kind or users with the new roles."""
    statements.run_version("1010_data_roles.down")
