"""The ledger and the chain of sealed transfers.

Revision ID: 1004
"""

from __future__ import annotations

from alembic import op

from api.migrations import statements

revision = "1004"
down_revision = "1003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The SQL is in the file of the same name."""
    statements.run_version("1004_coins")


def downgrade() -> None:
    """Drop the ledger, unless it holds movements or sealed transfers: a new chain would have other heads."""
    statements.refuse_rows("coin_blocks", "holds sealed transfers; not dropped")
    statements.refuse_rows("coin_transfers", "holds movements; not dropped")
    op.execute("DROP TABLE app.coin_seals, app.coin_block_transfers, app.coin_blocks, app.coin_chains")
    op.execute("DROP FUNCTION app.coins_pad_key(bytea, integer)")
    op.execute(
        "DROP TABLE app.coin_flows_daily, app.coin_aggregations, app.coin_totals, app.coin_settlements, app.coin_keys, "
        "app.coin_postings, app.coin_transfers, app.coin_accounts, app.coin_targets, app.coin_ledgers, app.coin_policies"
    )
