"""The current time, which can be replaced by another moment.

The demo, the import of an old election and tests of deadlines act at a moment that is not now. They set it with
:func:`at`; everything that is written inside the block takes effect at that moment. The time at which it is recorded is
always the database's own time.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.ext.asyncio import AsyncSession

_moment: ContextVar[datetime | None] = ContextVar("moment", default=None)


def now() -> datetime:
    """The moment set by :func:`at`, or the time by this process's clock, in UTC."""
    return _moment.get() or datetime.now(UTC)


def effective_at() -> datetime | None:
    """The moment set by :func:`at`, or None for the database's own clock."""
    return _moment.get()


async def database_now(session: AsyncSession) -> datetime:
    """The moment set by :func:`at`, or the time by the database's clock, which all processes share.

    For rules that depend on a date. Read it after taking the lock under which the rule is checked.
    """
    if (moment := _moment.get()) is not None:
        return moment
    found: datetime = await session.scalar(text("SELECT clock_timestamp()"))
    return found


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
