"""Merges of ideas, with the coins that they move.

Revision ID: 1037
"""

from __future__ import annotations

from api.migrations import statements

revision = "1037"
down_revision = "1036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL is in the file of the same name."""
    statements.run_version("1037_merging")


def downgrade() -> None:
    """Remove the tables. Refused after the first merge, whose transfers and events the earlier release does not know."""
    statements.refuse_rows("idea_merges", "holds merges of ideas; not downgraded")
    statements.run_version("1037_merging.down")
