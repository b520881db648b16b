"""The ledger: tables, checks, the zero-sum trigger, the functions that write, and who may do what.

Revision ID: 0004
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SQL = Path(__file__).parents[1] / "sql"
PARTS = ("tables", "postings", "moves", "lifecycle", "corrections", "background")


def upgrade() -> None:
    """The SQL stands in files of its own, to be read as SQL."""
    connection = op.get_bind().connection
    for part in PARTS:
        # the driver's own cursor, without arguments: a per cent sign in a function is no placeholder
        connection.cursor().execute((SQL / f"0004_coin_{part}.sql").read_text())


def downgrade() -> None:
    """Coins cannot be rebuilt: refused while any was moved."""
    op.execute(
        "DO $$ BEGIN IF EXISTS (SELECT FROM app.coin_transfers) THEN "
        "RAISE EXCEPTION 'app.coin_transfers holds movements; not dropped'; END IF; END $$"
    )
    op.execute(
        "DO $$ DECLARE f regprocedure; BEGIN FOR f IN SELECT oid::regprocedure FROM pg_proc "
        "WHERE pronamespace = 'app'::regnamespace AND proname LIKE 'coins\\_%' "
        "LOOP EXECUTE format('DROP FUNCTION %s CASCADE', f); END LOOP; END $$"
    )
    op.execute(
        "DROP TABLE app.coin_keys, app.coin_postings, app.coin_transfers, app.coin_accounts, "
        "app.coin_targets, app.coin_ledgers, app.coin_policies, app.coin_settlements, app.coin_totals, app.coin_folds"
    )
