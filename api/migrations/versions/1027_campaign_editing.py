"""More fields of campaigns, pauses, and the deletion of drafts.

Revision ID: 1027
"""

from __future__ import annotations

from api.migrations import statements

revision = "1027"
down_revision = "1026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL is in the file of the same name."""
    statements.run_version("1027_campaign_editing")


def downgrade() -> None:
    """Remove the columns. Refused while a campaign is paused, which the earlier release does not know."""
    statements.run_version("1027_campaign_editing.down")
