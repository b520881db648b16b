"""Dates in requests and imported files: text in the form of RFC 3339, in a bounded range of years."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated, TypeVar

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Strict

YEAR_MIN, YEAR_MAX = 1900, 2200
_FIRST = datetime(YEAR_MIN, 1, 1, tzinfo=UTC)
_END = datetime(YEAR_MAX + 1, 1, 1, tzinfo=UTC)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(rf"{_DAY.pattern}[Tt ][0-9]{{2}}:[0-9]{{2}}.*")

AnyDate = TypeVar("AnyDate", bound=date)


def check_year(value: AnyDate) -> AnyDate:
    """The date, or the moment with its time zone, if it is in the years 1900 to 2200 (of UTC).

    Raises:
        ValueError: it is before or after them.
    """
    is_in = _FIRST <= value < _END if isinstance(value, datetime) else YEAR_MIN <= value.year <= YEAR_MAX
    if not is_in:
        msg = f"must be in the years {YEAR_MIN} to {YEAR_MAX}"
        raise ValueError(msg)
    return value


def _day_as_text(value: object) -> object:
    """Refuse a number, which pydantic reads as seconds since 1970."""
    if type(value) is date or (isinstance(value, str) and _DAY.fullmatch(value)):
        return value
    msg = "must be a day as text, such as 2026-05-01"
    raise ValueError(msg)


def _moment_as_text(value: object) -> object:
    """Refuse a number, which pydantic reads as seconds since 1970."""
    if isinstance(value, datetime) or (isinstance(value, str) and _MOMENT.fullmatch(value)):
        return value
    msg = "must be a date and time with a time zone as text, such as 2026-05-01T12:00:00Z"
    raise ValueError(msg)


Day = Annotated[date, Strict(strict=False), BeforeValidator(_day_as_text), AfterValidator(check_year)]
Moment = Annotated[AwareDatetime, Strict(strict=False), BeforeValidator(_moment_as_text), AfterValidator(check_year)]
