"""Drafts, tags, versions, reasons of rejection, and requests for changes of ideas.

Revision ID: 1024
"""

from __future__ import annotations

from api.migrations import statements

revision = "1024"
down_revision = "1023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL is in the file of the same name."""
    statements.run_version("1024_ideas")


def downgrade() -> None:
    """Remove the tables and columns. Refused while they hold what the earlier release would lose or show."""
    statements.run_version("1024_ideas.down")
