"""Converts days of a campaign to dates, counted backwards from the day on which the demo is created."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

SLOT_MIN = 15
# relative activity by hour of the day, from 07:00 to 18:00 UTC
_HOURS = {7: 5, 8: 13, 9: 15, 10: 11, 11: 9, 12: 14, 13: 9, 14: 8, 15: 8, 16: 9, 17: 4}
_BETWEEN_SLOTS_MIN = (2, 4, 7, 9, 11, 13, 17, 19, 22, 26, 28, 32, 34, 37, 41, 43, 47, 49, 52, 56, 58)


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days of a campaign. Day 0 is a Monday, so that each day has the same weekday in every demo."""

    monday: date

    @classmethod
    def of(cls, today: date, today_on_day: int) -> Calendar:
        """The calendar in which `today` is day `today_on_day`, or up to six days later."""
        start = today - timedelta(days=today_on_day)
        return cls(start - timedelta(days=start.weekday()))

    def date_of(self, day: int) -> date:
        """The date of a day of the campaign."""
        return self.monday + timedelta(days=day)

    def day_of(self, day: date) -> int:
        """The day of the campaign for a date."""
        return (day - self.monday).days

    def at(self, day: int, hour: int, minute: int = 0) -> datetime:
        """A time on a day, UTC."""
        return datetime.combine(self.date_of(day), time(hour, minute), UTC)

    def office_hours(self, day: int, chance: random.Random) -> datetime:
        """A random time for a single action; never the start of a slot, since coins are moved then."""
        return self.at(day, chance.randint(8, 16), chance.choice(_BETWEEN_SLOTS_MIN))

    def slot(self, day: int, chance: random.Random) -> datetime:
        """The start of a random quarter of an hour for a visit."""
        hour = chance.choices(list(_HOURS), list(_HOURS.values()))[0]
        return self.at(day, hour, SLOT_MIN * chance.randrange(60 // SLOT_MIN))

    @staticmethod
    def is_weekend(day: int) -> bool:
        """Whether it is a Saturday or Sunday."""
        return day % 7 >= 5


def named_periods(text: str, on: date) -> str:
    """`text` with {month} and {quarter} replaced by the last ones that ended before `on`."""
    month = on.replace(day=1) - timedelta(days=1)
    quarter = (on.month - 1) // 3 or 4
    year = on.year if on.month > 3 else on.year - 1
    return text.format(month=month.strftime("%B"), quarter=f"Q{quarter} {year}")
