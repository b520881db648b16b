"""Many coins at once: corrections, the transfers of one command, settlements and grants, each faster and as right.

An acceptance is undone whole, or not at all.

Revision ID: 0009
"""

from __future__ import annotations

import re
from pathlib import Path

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

SQL = Path(__file__).parents[1] / "sql"
PARTS = ("postings", "settlements", "grants", "corrections", "reopening")
# where each function that is replaced was defined
REPLACED = {
    "coins_post": "0004_coin_postings.sql",
    "coins_settle_accounts": "0004_coin_lifecycle.sql",
    "coins_settle_next": "0004_coin_background.sql",
    "coins_grant": "0004_coin_lifecycle.sql",
    "coins_reopen_target": "0004_coin_lifecycle.sql",
    "coins_correct": "0004_coin_corrections.sql",
}


def upgrade() -> None:
    """Only functions' bodies change, so that rights and signatures stay."""
    for part in PARTS:
        _run((SQL / f"0009_coin_{part}.sql").read_text())


def downgrade() -> None:
    """Each function as its own file had it."""
    for name, file in REPLACED.items():
        found = re.search(rf"(?ms)^CREATE (FUNCTION app\.{name}\(.*?^END \$\$;)$", (SQL / file).read_text())
        assert found, f"{file} does not define {name}"
        _run(f"CREATE OR REPLACE {found[1]}")


def _run(statements: str) -> None:
    # the driver's own cursor, without arguments: a per cent sign in a function is no placeholder
    op.get_bind().connection.cursor().execute(statements)
