"""Rates in the notation of settings, such as `120/minute`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator

OFF = "off"
PERIODS_S = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
LIMIT_MAX = 1_000_000
_NOTATION = re.compile(rf"([1-9][0-9]{{0,6}})/({'|'.join(PERIODS_S)})")


@dataclass(frozen=True)
class Rate:
    """At most `limit` events per `period`."""

    limit: int
    period: str

    @property
    def period_s(self) -> int:
        """Length of the period in seconds."""
        return PERIODS_S[self.period]

    def __str__(self) -> str:
        """The notation of settings."""
        return f"{self.limit}/{self.period}"


def _read(value: Any) -> Any:
    """A rate from its notation, or None for `off`.

    Raises:
        ValueError: the text is neither a rate nor `off`.
    """
    if not isinstance(value, str):
        return value
    if value.strip().lower() == OFF:
        return None
    parsed = _NOTATION.fullmatch(value.strip().lower())
    if parsed is None or int(parsed[1]) > LIMIT_MAX:
        msg = f"not a rate of 1 to {LIMIT_MAX:,} a {', '.join(PERIODS_S)}, and not {OFF}"
        raise ValueError(msg)
    return Rate(int(parsed[1]), parsed[2])


# None means no limit
RateLimit = Annotated[Rate | None, BeforeValidator(_read)]
