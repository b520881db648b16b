"""Figures as cards: value or reason, definition, numerator and denominator, coverage, and the previous period."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape

import streamlit as st

from pipelines import wording
from pipelines.marts import Figure

_REASONS: Mapping[str, str] = {
    wording.NOT_IN_FILE: "The imported file does not contain this figure.",
    "nothing to count": "There is no data for it yet.",
    "outcome unknown": "The outcome is not known.",
    wording.ELIGIBLE_NOT_KNOWN: "The campaign does not state how many people may join.",
    wording.ELIGIBLE_WRONG: "The campaign states fewer people who may join than it has members.",
    wording.FEWER_PEOPLE: f"Not shown for {wording.FEWER_PEOPLE}.",
}


def questions(figures: Sequence[Figure], recent: Sequence[Figure]) -> None:
    """Show all figures under their questions. `recent` are the same figures over the last 30 days."""
    by_key = {(figure.name, figure.currency): figure for figure in recent}
    by_question: dict[str, list[Figure]] = {}
    for figure in sorted(figures, key=lambda figure: (figure.question_order, figure.figure_order)):
        by_question.setdefault(figure.question, []).append(figure)
    body = "".join(
        f'<section class="im-question" style="--cards: {_width(group)}"><h2>{escape(question)}</h2>'
        f'<div class="im-cards">{_cards(group, by_key)}</div></section>'
        for question, group in by_question.items()
    )
    st.html(f'<div class="im-figures"><div class="im-questions">{body}</div></div>')


def row(figures: Sequence[Figure]) -> None:
    """Show some figures side by side."""
    if figures:
        cards = f'<div class="im-cards im-row" style="--cards: {_width(figures)}">{_cards(figures, {})}</div>'
        st.html(f'<div class="im-figures">{cards}</div>')


def _width(figures: Iterable[Figure]) -> int:
    """Number of columns for the cards: one per reading, at most two per card; further readings are below."""
    readings = Counter(figure.name for figure in figures)
    return sum(min(number, 2) for number in readings.values())


def _cards(figures: Sequence[Figure], recent: Mapping[tuple[str, str | None], Figure]) -> str:
    by_name: dict[str, list[Figure]] = {}
    for figure in figures:
        by_name.setdefault(figure.name, []).append(figure)
    return "".join(_card(group, recent) for group in by_name.values())


def _card(group: Sequence[Figure], recent: Mapping[tuple[str, str | None], Figure]) -> str:
    first = group[0]
    readings = "".join(_reading(figure, recent.get((figure.name, figure.currency))) for figure in group)
    return (
        f'<article class="im-card" style="--readings: {_width(group)}" data-figure="{escape(first.name)}">'
        f'<h3>{escape(first.title)}</h3><div class="im-readings">{readings}</div>'
        f'<details class="im-definition"><summary>Definition</summary><p>{escape(first.definition)}</p></details></article>'
    )


def _reading(figure: Figure, recent: Figure | None) -> str:
    now = figure.now
    currency = f"<small>{escape(figure.currency)}</small>" if figure.currency and figure.unit != "money" else ""
    if now.value is None:
        reason = _REASONS.get(now.unknown_reason or "", "Not known.")
        value = escape(now.unknown_reason or wording.NOT_KNOWN)
        return (
            f'<div class="im-reading"><p class="im-value im-unknown">{value}{currency}</p>'
            f'<p class="im-parts im-same">{escape(reason)}</p></div>'
        )
    shown = wording.value(now.value, figure.unit, figure.currency)
    parts = _parts(figure)
    comparison = _recent(recent) if recent else ""
    code = escape(figure.currency or "")
    return (
        f'<div class="im-reading" data-currency="{code}">'
        f'<p class="im-value" data-value="{now.value!r}">{escape(shown)}{currency}</p>'
        f"{f'<p class=im-parts>{parts}</p>' if parts else ''}{comparison}</div>"
    )


def _parts(figure: Figure) -> str:
    now = figure.now
    parts = ""
    if now.numerator is not None and now.denominator is not None:
        parts = f"{wording.count(now.numerator)} of {wording.count(now.denominator)}"
        if figure.currency:
            parts = (
                f"{wording.amount(now.numerator, figure.currency)} on {wording.money(now.denominator, figure.currency)}"
            )
    words = [parts] if parts else []
    if now.coverage is not None and figure.name != "coverage":
        words.append(f"coverage\N{NO-BREAK SPACE}{wording.percent(now.coverage)}")
    return escape(" · ".join(words))


def _recent(figure: Figure) -> str:
    """The last 30 days above the 30 days before, with an arrow; coloured only if one direction is better."""
    if figure.now.value is None:
        return ""
    now = wording.value(figure.now.value, figure.unit, figure.currency)
    before = wording.NOT_KNOWN
    if figure.before is not None:
        before = figure.before.unknown_reason or wording.value(figure.before.value, figure.unit, figure.currency)
    return (
        f'<dl class="im-recent"><dt>Last 30 days</dt><dd><b>{escape(now)}</b>{_change(figure)}</dd>'
        f"<dt>30 before</dt><dd>{escape(before)}</dd></dl>"
    )


def _change(figure: Figure) -> str:
    change = figure.change
    if change is None:
        return ""
    if change == 0:
        return ' <span class="im-same">no change</span>'
    words = wording.difference(change, figure.unit, figure.currency)
    kind = "same"
    if figure.better in ("up", "down"):
        kind = "better" if (change > 0) == (figure.better == "up") else "worse"
    return f' <span class="im-{kind}">{"▲" if change > 0 else "▼"}\N{NO-BREAK SPACE}{escape(words)}</span>'
