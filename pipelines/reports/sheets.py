"""The workbook's sheets as rows with typed columns; `workbook` writes them.

A cell is None if its number is not known; the reason is in the note column, so each column has one type.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from pipelines import wording
from pipelines.reports import glossary
from pipelines.reports.sentences import conservation_statement, ledger_head, sentences

if TYPE_CHECKING:
    from pipelines.marts import Figure, Measure
    from pipelines.reports.content import Content

_FEW_BACKERS: Final = f"{wording.FEWER} backers: the number is not shown"
_FEW_PEOPLE: Final = f"{wording.FEWER_PEOPLE}: the number is not shown"
_HIDDEN_GROUP: Final = f"not shown, to protect a group of {wording.FEWER_PEOPLE}"
_HIDDEN_CAMPAIGN: Final = f"Not shown for {wording.FEWER_PEOPLE}."
_PERIODS: Final = {"to_date": "to date", "last_30_days": "last 30 days", "previous_30_days": "30 days before"}


class Kind(Enum):
    """Type of a column, which defines how its cells are written and formatted."""

    TEXT = "text"
    LONG_TEXT = "long text"
    COUNT = "count"
    PERCENT = "percent"
    DAYS = "days"
    MONEY = "money"
    DATE = "date"
    MOMENT = "moment"
    YES_NO = "yes or no"
    BY_UNIT = "by unit"
    """For figures: each cell is `(number, kind)`."""


@dataclass(frozen=True, slots=True)
class Column:
    """A heading, the kind of its cells, and the width in characters."""

    heading: str
    kind: Kind
    width: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet: `rows` have a cell for each column; `empty` is the message for a sheet without rows."""

    name: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    empty: str = ""


def summary(content: Content) -> Sheet:
    """The three sentences, the facts of the campaign, and the snapshot."""
    campaign, snapshot = content.campaign, content.snapshot
    rows: list[tuple[str, str]] = [("Campaign", campaign.title)]
    rows += [(sentence.about, sentence.text) for sentence in sentences(content)]
    rows.append(("Status", campaign.status))
    if campaign.is_imported:
        rows.append(("Origin", "election imported from its published file"))
        rows.append(("Ballot", campaign.ballot_type or wording.NOT_IN_FILE))
    start, end = campaign.activated_at or campaign.starts_at, campaign.completed_at or campaign.ends_at
    missing = wording.NOT_IN_FILE if campaign.is_imported else "no dates set"
    rows.append(("Dates", wording.span(start, end) or missing))
    if campaign.budget_amount is not None:
        rows.append(("Budget", wording.money(campaign.budget_amount, campaign.currency)))
    if result := wording.result(campaign):
        rows.append(("Result", result))
    rows.append((content.people.capitalize(), wording.people(campaign.members)))
    rows.append(("Coins", conservation_statement(content)))
    rows.append(("Ledger head", ledger_head(content)))
    rows.append(("Data as of", wording.minute(snapshot.created_at)))
    if content.refusal is not None:
        refused = f"{wording.refused(content.refusal)} {wording.refusal_reasons(content.refusal)}"
        rows.append(("Newer data", refused))
    rows.append(("Snapshot", snapshot.id))
    columns = (Column("About", Kind.TEXT, 16), Column("Statement", Kind.LONG_TEXT, 110))
    return Sheet("Summary", columns, tuple(rows))


def figures(content: Content) -> Sheet:
    """A row per figure and period."""
    columns = (
        Column("Question", Kind.TEXT, 28), Column("Figure", Kind.TEXT, 24), Column("Currency", Kind.TEXT, 10),
        Column("Period", Kind.TEXT, 15), Column("From", Kind.DATE, 12), Column("Until", Kind.DATE, 12),
        Column("Value", Kind.BY_UNIT, 14), Column("Unit", Kind.TEXT, 10), Column("Numerator", Kind.BY_UNIT, 14),
        Column("Denominator", Kind.BY_UNIT, 14), Column("Coverage", Kind.PERCENT, 11),
        Column("Not known because", Kind.TEXT, 22), Column("Definition", Kind.LONG_TEXT, 80),
    )  # fmt: skip
    return Sheet("Figures", columns, tuple(_figure_rows(content)), "The snapshot has no figures for this campaign.")


def ideas(content: Content) -> Sheet:
    """A row per idea, by rank."""
    columns = (
        Column("Rank", Kind.COUNT, 7), Column("Idea", Kind.LONG_TEXT, 70), Column("Status", Kind.TEXT, 22),
        Column("Coins", Kind.COUNT, 12), Column("Share of coins", Kind.PERCENT, 14),
        Column("Backers", Kind.COUNT, 10), Column("Backed", Kind.YES_NO, 9), Column("Category", Kind.TEXT, 24),
        Column("Tags", Kind.TEXT, 24), Column("Submitted (UTC)", Kind.MOMENT, 17),
        Column("Decided (UTC)", Kind.MOMENT, 17), Column("Id in the file", Kind.TEXT, 14),
        Column("Idea id", Kind.TEXT, 38), Column("Note", Kind.TEXT, 46),
    )  # fmt: skip
    total = content.coins_on_ideas
    rows = (
        (
            row["rank_in_campaign"], row["title"], wording.status(row["status"]), row["coins"],
            row["coins"] / total if total and row["coins"] is not None else None,
            row["backers"], row["is_backed"], row["category"], row["tags"],
            row["submitted_at"], row["decided_at"], row["source_ref"], row["idea_id"],
            _FEW_PEOPLE if row["coins"] is None else _FEW_BACKERS if row["backers"] is None else "",
        )
        for row in content.ideas.iter_rows(named=True)
    )  # fmt: skip
    return Sheet("Ideas", columns, tuple(rows), "There are no ideas yet.")


def coins_over_time(content: Content) -> Sheet:
    """A row per day."""
    columns = (
        Column("Day", Kind.DATE, 12), Column("Coins placed", Kind.COUNT, 14), Column("Coins taken back", Kind.COUNT, 17),
        Column("Net", Kind.COUNT, 12), Column("Coins at work", Kind.COUNT, 15), Column("Active members", Kind.COUNT, 16),
        Column("Members", Kind.COUNT, 12), Column("Note", Kind.TEXT, 50),
    )  # fmt: skip
    names = ("day", "coins_placed", "coins_taken_back", "coins_net", "coins_at_work", "active_members", "members")
    if content.campaign.is_imported:
        empty = f"When each coin was placed is {wording.NOT_IN_FILE}: all ballots have the date of the last day of the election."
    else:
        empty = _HIDDEN_CAMPAIGN if content.campaign.is_suppressed else "No coin has been placed yet."
    rows = ((*row, "" if None not in row[-2:] else _FEW_PEOPLE) for row in content.days.select(names).iter_rows())
    return Sheet("Coins over time", columns, tuple(rows), empty)


def participation(content: Content) -> Sheet:
    """A row per attribute and group. Only the organisation's own campaigns have a share of participants."""
    people = content.people.capitalize()
    columns = (
        Column("Attribute", Kind.TEXT, 16), Column("Group", Kind.TEXT, 30), Column(people, Kind.COUNT, 12),
        Column("Took part", Kind.COUNT, 12), Column("Share", Kind.PERCENT, 10), Column("Coins", Kind.COUNT, 12),
        Column("Note", Kind.TEXT, 70),
    )  # fmt: skip
    is_imported = content.campaign.is_imported
    rows = (
        (
            wording.ATTRIBUTES.get(row["attribute"], row["attribute"]), row["group_name"], row["members"], row["participants"],
            None if is_imported or not row["members"] else row["participants"] / row["members"], row["coins"],
            _HIDDEN_GROUP if row["is_suppressed"] else f"people who did not vote are {wording.NOT_IN_FILE}" if is_imported else "",
        )
        for row in content.groups.iter_rows(named=True)
    )  # fmt: skip
    missing = wording.NOT_IN_FILE if is_imported else "not recorded for this campaign's members"
    empty = f"Age, sex, district or department are {missing}."
    return Sheet("Participation", columns, tuple(rows), _HIDDEN_CAMPAIGN if content.campaign.is_suppressed else empty)


def roi(content: Content) -> Sheet:
    """A row per idea with a cost or value, in the idea's currency; without totals, since currencies differ."""
    columns = (
        Column("Idea", Kind.LONG_TEXT, 60), Column("Status", Kind.TEXT, 22), Column("Currency", Kind.TEXT, 10),
        Column("Cost expected", Kind.MONEY, 16), Column("Cost realised", Kind.MONEY, 16),
        Column("Value expected", Kind.MONEY, 16), Column("Value realised", Kind.MONEY, 16),
        Column("Return", Kind.PERCENT, 10), Column("As of", Kind.DATE, 12), Column("Accepted", Kind.YES_NO, 10),
        Column("Note", Kind.TEXT, 48),
    )  # fmt: skip
    missing = wording.NOT_IN_FILE if content.campaign.is_imported else wording.NOT_KNOWN
    rows = (
        (
            row["title"], wording.status(row["status"]), row["currency"], row["expected_cost"],
            row["realised_cost"], row["expected_value"], row["realised_value"], row["roi"], row["as_of"],
            row["was_accepted"] if content.outcome_is_known else None,
            "" if row["has_both"] else f"realised cost or value {missing}",
        )
        for row in content.roi.iter_rows(named=True)
    )  # fmt: skip
    return Sheet("ROI", columns, tuple(rows), f"Costs and values of the ideas are {missing}.")


def conservation(content: Content) -> Sheet:
    """The coins of each account, and the difference, which must be 0."""
    columns = (
        Column("Side", Kind.TEXT, 14), Column("Coins are", Kind.TEXT, 20), Column("Coins", Kind.COUNT, 16),
        Column("Share of total", Kind.PERCENT, 19),
    )  # fmt: skip
    row = content.conservation
    if row is None:
        return Sheet("Conservation", columns, (), "The snapshot contains no conservation statement for this campaign.")
    if row["is_suppressed"]:
        return Sheet("Conservation", columns, (), conservation_statement(content))
    total = row["issued_coins"] + row["carried_in_coins"]
    accounts = (
        ("given out", "issued", "issued_coins"), ("given out", "carried in", "carried_in_coins"),
        ("found", "in wallets", "wallet_coins"), ("found", "held", "held_coins"),
        ("found", "on ideas", "staked_coins"), ("found", "expired", "expired_coins"),
        ("found", "carried out", "carried_out_coins"),
    )  # fmt: skip
    rows: list[tuple[Any, ...]] = [
        (side, name, row[column], row[column] / total if total else None) for side, name, column in accounts
    ]
    rows.append(("difference", "given out minus found", row["difference_coins"], None))
    return Sheet("Conservation", columns, tuple(rows))


def definitions(content: Content) -> Sheet:
    """The definitions of figures and terms, and the limits of the data."""
    seen = {figure.title: figure.definition for figure in content.to_date}
    rows = [("Figure", title, meaning) for title, meaning in seen.items()]
    rows += [("Term", term, meaning) for term, meaning in glossary.terms(content)]
    rows.append(
        (
            "Term",
            "Empty cell",
            "Not known, or not shown to protect a small group; the note in the row states the reason.",
        )
    )
    rows += [("Limit", "This data", sentence) for sentence in glossary.limits(content)]
    columns = (Column("Kind", Kind.TEXT, 10), Column("Name", Kind.TEXT, 26), Column("Meaning", Kind.LONG_TEXT, 110))
    return Sheet("Definitions", columns, tuple(rows))


def sheets(content: Content) -> tuple[Sheet, ...]:
    """Every sheet, in the workbook's order."""
    makers = (summary, figures, ideas, coins_over_time, participation, roi, conservation, definitions)
    return tuple(make(content) for make in makers)


def _figure_rows(content: Content) -> Iterator[tuple[Any, ...]]:
    for figure in content.to_date:
        yield _figure_row(figure, "to_date", figure.now)
        recent = content.recently(figure)
        if recent is not None:
            yield _figure_row(recent, "last_30_days", recent.now)
            if recent.before is not None:
                yield _figure_row(recent, "previous_30_days", recent.before)


def _figure_row(figure: Figure, period: str, measure: Measure) -> tuple[Any, ...]:
    kinds = {"percent": Kind.PERCENT, "ratio": Kind.PERCENT, "days": Kind.DAYS, "money": Kind.MONEY}
    counted = Kind.MONEY if figure.currency else Kind.COUNT
    if measure.value is None:  # numerator and denominator would reveal a hidden value
        measure = replace(measure, numerator=None, denominator=None, coverage=None)
    return (
        figure.question, figure.title, figure.currency, _PERIODS[period], measure.starts_on, measure.ends_on,
        (measure.value, kinds.get(figure.unit, Kind.COUNT)), figure.unit, (measure.numerator, counted),
        (measure.denominator, counted), measure.coverage, "" if measure.value is not None else measure.unknown_reason or wording.NOT_KNOWN,
        figure.definition,
    )  # fmt: skip
