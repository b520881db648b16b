"""API tokens, service accounts, and what the audit of events needs.

Revision ID: 1018
"""

from __future__ import annotations

from api.migrations import statements

revision = "1018"
down_revision = "1017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL is in the file of the same name."""
    statements.run_version("1018_api_tokens")


def downgrade() -> None:
    """Remove the tables and columns. Refused while there are events of the new kinds."""
    statements.run_version("1018_api_tokens.down")
