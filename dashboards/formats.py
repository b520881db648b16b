"""Numbers and words as people read them. What comes from people's texts is escaped by whoever shows it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final

from pipelines.marts import GROUP_SIZE_MIN

UNKNOWN: Final = "\N{EN DASH}"
_MINUS: Final = "\N{MINUS SIGN}"
_SPACE: Final = "\N{NO-BREAK SPACE}"
_STATUS_WORDS: Final = {
    "in_progress": "In progress",
    "not_selected": "Not selected",
    "outcome_unknown": "Outcome unknown",
}


def count(value: float | None) -> str:
    """A whole number with thousands separators; one decimal where it is not whole."""
    if value is None:
        return UNKNOWN
    text = f"{abs(value):,.0f}" if float(value).is_integer() else f"{abs(value):,.1f}"
    return f"{_MINUS}{text}" if value < 0 else text


def persons(number: int) -> str:
    """A count of people, never told for one to four of them."""
    return count(number) if number == 0 or number >= GROUP_SIZE_MIN else f"fewer than {GROUP_SIZE_MIN}"


def percent(fraction: float | None) -> str:
    """A fraction as a percentage with one decimal: 0.25 is 25.0%."""
    if fraction is None:
        return UNKNOWN
    text = f"{abs(fraction):,.1%}"
    return f"{_MINUS}{text}" if fraction < 0 and text != "0.0%" else text


def money(amount: Decimal | float | None, currency: str | None) -> str:
    """An amount without its cents, after its currency's code; the two never part at a line's end."""
    if amount is None:
        return UNKNOWN
    sign = _MINUS if amount < 0 else ""
    return f"{currency}{_SPACE}{sign}{abs(amount):,.0f}" if currency else f"{sign}{abs(amount):,.0f}"


def value(number: float | None, unit: str, currency: str | None = None) -> str:
    """A figure's value in its unit (percent, ratio, count, coins, days, money)."""
    if number is None:
        return UNKNOWN
    if unit in ("percent", "ratio"):
        return percent(number)
    if unit == "money":
        return money(number, currency)
    if unit == "days":
        return f"{count(number)}{_SPACE}{'day' if number == 1 else 'days'}"
    return count(number)


def change(difference: float, unit: str, currency: str | None = None) -> str:
    """A difference between two values of a unit, without its sign: percentages differ by points."""
    if unit in ("percent", "ratio"):
        return f"{abs(difference) * 100:,.1f}{_SPACE}points"
    return value(abs(difference), unit, currency)


def day(moment: date | datetime | None) -> str:
    """30 Jun 2026."""
    return UNKNOWN if moment is None else f"{moment.day}{_SPACE}{moment:%b}{_SPACE}{moment.year}"


def month(moment: date) -> str:
    """Jun 2026."""
    return f"{moment:%b}{_SPACE}{moment.year}"


def minute(moment: datetime) -> str:
    """30 Jun 2026, 04:00 UTC."""
    moment = moment.astimezone(UTC)
    return f"{day(moment)}, {moment:%H:%M}{_SPACE}UTC"


def age(span: timedelta) -> str:
    """How long ago, in its greatest whole unit."""
    for unit, seconds in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        number = int(span.total_seconds() // seconds)
        if number >= 1:
            return f"{number:,} {unit}{'' if number == 1 else 's'} ago"
    return "just now"


def status(word: str) -> str:
    """A status as it is read: not_selected is Not selected."""
    return _STATUS_WORDS.get(word, word.replace("_", " ").capitalize())


def shortened(text: str, characters: int) -> str:
    """The text on one line, cut at a word where it is longer, with an ellipsis."""
    line = " ".join(text.split())
    if len(line) <= characters:
        return line
    cut = line[: characters - 1]
    at = cut.rfind(" ")
    return f"{cut[:at] if at > characters * 2 // 3 else cut}…"
