"""Campaigns, memberships and imported elections.

Revision ID: 1005
"""

from __future__ import annotations

from alembic import op

from api.migrations import statements

revision = "1005"
down_revision = "1004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL is in the file of the same name."""
    statements.run_version("1005_campaigns")


def downgrade() -> None:
    """Drop the campaigns, unless there are any: they cannot be restored."""
    statements.refuse_rows("campaigns", "holds campaigns; not dropped")
    op.execute("DROP TABLE app.election_imports, app.memberships, app.campaigns")
