"""The time, and a way to be at another one.

A demo that tells nine months, an import of an old election and a test of a deadline all have to act at a moment that is
not now. They say so here, and everything that is done inside bears that time as the time it took effect; when it was
recorded stays the database's own time.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_moment: ContextVar[datetime | None] = ContextVar("moment", default=None)


def now() -> datetime:
    """The time at which what is done now takes effect, in UTC."""
    return _moment.get() or datetime.now(UTC)


def effective_at() -> datetime | None:
    """The moment set by :func:`at`, or None for the database's own clock."""
    return _moment.get()


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    """Act at `moment`, which must have a time zone."""
    if moment.tzinfo is None:
        msg = f"{moment!r} has no time zone"
        raise ValueError(msg)
    token = _moment.set(moment.astimezone(UTC))
    try:
        yield
    finally:
        _moment.reset(token)
