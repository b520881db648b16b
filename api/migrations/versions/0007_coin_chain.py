"""The chain: sealed transfers, the functions that seal, check and export them, and who may do what.

Revision ID: 0007
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SQL = Path(__file__).parents[1] / "sql"
PARTS = ("tables", "records", "reading")


def upgrade() -> None:
    """What is in the ledger already is sealed in the background, from the beginning."""
    connection = op.get_bind().connection
    for part in PARTS:
        connection.cursor().execute((SQL / f"0007_coin_chain_{part}.sql").read_text())


def downgrade() -> None:
    """A chain made again has other heads, and who kept one could not tell that from tampering: refused while there is one."""
    op.execute(
        "DO $$ BEGIN IF EXISTS (SELECT FROM app.coin_blocks) THEN "
        "RAISE EXCEPTION 'app.coin_blocks holds sealed transfers; not dropped'; END IF; END $$"
    )
    op.execute(
        "DROP FUNCTION app.coins_export_chain(uuid, bigint, bigint, integer, integer), "
        "app.coins_check_chain(uuid, integer), app.coins_seal(integer), "
        "app.coins_hash_block(uuid, bigint, bytea, timestamptz, text)"
    )
    op.execute("DROP VIEW app.coin_records")
    op.execute("DROP TABLE app.coin_seals, app.coin_block_transfers, app.coin_blocks, app.coin_chains")
    op.execute(
        "DROP FUNCTION app.coins_keep_key(), app.coins_epoch_us(timestamptz), app.coins_hmac(bytea, bytea, text), "
        "app.coins_pad_key(bytea, integer)"
    )
