"""Ideas, their tags, status changes and valuations.

Revision ID: 1006
"""

from __future__ import annotations

from alembic import op

from api.migrations import statements

revision = "1006"
down_revision = "1005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL is in the file of the same name."""
    statements.run_version("1006_ideas")


def downgrade() -> None:
    """Drop the ideas, unless there are any: they cannot be restored."""
    statements.refuse_rows("ideas", "holds ideas; not dropped")
    op.execute("DROP TABLE app.idea_valuations, app.idea_status_changes, app.idea_tags, app.ideas")
