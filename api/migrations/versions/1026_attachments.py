"""Attachments of ideas and their stored objects.

Revision ID: 1026
"""

from __future__ import annotations

from api.migrations import statements

revision = "1026"
down_revision = "1025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL is in the file of the same name."""
    statements.run_version("1026_attachments")


def downgrade() -> None:
    """Remove the tables. Refused while there are attachments, which the earlier release would lose."""
    statements.refuse_rows("attachments", "holds attachments; not downgraded")
    statements.run_version("1026_attachments.down")
