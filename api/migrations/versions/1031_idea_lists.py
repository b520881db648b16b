"""What lists of ideas are ordered by, and saved views of lists.

Revision ID: 1031
"""

from __future__ import annotations

from api.migrations import statements

revision = "1031"
down_revision = "1030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL is in the file of the same name."""
    statements.run_version("1031_idea_lists")


def downgrade() -> None:
    """Remove the tables and indexes. Refused while there are saved views."""
    statements.run_version("1031_idea_lists.down")
