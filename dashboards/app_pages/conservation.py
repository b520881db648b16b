"""Coin conservation: the source of each campaign's coins, and the accounts that hold them."""

from __future__ import annotations

import polars as pl

from dashboards import charts, layout, tables
from dashboards.data import View
from dashboards.tables import Column
from pipelines import wording

_COLUMNS = (
    Column("Campaign"),
    Column("Issued", is_number=True, hint="Coins granted to members"),
    Column("Carried in", is_number=True, hint="Coins moved from an earlier campaign"),
    Column("In wallets", is_number=True, hint="Coins that members have not placed"),
    Column("Held", is_number=True, hint="Coins reserved for a later round"),
    Column("Staked", is_number=True, hint="Coins on ideas"),
    Column("Expired", is_number=True, hint="Coins spent on accepted ideas, or expired at a campaign's end"),
    Column("Carried out", is_number=True, hint="Coins moved to a later campaign"),
    Column("Difference", is_number=True, hint="Issued + carried in - wallets - held - staked - expired - carried out"),
    Column(
        "Wrong entries",
        is_number=True,
        hint="Balances that differ from the sum of their movements, and movements that do not balance",
    ),
)
_COINS = (
    "issued_coins", "carried_in_coins", "wallet_coins", "held_coins", "staked_coins", "expired_coins",
    "carried_out_coins", "difference_coins", "wrong_entries",
)  # fmt: skip


def render(view: View) -> None:
    """Draw the page."""
    layout.heading(
        "Coin conservation", view.snapshot, "Coins issued and carried in, minus the coins in all accounts, must be 0"
    )
    rows = view.conservation()
    if rows.is_empty():
        layout.notice("There are no coins yet.", "They appear after the next refresh of the data.")
        return
    rows = rows.with_columns(wrong_entries=pl.col("wrong_balances") + pl.col("unbalanced_transfers"))
    wrong = rows.filter((pl.col("difference_coins") != 0) | (pl.col("wrong_entries") != 0))
    if wrong.is_empty():
        total = f"{wording.count(sum(rows['issued_coins']) + sum(rows['carried_in_coins']))} coins"
        where = "In the only campaign" if rows.height == 1 else f"In all {wording.count(rows.height)} campaigns"
        layout.statement(f"{where}, every coin is accounted for: {total}, difference 0.", is_good=True)
    else:
        layout.statement(
            f"Coins do not add up in {wording.count(wrong.height)} of {wording.count(rows.height)} campaigns: "
            "do not rely on these figures.",
            is_good=False,
        )
    tables.table(
        _COLUMNS,
        [[row["title"], *(wording.count(row[name]) for name in _COINS)] for row in rows.iter_rows(named=True)],
        marked=frozenset(range(wrong.height)),  # wrong rows come first
    )
    layout.section("Where the coins are", "Shares of a campaign's coins")
    charts.show(charts.holdings(rows), key="holdings", alt="Where each campaign's coins are")
