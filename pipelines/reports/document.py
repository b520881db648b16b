"""A campaign's content as the JSON document that the Typst template lays out: texts ready to draw, numbers for charts.

Every text passes `wording.drawable`, and the template sets each as a string: none is read as markup.
"""

from __future__ import annotations

from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from pipelines.marts import GROUP_SIZE_MIN
from pipelines.reports import charts, glossary, wording
from pipelines.reports.content import ACCEPTED, ATTRIBUTES, STATUSES
from pipelines.reports.readings import read_figure
from pipelines.reports.sentences import sentences

if TYPE_CHECKING:
    from datetime import datetime

    from pipelines.reports.content import Content

BARS: Final = 10
IDEAS_LISTED: Final = 25
RETURNS_LISTED: Final = 20
_GROUPS_LISTED: Final = 12
_UNDER: Final = f"under {GROUP_SIZE_MIN}"
_TONES: Final = {"competing": "open", "pending": "open", "outcome_unknown": "open", "stopped": "lost"}


def document(content: Content, made_at: datetime | None) -> dict[str, Any]:
    """The template's data. `made_at` (UTC) is when the report is made; without it the report does not tell its age."""
    campaign, snapshot = content.campaign, content.snapshot
    return _drawable({
        "title": campaign.title,
        "running": wording.plain(campaign.title, 90),
        "undrawn_note": f"{wording.UNDRAWN} stands for characters that this report's fonts do not have; the workbook has them.",
        "kind": "Imported election" if campaign.is_imported else "Campaign",
        "made": _made(content, made_at),
        "data_of": wording.minute(snapshot.created_at),
        "snapshot": snapshot.id,
        "facts": _facts(content),
        "sentences": [asdict(sentence) for sentence in sentences(content)],
        "tiles": _tiles(content),
        "questions": _questions(content),
        "periods": _periods(content),
        "bars": _bars(content),
        "concentration": charts.concentration(content),
        "time": _time(content),
        "time_missing": _time_missing(content),
        "groups": _groups(content),
        "returns": _returns(content),
        "conservation": _conservation(content),
        "ideas": _ideas(content),
        "terms": [list(term) for term in glossary.terms(content)],
        "limits": list(glossary.limits(content)),
    })  # fmt: skip


def _made(content: Content, made_at: datetime | None) -> str:
    if made_at is None:
        return ""
    age_minutes = max(0, int((made_at - content.snapshot.created_at).total_seconds() // 60))
    if age_minutes < 60:  # noqa: PLR2004
        age = wording.counted(age_minutes, "minute", "minutes")
    elif age_minutes < 48 * 60:
        age = wording.counted(age_minutes // 60, "hour", "hours")
    else:
        age = wording.counted(age_minutes // 1440, "day", "days")
    return f"Made {wording.minute(made_at)}, when the data was {age} old."


def _facts(content: Content) -> list[list[str]]:
    campaign = content.campaign
    facts: list[list[str]] = []
    if campaign.is_imported:
        place = ", ".join(part for part in (campaign.unit, campaign.country) if part)
        facts.append(["Where", place or wording.NOT_IN_FILE])
        facts.append(["Ballot", campaign.ballot_type or wording.NOT_IN_FILE])
    facts.append(["Status", _status(content)])
    start = campaign.activated_at or campaign.starts_at
    end = campaign.completed_at or campaign.ends_at
    unknown = wording.NOT_IN_FILE if campaign.is_imported else "no dates set"
    facts.append(["Dates", wording.span(start, end) or unknown])
    if campaign.budget_amount is not None:
        facts.append(["Budget", wording.money(campaign.budget_amount, campaign.currency)])
    if campaign.coins_per_member is not None:
        each = wording.counted(campaign.coins_per_member, "coin", "coins")
        facts.append(["Coins", f"{each} a {'voter' if campaign.is_imported else 'member'}"])
    return facts


def _status(content: Content) -> str:
    mediated = ", ideas are approved before they compete" if content.campaign.is_mediated else ""
    return f"{content.campaign.status}{mediated}"


def _tiles(content: Content) -> list[dict[str, str]]:
    campaign = content.campaign
    accepted = content.ideas.filter(pl.col("status").is_in(list(ACCEPTED))).height
    tiles = [
        {"label": content.people.capitalize(), "value": wording.count(campaign.members)},
        {"label": "Ideas", "value": wording.count(content.ideas.height)},
        {"label": "Coins on ideas", "value": wording.count(content.coins_on_ideas)},
    ]
    if content.outcome_is_known:
        tiles.append({"label": "Ideas accepted", "value": wording.count(accepted)})
    else:
        tiles.append({"label": "Ideas accepted", "value": wording.NOT_IN_FILE})
    return tiles


def _questions(content: Content) -> list[dict[str, Any]]:
    return [
        {"question": question, "figures": [asdict(read_figure(content, figure)) for figure in figures]}
        for question, figures in groupby(content.to_date, key=lambda figure: figure.question)
    ]


def _periods(content: Content) -> dict[str, str] | None:
    """The two spans that the figures by period are counted over."""
    for figure in content.recent:
        if figure.before is not None:
            now = wording.span(figure.now.starts_on, figure.now.ends_on)
            before = wording.span(figure.before.starts_on, figure.before.ends_on)
            return {"now": now or "", "before": before or ""}
    return None


def _bars(content: Content) -> dict[str, Any] | None:
    ranked = content.ideas.filter(pl.col("coins") > 0).sort("coins", descending=True, maintain_order=True).head(BARS)
    if ranked.height == 0:
        return None
    most, total = ranked["coins"][0], content.coins_on_ideas
    held = wording.percent(int(ranked["coins"].sum()) / total)
    first = "The only idea with coins" if ranked.height == 1 else f"The first {ranked.height} ideas"
    shown = "; ".join(f"{row['title']}: {wording.counted(row['coins'], 'coin', 'coins')}" for row in ranked.to_dicts())
    return {
        "alt": f"Bars of coins on each idea. {shown}.",
        "headline": f"{first} {'holds' if ranked.height == 1 else 'hold'} {held} of all coins",
        "rows": [
            {
                "title": wording.plain(row["title"], 84),
                "share": row["coins"] / most,
                "value": wording.count(row["coins"]),
                "status": STATUSES.get(row["status"], row["status"]) if content.outcome_is_known else "",
                "tone": _tone(content, row["status"]),
            }
            for row in ranked.iter_rows(named=True)
        ],
    }


def _tone(content: Content, status: str) -> str:
    if not content.outcome_is_known:
        return "open"
    return _TONES.get(status, "won" if status in ACCEPTED else "lost")


def _time(content: Content) -> dict[str, Any] | None:
    line = charts.coins_over_time(content)
    return line and {**line, "headline": f"{line['end']} coins at work on {line['last']}"}


def _time_missing(content: Content) -> str:
    if content.campaign.is_imported:
        return f"When each coin was placed is {wording.NOT_IN_FILE}: all ballots stand on the last day of the election."
    return "There are not yet two days with coins to draw."


def _groups(content: Content) -> list[dict[str, Any]]:
    """Groups by attribute. An election's file has voters alone, so there the bar is a group's share of the voters."""
    panels: list[dict[str, Any]] = []
    for attribute, heading in ATTRIBUTES.items():
        rows = content.groups.filter(pl.col("attribute") == attribute)
        shown = rows.filter(~pl.col("is_suppressed"))
        if attribute != "age_band":
            shown = shown.sort("members", descending=True, maintain_order=True)
        hidden = rows.height - shown.height
        if rows.height == 0:
            continue
        everyone = int(shown["members"].sum() or 0)
        bars = []
        for row in shown.head(_GROUPS_LISTED).iter_rows(named=True):
            if content.campaign.is_imported:
                share = row["members"] / everyone if everyone else 0
                label = f"{wording.count(row['members'])}, {wording.percent(share)}"
            else:
                share = row["participants"] / row["members"]
                label = f"{wording.percent(share)}, {wording.count(row['participants'])} of {wording.count(row['members'])}"
            bars.append({"name": row["group_name"], "share": share, "label": label})
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
        said = "; ".join(f"{bar['name']} {bar['label']}" for bar in bars) or "no group is shown"
        alt = f"{heading}: {said}."
        panels.append({"heading": heading, "alt": alt, "bars": bars, "note": " ".join(notes)})
    return panels


def _returns(content: Content) -> dict[str, Any]:
    """Costs and values by currency, ideas with both first; a currency's bars share one scale."""
    by_currency: list[dict[str, Any]] = []
    rows = content.roi.filter("was_accepted") if content.outcome_is_known else content.roi.clear()
    for currency in rows["currency"].unique().sort(nulls_last=True):
        mine = rows.filter(pl.col("currency").eq_missing(currency))
        both = mine.filter("has_both")
        greatest = max((float(amount) for name in ("realised_cost", "realised_value") for amount in both[name]), default=0)
        by_currency.append({
            "currency": currency or f"currency {wording.UNKNOWN}",
            "alt": "Realised cost and value. "
            + "; ".join(
                f"{row['title']}: cost {wording.money(row['realised_cost'], currency)}, "
                f"value {wording.money(row['realised_value'], currency)}"
                for row in both.head(BARS).to_dicts()
            ),
            "pairs": [
                {
                    "title": wording.plain(row["title"], 70),
                    "cost": float(row["realised_cost"]) / greatest if greatest else 0,
                    "value": float(row["realised_value"]) / greatest if greatest else 0,
                    "cost_label": wording.money(row["realised_cost"], "").split(" (")[0],
                    "value_label": wording.money(row["realised_value"], "").split(" (")[0],
                }
                for row in both.head(BARS).iter_rows(named=True)
            ],
            "rows": [_return_row(row) for row in mine.head(RETURNS_LISTED).iter_rows(named=True)],
            "more": max(0, mine.height - RETURNS_LISTED),
        })  # fmt: skip
    readings = [read_figure(content, figure) for name in ("roi", "coverage", "delivery") for figure in content.figures(name)]
    return {
        "currencies": by_currency,
        "readings": [asdict(reading) for reading in readings],
        "sentence": sentences(content)[2].text,
    }


def _return_row(row: dict[str, Any]) -> list[str]:
    amounts = ("expected_cost", "realised_cost", "expected_value", "realised_value")
    return [
        wording.plain(row["title"], 110),
        STATUSES.get(row["status"], row["status"]),
        *("?" if row[name] is None else f"{row[name]:,.2f}".removesuffix(".00") for name in amounts),
        "?" if row["roi"] is None else wording.percent(row["roi"]),
    ]


def _conservation(content: Content) -> dict[str, Any] | None:
    row = content.conservation
    if row is None:
        return None
    difference = int(row["difference_coins"])
    held = ("wallet", "held", "staked", "expired", "carried_out")
    labels = {
        "wallet": "in wallets", "held": "held back", "staked": "on ideas", "expired": "expired", "carried_out": "carried out",
    }  # fmt: skip
    issued, carried = int(row["issued_coins"]), int(row["carried_in_coins"])
    total = issued + carried
    return {
        "holds": difference == 0,
        "statement": (
            f"Every coin is accounted for: {wording.counted(total, 'coin was', 'coins were')} given out, and the same number is found below."
            if difference == 0
            else f"The coins do not add up: {wording.count(abs(difference))} {'too few' if difference > 0 else 'too many'} are found. "
            "Do not rely on the coins in this report before it is explained."
        ),
        "given": [["issued", wording.count(issued)], ["carried in", wording.count(carried)]],
        "found": [[labels[name], wording.count(row[f"{name}_coins"]), (row[f"{name}_coins"] / total) if total else 0] for name in held],
        "total": wording.count(total),
        "difference": wording.count(difference),
    }


def _ideas(content: Content) -> dict[str, Any]:
    listed = content.ideas.head(IDEAS_LISTED)
    total = content.coins_on_ideas
    rows = [
        {
            "rank": "" if row["rank_in_campaign"] is None else str(row["rank_in_campaign"]),
            "title": wording.plain(row["title"], 150),
            "status": STATUSES.get(row["status"], row["status"]),
            "coins": wording.count(row["coins"]),
            "share": wording.percent(row["coins"] / total) if total else NO_SHARE,
            "backers": _UNDER if row["backers"] is None else wording.count(row["backers"]),
        }
        for row in listed.iter_rows(named=True)
    ]
    more = content.ideas.height - listed.height
    return {
        "rows": rows,
        "has_status": content.outcome_is_known,
        "more": f"{wording.counted(more, 'more idea is', 'more ideas are')} in the workbook." if more else "",
    }


NO_SHARE: Final = "\u2013"


def _drawable(value: Any) -> Any:
    """The same structure with every text made drawable."""
    if isinstance(value, str):
        return wording.drawable(value, 2000)
    if isinstance(value, dict):
        return {key: _drawable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_drawable(item) for item in value]
    return value
