"""Exports of ideas, links to ideas, and cover pictures of campaigns.

Revision ID: 1032
"""

from __future__ import annotations

from api.migrations import statements

revision = "1032"
down_revision = "1031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL is in the file of the same name."""
    statements.run_version("1032_sharing")


def downgrade() -> None:
    """Remove the tables. Refused while there are links or covers, which the earlier release would lose."""
    statements.refuse_rows("permalinks", "holds links to ideas; not downgraded")
    statements.refuse_rows("campaign_covers", "holds cover pictures; not downgraded")
    statements.run_version("1032_sharing.down")
