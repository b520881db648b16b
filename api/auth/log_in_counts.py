"""Counts of failed log-ins, which all processes of an installation share: in the database, or in Redis.

:mod:`api.auth.throttle` decides which counts an attempt has, and refuses it before the end of their delay.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import text

from api.kernel import clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

FREE_FAILURES = 4
DELAY_FIRST_S = 1.0
DELAY_MAX_S = 15 * 60.0
FORGOTTEN_AFTER = timedelta(hours=1)
KNOWN_FOR = timedelta(days=90)

_READ = text("SELECT key, failures, failed_at, succeeded_at FROM app.log_in_counts WHERE key = ANY(:keys)")
# in the order of the keys, so that two failures cannot wait for each other
_ADD = text(
    """
    INSERT INTO app.log_in_counts AS c (key, failures, failed_at)
    SELECT k, 1, :now FROM unnest(CAST(:keys AS bytea[])) AS k ORDER BY k
    ON CONFLICT (key) DO UPDATE SET
        failures = CASE WHEN c.failed_at >= :forgotten THEN c.failures + 1 ELSE 1 END,
        failed_at = :now
    RETURNING key, failures
    """
)
_LOCK = text(
    """
    INSERT INTO app.log_in_counts AS c (key, failures) VALUES (:key, 0)
    ON CONFLICT (key) DO UPDATE SET failures = c.failures
    RETURNING failures, failed_at
    """
)
_RESET = text(
    """
    INSERT INTO app.log_in_counts AS c (key, failures, succeeded_at)
    SELECT k, 0, :now FROM unnest(CAST(:keys AS bytea[])) AS k ORDER BY k
    ON CONFLICT (key) DO UPDATE SET failures = 0, succeeded_at = :now
    """
)


@dataclass(frozen=True)
class Count:
    """Failures in a row, the last of them, and the last success, of one key."""

    failures: int = 0
    failed_at: datetime | None = None
    succeeded_at: datetime | None = None

    def wait_s(self, now: datetime) -> float:
        """Seconds until the next attempt is possible."""
        over = self.counted(now) - FREE_FAILURES
        if over <= 0 or self.failed_at is None:
            return 0.0
        delay_s = min(DELAY_FIRST_S * 2.0 ** min(over - 1, 30), DELAY_MAX_S)
        return (self.failed_at - now).total_seconds() + delay_s

    def counted(self, now: datetime) -> int:
        """The failures that are not forgotten."""
        return self.failures if self.failed_at is not None and self.failed_at >= now - FORGOTTEN_AFTER else 0

    def is_known(self, now: datetime) -> bool:
        """Whether a log-in from there succeeded lately."""
        return self.succeeded_at is not None and self.succeeded_at > now - KNOWN_FOR


class FailureCounts(Protocol):
    """The interface of a store of counts. `session` is that of the attempt."""

    async def read(self, session: AsyncSession, keys: Sequence[bytes]) -> dict[bytes, Count]:
        """The count of each key."""

    async def add(self, session: AsyncSession, keys: Sequence[bytes]) -> dict[bytes, int]:
        """Count a failure of each key; returns the failures that are not forgotten, with this one."""

    async def add_unless_early(self, session: AsyncSession, key: bytes) -> float:
        """Count a failure, unless its key has to wait: then return the seconds of the wait. Of several calls, each one counts."""

    async def reset(self, session: AsyncSession, keys: Sequence[bytes]) -> None:
        """Record a success of each key, which resets its failures."""

    async def close(self) -> None:
        """Close connections."""


class DatabaseCounts:
    """The counts in the table `log_in_counts`, changed in the transaction of the attempt."""

    async def read(self, session: AsyncSession, keys: Sequence[bytes]) -> dict[bytes, Count]:
        """The count of each key."""
        rows = await session.execute(_READ, {"keys": list(keys)})
        found = {bytes(row.key): Count(row.failures, row.failed_at, row.succeeded_at) for row in rows}
        return {key: found.get(key, Count()) for key in keys}

    async def add(self, session: AsyncSession, keys: Sequence[bytes]) -> dict[bytes, int]:
        """Count a failure of each key; returns the failures that are not forgotten, with this one."""
        now = clock.now()
        values = {"keys": sorted(keys), "now": now, "forgotten": now - FORGOTTEN_AFTER}
        return {bytes(row.key): row.failures for row in await session.execute(_ADD, values)}

    async def add_unless_early(self, session: AsyncSession, key: bytes) -> float:
        """Count a failure, unless its key has to wait; the count is locked until the transaction ends."""
        row = (await session.execute(_LOCK, {"key": key})).one()
        wait_s = Count(row.failures, row.failed_at).wait_s(clock.now())
        if wait_s <= 0:
            await self.add(session, (key,))
        return wait_s

    async def reset(self, session: AsyncSession, keys: Sequence[bytes]) -> None:
        """Record a success of each key, which resets its failures."""
        await session.execute(_RESET, {"keys": list(keys), "now": clock.now()})

    async def close(self) -> None:
        """Do nothing: the session is the caller's."""
