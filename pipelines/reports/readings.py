"""The text of a figure in a report: its value, its numerator and denominator, and its change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pipelines import wording

if TYPE_CHECKING:
    from pipelines.marts import Figure, Measure
    from pipelines.reports.content import Content

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
    """A figure as text. `tone` is good, bad or same: whether the change is an improvement.

    `unknown` lists which of the fields now, recent and before contain a reason instead of a value.
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
        recent=value(figure, recent.now) if recent else wording.NONE,
        before=value(figure, recent.before) if recent and recent.before else wording.NONE,
        change=_change(recent) if recent else "",
        tone=_tone(recent) if recent else "same",
        unknown=tuple(name for name, measure in measures.items() if measure is not None and measure.value is None),
    )


def value(figure: Figure, measure: Measure) -> str:
    """A measure's value in its figure's unit, or the reason why it is not known."""
    if measure.value is None:
        return measure.unknown_reason or wording.NOT_KNOWN
    return wording.value(measure.value, figure.unit, figure.currency)


def basis(figure: Figure, measure: Measure) -> str:
    """Numerator and denominator, such as "72 of 120 members", and incomplete coverage; may be empty."""
    parts: list[str] = []
    if measure.value is not None and measure.numerator is not None and measure.denominator:
        top, bottom = measure.numerator, measure.denominator
        if figure.name == "roi":
            word = "gained" if top >= 0 else "lost"
            parts.append(
                f"{wording.amount(abs(top), figure.currency)} {word} on {wording.money(bottom, figure.currency)}"
            )
        elif figure.currency:
            parts.append(f"{wording.amount(top, figure.currency)} of {wording.money(bottom, figure.currency)}")
        else:
            parts.append(f"{wording.count(top)} of {wording.count(bottom)} {_NOUNS.get(figure.name, '')}".rstrip())
    if measure.value is not None and measure.coverage is not None and measure.coverage < 1:
        parts.append(f"data for {wording.percent(measure.coverage)}")
    return "; ".join(parts)


def _change(recent: Figure) -> str:
    return "" if recent.change is None else wording.signed(recent.change, recent.unit, recent.currency)


def _tone(recent: Figure) -> str:
    if not recent.change or recent.better not in ("up", "down"):
        return "same"
    return "good" if (recent.change > 0) == (recent.better == "up") else "bad"
