"""Days, months, moments and spans of time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from babel.dates import format_date, format_datetime, format_interval
from babel.units import format_unit

from pipelines.wording.numbers import LOCALE, SPACE
from pipelines.wording.terms import NONE


def day(moment: date | datetime | None) -> str:
    """A day: 30 Jun 2026. A datetime is taken in its own time zone."""
    return NONE if moment is None else _joined(format_date(moment, "d MMM y", locale=LOCALE))


def month(moment: date | datetime) -> str:
    """A month of a year: Jun 2026."""
    return _joined(format_date(moment, "MMM y", locale=LOCALE))


def month_name(moment: date | datetime) -> str:
    """A month without its year: Jun."""
    return format_date(moment, "MMM", locale=LOCALE)


def minute(moment: datetime) -> str:
    """A moment, in UTC: 30 Jun 2026, 04:00 UTC. `moment` is aware."""
    moment = moment.astimezone(UTC)
    return f"{day(moment)}, {format_datetime(moment, f'HH:mm{SPACE}', locale=LOCALE)}UTC"


def span(start: date | datetime | None, end: date | datetime | None) -> str | None:
    """The days from `start` to `end`: 6 to 25 Sept 2019, with a dash. With one end: until or since that day; without both: None."""
    if start is None:
        return None if end is None else f"until {day(end)}"
    if end is None:
        return f"since {day(start)}"
    return format_interval(_date(start), _date(end), "yMMMd", locale=LOCALE)


def duration(length: timedelta) -> str:
    """A length of time in whole days, hours or minutes, the largest unit that fits: 5 hours."""
    for unit, seconds in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        number = int(length.total_seconds() // seconds)
        if number >= 1:
            return format_unit(number, f"duration-{unit}", locale=LOCALE)
    return "less than a minute"


def age(length: timedelta) -> str:
    """How long ago something was: 5 hours ago."""
    return "just now" if length < timedelta(minutes=1) else f"{duration(length)} ago"


def _date(moment: date | datetime) -> date:
    return moment.date() if isinstance(moment, datetime) else moment


def _joined(text: str) -> str:
    return text.replace(" ", SPACE)
