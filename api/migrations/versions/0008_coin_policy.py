"""Who may see whose coins lie where; what flowed on a day; settlements that say when they have ended.

Revision ID: 0008
"""

from __future__ import annotations

import re
from pathlib import Path

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

SQL = Path(__file__).parents[1] / "sql"
PARTS = ("policy", "closing", "flows", "balances")
REPLACED = {
    "lifecycle": (
        "coins_open_ledger(uuid, jsonb, uuid)",
        "coins_set_policy(uuid, jsonb, uuid)",
        "coins_close_targets(uuid, uuid[], text, uuid, text, timestamptz, integer)",
        "coins_close_ledger(uuid, uuid, timestamptz, integer)",
        "coins_verify(uuid)",
    ),
    "background": ("coins_fold()",),
}


def _execute(statements: str) -> None:
    # the driver's own cursor, without arguments: a per cent sign in a function is no placeholder
    op.get_bind().connection.cursor().execute(statements)


def upgrade() -> None:
    """The SQL stands in files of its own, to be read as SQL."""
    for part in PARTS:
        _execute((SQL / f"0008_coin_{part}.sql").read_text())


def downgrade() -> None:
    """Daily sums can be folded again; what a policy says of who may see stakes cannot, so it is refused while any does."""
    op.execute(
        "DO $$ BEGIN IF EXISTS (SELECT FROM app.coin_policies WHERE stakes_visible_to <> 'self') THEN "
        "RAISE EXCEPTION 'app.coin_policies says who may see stakes; not dropped'; END IF; END $$"
    )
    op.execute("DROP TRIGGER coin_settlements_tell_settled ON app.coin_settlements")
    op.execute(
        "DROP FUNCTION app.coins_tell_settled(), app.coins_version_at(bigint, integer, timestamptz), "
        "app.coins_close_targets(uuid, uuid[], text, uuid, text, timestamptz, integer, text), "
        "app.coins_close_ledger(uuid, uuid, timestamptz, integer, text), app.coins_mark_closed(uuid, uuid[]), "
        "app.coins_lock_targets(uuid[]), app.coins_has_stakes(uuid)"
    )
    op.execute("ALTER TABLE app.coin_policies DROP COLUMN stakes_visible_to")
    op.execute("ALTER TABLE app.coin_settlements DROP COLUMN request_id")
    op.execute("ALTER TABLE app.coin_folds DROP COLUMN marked_xid, DROP COLUMN marked_at")
    op.execute("DROP TABLE app.coin_flows_daily")
    for part, signatures in REPLACED.items():
        text = (SQL / f"0004_coin_{part}.sql").read_text()
        for signature in signatures:
            name = signature.partition("(")[0]
            (definition,) = re.findall(rf"CREATE FUNCTION app\.{name}\(.*?\$\$;", text, re.DOTALL)
            _execute(definition.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1))
            op.execute(f"GRANT EXECUTE ON FUNCTION app.{signature} TO ideamint_app")
