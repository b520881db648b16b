"""Comments and internal notes on ideas, followers, owners and milestones of ideas.

Revision ID: 1025
"""

from __future__ import annotations

from api.migrations import statements

revision = "1025"
down_revision = "1024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL is in the file of the same name."""
    statements.run_version("1025_discussions")


def downgrade() -> None:
    """Remove the tables. Refused while there are comments, which the earlier release would lose."""
    statements.refuse_rows("comments", "holds comments; not downgraded")
    statements.refuse_rows("idea_followers", "holds followers of ideas; not downgraded")
    statements.refuse_rows("idea_owners", "holds owners of ideas; not downgraded")
    statements.refuse_rows("idea_milestones", "holds milestones; not downgraded")
    statements.run_version("1025_discussions.down")
