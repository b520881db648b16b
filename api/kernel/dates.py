"""The years that a date may have, in requests and in imported files."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, TypeVar

from pydantic import AfterValidator, AwareDatetime

YEAR_MIN, YEAR_MAX = 1900, 2200
_FIRST = datetime(YEAR_MIN, 1, 1, tzinfo=UTC)
_END = datetime(YEAR_MAX + 1, 1, 1, tzinfo=UTC)

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


Day = Annotated[date, AfterValidator(check_year)]
Moment = Annotated[AwareDatetime, AfterValidator(check_year)]
