"""The parts of the document with bars: texts, and lengths as fractions of the longest bar."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from pipelines import wording
from pipelines.reports.content import ACCEPTED
from pipelines.reports.readings import read_figure
from pipelines.reports.sentences import conservation_statement, sentences

if TYPE_CHECKING:
    from pipelines.reports.content import Content

BARS: Final = 10
RETURNS_LISTED: Final = 20
_GROUPS_LISTED: Final = 12
_NOT_STATED: Final = "not stated"
_TONES: Final = {"competing": "open", "pending": "open", "stopped": "lost"}


def bars(content: Content) -> dict[str, Any] | None:
    """The ideas with the most coins, most first; None if no idea has coins."""
    ranked = content.ideas.filter(pl.col("coins") > 0).sort("coins", descending=True, maintain_order=True).head(BARS)
    if ranked.height == 0:
        return None
    most, total = ranked["coins"][0], content.coins_on_ideas
    held = wording.percent(int(ranked["coins"].sum()) / total)
    with_coins = content.ideas.filter(pl.col("coins") > 0).height
    first = f"The first {ranked.height} ideas"
    headline = f"{first} hold {held} of all coins" if with_coins > ranked.height else "Every idea with coins"
    shown = "; ".join(f"{row['title']}: {wording.counted(row['coins'], 'coin', 'coins')}" for row in ranked.to_dicts())
    return {
        "alt": f"Bars of coins on each idea. {shown}.",
        "headline": headline,
        "rows": [
            {
                "title": wording.title(row["title"], 84),
                "share": row["coins"] / most,
                "value": wording.count(row["coins"]),
                "status": wording.status(row["status"]) if content.outcome_is_known else "",
                "tone": _tone(content, row["status"]),
            }
            for row in ranked.iter_rows(named=True)
        ],
    }


def _tone(content: Content, status: str) -> str:
    if not content.outcome_is_known:
        return "won"
    return _TONES.get(status, "won" if status in ACCEPTED else "lost")


def groups(content: Content) -> list[dict[str, Any]]:
    """Groups by attribute. For an imported election, whose file contains only voters, bars are shares of the voters."""
    panels: list[dict[str, Any]] = []
    for attribute, heading in wording.ATTRIBUTES.items():
        rows = content.groups.filter(pl.col("attribute") == attribute)
        shown = rows.filter(~pl.col("is_suppressed"))
        shown = _in_order(shown, attribute)
        hidden = rows.height - shown.height
        if rows.height == 0:
            continue
        everyone = int(shown["members"].sum() or 0)
        bars: list[dict[str, Any]] = []
        for row in shown.head(_GROUPS_LISTED).iter_rows(named=True):
            if content.campaign.is_imported:
                share = row["members"] / everyone if everyone else 0
                label = f"{wording.count(row['members'])}, {wording.percent(share)}"
            else:
                share = row["participants"] / row["members"]
                label = (
                    f"{wording.percent(share)}, {wording.count(row['participants'])} of {wording.count(row['members'])}"
                )
            bars.append({"name": wording.plain(row["group_name"], 40), "share": share, "label": label})
        notes = []
        if shown.height > _GROUPS_LISTED:
            notes.append(f"{wording.count(shown.height - _GROUPS_LISTED)} more are in the workbook.")
        if hidden:
            verb = "is" if hidden == 1 else "are"
            notes.append(f"{wording.counted(hidden, 'group', 'groups')} {verb} not shown, to protect small groups.")
        longest = max((bar["share"] for bar in bars), default=1) or 1
        scale = longest if content.campaign.is_imported else 1
        for bar in bars:
            bar["share"] /= scale
        listed = "; ".join(f"{bar['name']} {bar['label']}" for bar in bars) or "no group is shown"
        alt = f"{heading}: {listed}."
        panels.append({"heading": heading, "alt": alt, "bars": bars, "note": " ".join(notes)})
    return panels


def _in_order(groups: pl.DataFrame, attribute: str) -> pl.DataFrame:
    """Ages from young to old, other groups from large to small; people without a value last."""
    name = pl.col("group_name")
    age = pl.when(name.str.starts_with("under")).then(0).otherwise(name.str.extract(r"^(\d+)").cast(pl.Int64))
    key = age if attribute == "age_band" else -pl.col("members")
    return groups.sort(name == _NOT_STATED, key, maintain_order=True, nulls_last=True)


def returns(content: Content) -> dict[str, Any]:
    """Costs and values by currency, ideas with both first; a currency's bars share one scale.

    Ideas of an election are left out if its file does not state which were selected.
    """
    by_currency: list[dict[str, Any]] = []
    rows = content.roi.filter("was_accepted") if content.outcome_is_known else content.roi.clear()
    known = [pl.col(name).is_not_null() for name in ("realised_cost", "expected_value", "realised_value")]
    rows = rows.filter(pl.any_horizontal(known).any().over("currency"))  # leaves out currencies with estimates only
    for currency in rows["currency"].unique().sort(nulls_last=True):
        of_currency = rows.filter(pl.col("currency").eq_missing(currency))
        both = of_currency.filter("has_both")
        greatest = max(
            (float(amount) for name in ("realised_cost", "realised_value") for amount in both[name]), default=0
        )
        by_currency.append({
            "currency": currency or f"currency {wording.NOT_KNOWN}",
            "alt": "Realised cost and value. "
            + "; ".join(
                f"{row['title']}: cost {wording.money(row['realised_cost'], currency)}, "
                f"value {wording.money(row['realised_value'], currency)}"
                for row in both.head(BARS).to_dicts()
            ),
            "pairs": [
                {
                    "title": wording.title(row["title"], 70),
                    "cost": float(row["realised_cost"]) / greatest if greatest else 0,
                    "value": float(row["realised_value"]) / greatest if greatest else 0,
                    "cost_label": wording.amount(row["realised_cost"], currency),
                    "value_label": wording.amount(row["realised_value"], currency),
                }
                for row in both.head(BARS).iter_rows(named=True)
            ],
            "rows": [_return_row(row) for row in of_currency.head(RETURNS_LISTED).iter_rows(named=True)],
            "more": max(0, of_currency.height - RETURNS_LISTED),
        })  # fmt: skip
    readings = [
        read_figure(content, figure) for name in ("roi", "coverage", "delivery") for figure in content.figures(name)
    ]
    return {
        "currencies": by_currency,
        "readings": [asdict(reading) for reading in readings],
        "sentence": sentences(content)[2].text,
    }


def _return_row(row: dict[str, Any]) -> list[str]:
    amounts = ("expected_cost", "realised_cost", "expected_value", "realised_value")
    return [
        wording.title(row["title"], 110),
        wording.status(row["status"]),
        *(wording.amount(row[name], row["currency"]) for name in amounts),
        wording.percent(row["roi"]),
    ]


def conservation(content: Content) -> dict[str, Any] | None:
    """Coins given out, the accounts that hold them, and the difference; None if the snapshot has no statement.

    Of a suppressed campaign only the statement.
    """
    row = content.conservation
    if row is None:
        return None
    holds, statement = bool(row["is_balanced"]), conservation_statement(content)
    dated = wording.as_of(content.snapshot.created_at)
    short = f"Coins {'balanced' if holds else 'not balanced'} {dated}."
    if row["is_suppressed"]:
        return {"holds": holds, "short": short, "statement": statement, "given": [], "found": [], "difference": ""}
    difference = int(row["difference_coins"])
    accounts = ("wallet", "held", "staked", "expired", "carried_out")
    labels = {
        "wallet": "in wallets", "held": "held", "staked": "on ideas", "expired": "expired", "carried_out": "carried out",
    }  # fmt: skip
    issued, carried = int(row["issued_coins"]), int(row["carried_in_coins"])
    total = issued + carried
    return {
        "holds": holds,
        "short": f"Coins {'' if holds else 'not '}conserved {dated}: difference {wording.count(difference)}.",
        "statement": statement,
        "given": [["issued", wording.count(issued)], ["carried in", wording.count(carried)]],
        "found": [
            [labels[name], wording.count(row[f"{name}_coins"]), (row[f"{name}_coins"] / total) if total else 0]
            for name in accounts
        ],
        "difference": wording.count(difference),
    }
