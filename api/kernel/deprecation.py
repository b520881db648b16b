"""The deprecation of a route, declared once: it gives the headers of its responses, the flag and the text in OpenAPI.

`Deprecation` (RFC 9745) states since when the route is deprecated, `Sunset` (RFC 8594) when it may be removed, and `Link`
where its successor is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from typing import Any, TypeVar

_ATTRIBUTE = "__deprecation__"

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class Deprecated:
    """Marks the function of a route as deprecated: `@Deprecated(since=..., sunset=..., successor=...)`.

    Attributes:
        since: the day from which it is deprecated, in UTC.
        sunset: the day from which it may be removed; later than `since`.
        successor: the path or URL of what replaces it; None if nothing does.
    """

    since: date
    sunset: date
    successor: str | None = None

    def __post_init__(self) -> None:
        """Check that the parts are consistent."""
        assert self.since < self.sunset, "a route is removed after its deprecation"
        assert self.successor is None or (self.successor.isascii() and not set(self.successor) & set("<> "))

    def __call__(self, function: Function) -> Function:
        """Mark the function."""
        setattr(function, _ATTRIBUTE, self)
        return function

    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """The headers of each response of the route, errors included."""
        headers = {
            "deprecation": f"@{_midnight(self.since).timestamp():.0f}",
            "sunset": format_datetime(_midnight(self.sunset), usegmt=True),
        }
        if self.successor:
            headers["link"] = f'<{self.successor}>; rel="successor-version"'
        return tuple((name.encode(), value.encode()) for name, value in headers.items())

    def text(self) -> str:
        """The sentence for the description of the operation."""
        replaced = f" Use {self.successor} instead." if self.successor else ""
        return f"Deprecated since {self.since}; may be removed from {self.sunset} on.{replaced}"


def find_deprecation(function: Callable[..., Any] | None) -> Deprecated | None:
    """The deprecation of a route's function, or None."""
    return getattr(function, _ATTRIBUTE, None)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
