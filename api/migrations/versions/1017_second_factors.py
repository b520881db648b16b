"""Second factors, and failed log-ins that all processes count together.

Revision ID: 1017
"""

from __future__ import annotations

from api.migrations import statements

revision = "1017"
down_revision = "1016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL is in the file of the same name."""
    statements.run_version("1017_second_factors")


def downgrade() -> None:
    """Remove the tables. Refused while accounts have second factors, which the earlier release would not ask for."""
    statements.run_version("1017_second_factors.down")
