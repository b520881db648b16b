"""Positions for the charts that the template draws: fractions of the plot's width and height, ticks and labels."""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from pipelines import wording

if TYPE_CHECKING:
    from pipelines.reports.content import Content

_POINTS_MAX: Final = 400
_TICKS_MAX: Final = 7
_DAYS_BY_WEEK_MAX: Final = 100


def nice_ticks(highest: float, steps: int = 4) -> list[float]:
    """Round numbers from 0 to at least `highest`, in about `steps` steps (Heckbert's nice numbers)."""
    if highest <= 0:
        return [0.0, 1.0]
    rough = highest / steps
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough)
    step = max(step, 1.0)
    return [step * n for n in range(math.ceil(highest / step) + 1)]


def coins_over_time(content: Content) -> dict[str, Any] | None:
    """The line of coins at work by day: points, ticks and the label at its end; None for fewer than two days."""
    days = content.days.drop_nulls("coins_at_work").sort("day")
    if days.height < 2:
        return None
    first, last = days["day"][0], days["day"][-1]
    length_days = (last - first).days
    ticks = nice_ticks(float(days["coins_at_work"].max() or 0))  # type: ignore[arg-type]
    top = ticks[-1]
    if days.height > _POINTS_MAX:
        every = math.ceil(days.height / _POINTS_MAX)
        days = pl.concat([days.gather_every(every), days.tail(1)]).unique("day", keep="last", maintain_order=True)
    return {
        "points": [
            [(day - first).days / length_days, coins / top]
            for day, coins in days.select("day", "coins_at_work").iter_rows()
        ],
        "y": [{"at": tick / top, "label": wording.count(tick)} for tick in ticks],
        "x": [{"at": (tick - first).days / length_days, "label": label} for tick, label in _day_ticks(first, last)],
        "end": wording.count(days["coins_at_work"][-1]),
        "last": wording.day(last),
        "span": wording.span(first, last),
    }


def concentration(content: Content) -> dict[str, Any] | None:
    """The cumulative share of coins over ideas, most coins first, and the smallest number of ideas that hold half of them."""
    coins = sorted((int(number) for number in content.ideas["coins"] if number), reverse=True)
    total, ideas = sum(coins), content.ideas.height
    if total <= 0 or ideas < 3:
        return None
    points, running, half = [[0.0, 0.0]], 0, 0
    for place, number in enumerate(coins, start=1):
        running += number
        points.append([place / ideas, running / total])
        if not half and running * 2 >= total:
            half = place
    if len(coins) < ideas:
        points.append([1.0, 1.0])
    every = math.ceil(len(points) / _POINTS_MAX)
    shown = points[::every] if points[-1] == points[::every][-1] else [*points[::every], points[-1]]
    share = points[half][1]
    return {
        "points": shown,
        "half": [half / ideas, share],
        "label": f"{wording.counted(half, 'idea', 'ideas')}: {wording.percent(share)}",
        "headline": f"{wording.counted(half, 'idea holds', 'ideas hold')} half of all coins",
        "ideas": ideas,
    }


def _day_ticks(first: date, last: date) -> list[tuple[date, str]]:
    """At most about nine days, months or years; a label has the year at the first tick and where the year changes."""
    length_days = (last - first).days
    if length_days <= _DAYS_BY_WEEK_MAX:
        step = math.ceil(length_days / _TICKS_MAX)
        step = step if step < 7 else 7 * math.ceil(step / 7)
        found = [first + timedelta(days=n) for n in range(0, length_days + 1, step)]
        return [(day, f"{day.day} {wording.month_name(day)}") for day in found]
    months = next(step for step in (1, 2, 3, 6, 12, 24, 60, 120) if length_days / 30.4 / step <= _TICKS_MAX + 2)
    ticks: list[tuple[date, str]] = []
    year, month = first.year, first.month
    seen = 0
    while date(year, month, 1) <= last:
        day = date(year, month, 1)
        if day >= first and (month - 1) % min(months, 12) == 0:
            name = wording.month_name(day)
            ticks.append((day, f"{name} {year}" if year != seen else name))
            seen = year
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    every = max(1, math.ceil(len(ticks) / (_TICKS_MAX + 2)))
    return ticks[::every]
