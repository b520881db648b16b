"""Material edits of ideas and anonymous ideas.

Revision ID: 1034
"""

from __future__ import annotations

from api.migrations import statements

revision = "1034"
down_revision = "1033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL is in the file of the same name."""
    statements.run_version("1034_material_edits")


def downgrade() -> None:
    """Refused while ideas are anonymous or policies have another grace time than the default."""
    statements.run_version("1034_material_edits.down")
