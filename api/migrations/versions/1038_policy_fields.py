"""Fields of the coin policy: limits, late grants, times and rules of acceptance.

Revision ID: 1038
"""

from __future__ import annotations

from api.migrations import statements

revision = "1038"
down_revision = "1036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL is in the file of the same name."""
    statements.run_version("1038_policy_fields")


def downgrade() -> None:
    """Refused while a policy has other rules than the defaults."""
    statements.run_version("1038_policy_fields.down")
