"""Coin conservation: the source of each campaign's coins, and the accounts that hold them."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from dashboards import charts, layout, tables
from dashboards.data import View
from dashboards.tables import Column
from pipelines import wording
from pipelines.marts import GROUP_SIZE_MIN

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
    layout.heading("Coin conservation", view, "Coins issued and carried in, minus the coins in all accounts, must be 0")
    rows = view.conservation()
    if rows.is_empty():
        layout.notice("There are no coins yet.", "They appear after the next refresh of the data.")
        return
    rows = rows.with_columns(wrong_entries=pl.col("wrong_balances") + pl.col("unbalanced_transfers"))
    dated = f"As of {wording.minute(view.snapshot.created_at)}"
    wrong = rows.filter(~pl.col("is_balanced"))
    if wrong.is_empty():
        layout.statement(f"{dated}, {_balanced(rows)}", is_good=view.refusal() is None)
    else:
        layout.statement(
            f"{dated}, coins do not add up in {wording.count(wrong.height)} of {wording.count(rows.height)} campaigns: "
            "do not rely on these figures.",
            is_good=False,
        )
    tables.table(
        "Coins of each campaign by account",
        _COLUMNS,
        [_cells(row) for row in rows.iter_rows(named=True)],
        marked=frozenset(range(wrong.height)),  # wrong rows come first
    )
    shown = rows.filter(~pl.col("is_suppressed"))
    if shown.height < rows.height:
        st.caption(f"Of a campaign with {wording.FEWER_PEOPLE} the page shows only whether it is balanced.")
    if not shown.is_empty():
        layout.section("Where the coins are", "Shares of a campaign's coins")
        charts.show(charts.holdings(shown), key="holdings", alt="Where each campaign's coins are")


def _balanced(rows: pl.DataFrame) -> str:
    """The statement if all campaigns are balanced. The total leaves out suppressed campaigns, which it would reveal."""
    where = "in the only campaign" if rows.height == 1 else f"in all {wording.count(rows.height)} campaigns"
    shown = rows.filter(~pl.col("is_suppressed"))
    if shown.is_empty():
        return f"{where}, every coin is accounted for."
    total = f"{wording.count(sum(shown['issued_coins']) + sum(shown['carried_in_coins']))} coins"
    if shown.height < rows.height:
        total += f" in {wording.counted(shown.height, 'campaign', 'campaigns')} with at least {GROUP_SIZE_MIN} people"
    return f"{where}, every coin is accounted for: {total}, difference 0."


def _cells(row: dict[str, Any]) -> list[str]:
    if not row["is_suppressed"]:
        return [row["title"], *(wording.count(row[name]) for name in _COINS)]
    balanced = "balanced" if row["is_balanced"] else "not balanced"
    return [row["title"], *(balanced if name == "difference_coins" else wording.NONE for name in _COINS)]
