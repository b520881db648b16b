"""Checks of the years of dates.

Revision ID: 1011
"""

from __future__ import annotations

from api.migrations import statements

revision = "1011"
down_revision = "1010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL is in the file of the same name."""
    statements.run_version("1011_date_ranges")


def downgrade() -> None:
    """Drop the checks; dates that the upgrade moved stay."""
    statements.run_version("1011_date_ranges.down")
