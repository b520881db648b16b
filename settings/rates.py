"""How often something may happen, in the notation of settings: `120/minute`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator

OFF = "off"
PERIODS_S = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
LIMIT_MAX = 1_000_000
_WRITTEN = re.compile(rf"([1-9][0-9]{{0,6}})/({'|'.join(PERIODS_S)})")


@dataclass(frozen=True)
class Rate:
    """At most `limit` in `period`."""

    limit: int
    period: str

    @property
    def period_s(self) -> int:
        """Length of the period in seconds."""
        return PERIODS_S[self.period]

    def __str__(self) -> str:
        """As settings write it."""
        return f"{self.limit}/{self.period}"


def _read(value: Any) -> Any:
    """A rate as it is written, or None for `off`.

    Raises:
        ValueError: it is neither.
    """
    if not isinstance(value, str):
        return value
    if value.strip().lower() == OFF:
        return None
    written = _WRITTEN.fullmatch(value.strip().lower())
    if written is None or int(written[1]) > LIMIT_MAX:
        msg = f"not a rate of 1 to {LIMIT_MAX:,} a {', '.join(PERIODS_S)}, and not {OFF}"
        raise ValueError(msg)
    return Rate(int(written[1]), written[2])


# None is no limit
RateLimit = Annotated[Rate | None, BeforeValidator(_read)]
