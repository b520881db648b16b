"""Dates of campaigns that are enforced, and the status closed.

Revision ID: 1007
"""

from __future__ import annotations

from api.migrations import statements

revision = "1007"
down_revision = "1006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL is in the file of the same name."""
    statements.run_version("1007_campaign_dates")


def downgrade() -> None:
    """Remove the columns; closed campaigns become active again. Refused if there are events of the new kinds."""
    statements.run_version("1007_campaign_dates.down")
