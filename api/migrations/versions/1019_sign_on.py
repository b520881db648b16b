"""Identities at OpenID Connect providers.

Revision ID: 1019
"""

from __future__ import annotations

from api.migrations import statements

revision = "1019"
down_revision = "1018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL is in the file of the same name."""
    statements.run_version("1019_sign_on")


def downgrade() -> None:
    """Remove the tables. Refused while there are identities, which only their provider could recreate, or events."""
    statements.refuse_rows("identities", "holds identities; without them their owners cannot log in; not downgraded")
    statements.run_version("1019_sign_on.down")
