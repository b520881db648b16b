"""A campaign's content as a JSON document for the Typst template: formatted texts, and numbers for charts.

Every text passes `glyphs.drawable`, and the template inserts it as a string, never as markup.
"""

from __future__ import annotations

from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from pipelines import wording
from pipelines.reports import charts, glossary, glyphs, panels
from pipelines.reports.content import ACCEPTED
from pipelines.reports.readings import read_figure
from pipelines.reports.sentences import ledger_head, sentences

if TYPE_CHECKING:
    from datetime import datetime

    from pipelines.reports.content import Content

IDEAS_LISTED: Final = 25


def document(content: Content, made_at: datetime | None) -> dict[str, Any]:
    """The template's data. `made_at` (UTC) is the time of the report; without it the age of the data is not shown."""
    campaign, snapshot = content.campaign, content.snapshot
    missing: set[str] = set()
    drawn: dict[str, Any] = _drawable({
        "title": wording.title(campaign.title, 300),
        "running": wording.title(campaign.title, 90),
        "kind": "Imported election" if campaign.is_imported else "Campaign",
        "made": _made(content, made_at),
        "data_of": wording.minute(snapshot.created_at),
        "refused": _refused(content),
        "snapshot": snapshot.id,
        "facts": _facts(content),
        "sentences": [asdict(sentence) for sentence in sentences(content)],
        "tiles": _tiles(content),
        "questions": _questions(content),
        "periods": _periods(content),
        "bars": panels.bars(content),
        "bars_missing": _bars_missing(content),
        "concentration": charts.concentration(content),
        "time": _time(content),
        "time_missing": _time_missing(content),
        "groups": panels.groups(content),
        "groups_missing": _groups_missing(content),
        "returns": panels.returns(content),
        "conservation": panels.conservation(content),
        "ledger_head": {"text": ledger_head(content), "is_sealed": campaign.chain_height is not None},
        "ideas": _ideas(content),
        "terms": [list(term) for term in glossary.terms(content)],
        "limits": list(glossary.limits(content)),
    }, missing)  # fmt: skip
    drawn["undrawn_note"] = _undrawn_note(missing)
    return drawn


def _undrawn_note(missing: set[str]) -> str:
    """Which scripts the PDF does not print; empty if it prints all texts."""
    if not missing:
        return ""
    *first, last = sorted(missing, key=str.lower)
    scripts = f"{', '.join(first)} and {last}" if first else last
    return f"This PDF does not print {scripts}: {glyphs.UNDRAWN} replaces these characters. The workbook contains them."


def _made(content: Content, made_at: datetime | None) -> str:
    if made_at is None:
        return ""
    age = wording.duration(made_at - content.snapshot.created_at)
    return f"Made {wording.minute(made_at)}, when the data was {age} old."


def _refused(content: Content) -> dict[str, str] | None:
    if content.refusal is None:
        return None
    return {"statement": wording.refused(content.refusal), "reasons": wording.refusal_reasons(content.refusal)}


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
    if result := wording.result(campaign):
        facts.append(["Result", result])
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
        {"label": content.people.capitalize(), "value": wording.people(campaign.members)},
        {"label": "Ideas", "value": wording.count(content.ideas.height)},
        {
            "label": "Coins on ideas",
            "value": wording.HIDDEN if campaign.is_suppressed else wording.count(content.coins_on_ideas),
        },
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
    """The spans of the last 30 days and of the 30 days before."""
    for figure in content.recent:
        if figure.before is not None:
            now = wording.span(figure.now.starts_on, figure.now.ends_on)
            before = wording.span(figure.before.starts_on, figure.before.ends_on)
            return {"now": now or "", "before": before or ""}
    return None


def _time(content: Content) -> dict[str, Any] | None:
    line = charts.coins_over_time(content)
    return line and {**line, "headline": f"{line['end']} coins at work on {line['last']}"}


def _time_missing(content: Content) -> str:
    if content.campaign.is_suppressed:
        return f"Not shown for {wording.FEWER_PEOPLE}."
    if content.campaign.is_imported:
        return f"When each coin was placed is {wording.NOT_IN_FILE}: all ballots have the date of the last day of the election."
    return "The chart needs at least two days with coins."


def _bars_missing(content: Content) -> str:
    if content.campaign.is_suppressed:
        return f"The coins on ideas are not shown for {wording.FEWER_PEOPLE}."
    return "No coins are on any idea."


def _groups_missing(content: Content) -> str:
    if content.campaign.is_suppressed:
        return f"Not shown for {wording.FEWER_PEOPLE}."
    missing = wording.NOT_IN_FILE if content.campaign.is_imported else "not recorded for this campaign's members"
    return f"Age, sex, district or department are {missing}."


def _ideas(content: Content) -> dict[str, Any]:
    listed = content.ideas.head(IDEAS_LISTED)
    total = content.coins_on_ideas
    rows = [
        {
            "rank": "" if row["rank_in_campaign"] is None else str(row["rank_in_campaign"]),
            "title": wording.title(row["title"], 150),
            "status": wording.status(row["status"]),
            "coins": wording.count(row["coins"]),
            "share": wording.percent(row["coins"] / total) if total and row["coins"] is not None else wording.NONE,
            "backers": wording.UNDER if row["backers"] is None else wording.count(row["backers"]),
        }
        for row in listed.iter_rows(named=True)
    ]
    more = content.ideas.height - listed.height
    return {
        "rows": rows,
        "has_status": content.outcome_is_known,
        "more": f"{wording.counted(more, 'more idea is', 'more ideas are')} in the workbook." if more else "",
    }


def _drawable(value: Any, missing: set[str]) -> Any:
    """The same structure with :func:`glyphs.drawable` applied to every text; adds the missing scripts to `missing`."""
    if isinstance(value, str):
        missing |= glyphs.missing_scripts(value)
        return glyphs.drawable(value, 2000)
    if isinstance(value, dict):
        return {key: _drawable(item, missing) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_drawable(item, missing) for item in value]
    return value
