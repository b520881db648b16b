"""The event of a registration with an address that has an account.

Revision ID: 1013
"""

from __future__ import annotations

from api.migrations import statements

revision = "1013"
down_revision = "1012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL is in the file of the same name."""
    statements.run_version("1013_repeated_registrations")


def downgrade() -> None:
    """Narrow the check again. Refused while there are events of the new kind."""
    statements.run_version("1013_repeated_registrations.down")
