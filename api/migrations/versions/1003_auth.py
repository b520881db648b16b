"""Users, sessions and their tokens.

Revision ID: 1003
"""

from __future__ import annotations

from alembic import op

from api.migrations import statements

revision = "1003"
down_revision = "1002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL is in the file of the same name."""
    statements.run_version("1003_auth")


def downgrade() -> None:
    """Drop the accounts, unless there are any: they cannot be restored."""
    statements.refuse_rows("users", "holds accounts; not dropped")
    op.execute("DROP TABLE app.session_tokens, app.sessions, app.users")
