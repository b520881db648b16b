"""How a figure reads in a report: its value, what it was computed from, and the change since the period before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pipelines.reports import wording

if TYPE_CHECKING:
    from pipelines.marts import Figure, Measure
    from pipelines.reports.content import Content

NO_PERIOD: Final = "\u2013"
"""Stands where a figure is not counted by period."""

_NOUNS: Final = {
    "participation": "members",
    "reach": "people",
    "backed": "ideas",
    "overdue": "open ideas",
    "coverage": "ideas",
    "breadth": "participants",
    "at_work": "coins",
    "top_share": "coins",
    "late_share": "coins",
    "difference": "coins",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """A figure as text. `tone` says whether the change is for the better: good, bad or same.

    `unknown` has those of now, recent and before that are a reason instead of a value.
    """

    title: str
    definition: str
    now: str
    basis: str
    recent: str
    before: str
    change: str
    tone: str
    unknown: tuple[str, ...]


def read_figure(content: Content, figure: Figure) -> Reading:
    """The figure's reading to date, of the last 30 days and of the 30 days before."""
    recent = content.recently(figure)
    title = f"{figure.title}, {figure.currency}" if figure.currency else figure.title
    measures = {
        "now": figure.now,
        "recent": recent.now if recent else None,
        "before": recent.before if recent else None,
    }
    return Reading(
        title=title,
        definition=figure.definition,
        now=value(figure, figure.now),
        basis=basis(figure, figure.now),
        recent=value(figure, recent.now) if recent else NO_PERIOD,
        before=value(figure, recent.before) if recent and recent.before else NO_PERIOD,
        change=_change(recent) if recent else "",
        tone=_tone(recent) if recent else "same",
        unknown=tuple(name for name, measure in measures.items() if measure is not None and measure.value is None),
    )


def value(figure: Figure, measure: Measure) -> str:
    """A measure's value in its figure's unit, or why it is not known."""
    if measure.value is None:
        return measure.unknown_reason or wording.UNKNOWN
    match figure.unit:
        case "percent" | "ratio":
            return wording.percent(measure.value)
        case "days":
            return f"{wording.count(round(measure.value, 1))} days"
        case "money":
            return wording.money(measure.value, figure.currency)
        case _:
            return wording.count(measure.value)


def basis(figure: Figure, measure: Measure) -> str:
    """What the value was computed from, as "72 of 120 members"; empty where there is nothing to add."""
    parts: list[str] = []
    if measure.value is not None and measure.numerator is not None and measure.denominator:
        top, bottom = measure.numerator, measure.denominator
        if figure.name == "roi":
            word = "gained" if top >= 0 else "lost"
            parts.append(f"{wording.amount(abs(top))} {word} on {wording.money(bottom, figure.currency)}")
        elif figure.currency:
            parts.append(f"{wording.amount(top)} of {wording.money(bottom, figure.currency)}")
        else:
            parts.append(f"{wording.count(top)} of {wording.count(bottom)} {_NOUNS.get(figure.name, '')}".rstrip())
    if measure.value is not None and measure.coverage is not None and measure.coverage < 1:
        parts.append(f"data for {wording.percent(measure.coverage)}")
    return "; ".join(parts)


def _change(recent: Figure) -> str:
    if recent.change is None:
        return ""
    if recent.unit in ("percent", "ratio"):
        return wording.points(recent.change)
    return wording.signed(round(recent.change, 2))


def _tone(recent: Figure) -> str:
    if not recent.change or recent.better not in ("up", "down"):
        return "same"
    return "good" if (recent.change > 0) == (recent.better == "up") else "bad"
