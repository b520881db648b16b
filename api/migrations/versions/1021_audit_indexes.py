"""The indexes of the audit. Writers of `app.events` wait while they are built; readers do not.

Revision ID: 1021
"""

from __future__ import annotations

from api.migrations import statements

revision = "1021"
down_revision = "1020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL is in the file of the same name."""
    statements.run_version("1021_audit_indexes")


def downgrade() -> None:
    """Remove the indexes."""
    statements.run_version("1021_audit_indexes.down")
