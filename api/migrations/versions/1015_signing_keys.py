"""The keys that sign access tokens.

Revision ID: 1015
"""

from __future__ import annotations

from alembic import op

from api.migrations import statements

revision = "1015"
down_revision = "1014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL is in the file of the same name."""
    statements.run_version("1015_signing_keys")


def downgrade() -> None:
    """Drop the keys: the earlier release signs with its secret, and its tokens are short-lived."""
    op.execute("DROP TABLE app.signing_keys")
