"""The schema, UUIDv7 on every supported server, hashes of the routines, and responses kept for Idempotency-Key.

Revision ID: 1001
"""

from __future__ import annotations

from alembic import op

from api.migrations import statements

revision = "1001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL is in the file of the same name."""
    statements.run_version("1001_kernel")


def downgrade() -> None:
    """Drop everything in the schema."""
    op.execute("DROP TABLE app.idempotent_responses, app.schema_routines")
    op.execute("DROP FUNCTION app.uuid7()")
    op.execute("ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC")
