"""The list of revoked sessions and token versions.

Revision ID: 1014
"""

from __future__ import annotations

from alembic import op

from api.migrations import statements

revision = "1014"
down_revision = "1013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL is in the file of the same name."""
    statements.run_version("1014_token_revocations")


def downgrade() -> None:
    """Drop the list: the sessions and users themselves say what is revoked."""
    op.execute("DROP TABLE app.token_revocations")
