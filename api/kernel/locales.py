"""Languages and time zones in requests."""

from __future__ import annotations

from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field

Language = Literal["en", "pl"]


def _known_time_zone(name: str) -> str:
    if name not in available_timezones():
        msg = "is no time zone of the IANA database, such as Europe/Warsaw"
        raise ValueError(msg)
    return name


TimeZone = Annotated[str, Field(max_length=64), AfterValidator(_known_time_zone)]
