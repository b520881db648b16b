"""Counts of failed log-ins in Redis, so that a flood of them writes nothing to the database.

A count that is not used any more expires. While Redis is unavailable the counts in the database are used: an attacker may
then try as often again, but no log-in fails for it. After five failures in a row Redis is tried every 30 s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from api.auth.log_in_counts import FORGOTTEN_AFTER, KNOWN_FOR, Count, DatabaseCounts
from api.kernel import clock
from api.kernel.breaker import Breaker

if TYPE_CHECKING:
    from redis.asyncio.client import Pipeline
    from sqlalchemy.ext.asyncio import AsyncSession

T = TypeVar("T")

log = structlog.get_logger(__name__)

_PREFIX = "ideamint:log_in_counts:"
_FIELDS = ("failures", "failed_at_us", "succeeded_at_us")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class RedisCounts:
    """The counts of all processes that use the same Redis: a hash for each key."""

    def __init__(self, url: str, *, timeout_s: float, breaker: Breaker | None = None) -> None:
        """No connection is opened before the first attempt."""
        # a failed call is not retried: the database counts instead
        # Each read has the limit too: the client asks the server to end a transaction that `_call` has cancelled.
        self._redis = Redis.from_url(
            url, retry=Retry(NoBackoff(), 0), socket_timeout=timeout_s, socket_connect_timeout=timeout_s
        )
        self._timeout_s = timeout_s
        self._breaker = breaker or Breaker()
        self._database = DatabaseCounts()

    async def read(self, session: AsyncSession, keys: Sequence[bytes]) -> dict[bytes, Count]:
        """The count of each key."""

        async def read() -> dict[bytes, Count]:
            pipeline = self._redis.pipeline(transaction=False)
            for key in keys:
                pipeline.hmget(_name(key), *_FIELDS)
            return dict(zip(keys, map(_count, await pipeline.execute()), strict=True))

        return await self._call(read, lambda: self._database.read(session, keys))

    async def add(self, session: AsyncSession, keys: Sequence[bytes]) -> dict[bytes, int]:
        """Count a failure of each key; returns the failures that are not forgotten, with this one."""

        async def change(pipeline: Pipeline) -> dict[bytes, int]:
            now = clock.now()
            counts = {key: _count(await pipeline.hmget(_name(key), *_FIELDS)) for key in keys}
            pipeline.multi()  # type: ignore[no-untyped-call]
            return {key: _add(pipeline, key, count, now) for key, count in counts.items()}

        return await self._call(lambda: self._change(change, keys), lambda: self._database.add(session, keys))

    async def add_unless_early(self, session: AsyncSession, key: bytes) -> float:
        """Count a failure, unless its key has to wait: then return the seconds of the wait. Of several calls, each one counts."""

        async def change(pipeline: Pipeline) -> float:
            now = clock.now()
            count = _count(await pipeline.hmget(_name(key), *_FIELDS))
            pipeline.multi()  # type: ignore[no-untyped-call]
            wait_s = count.wait_s(now)
            if wait_s <= 0:
                _add(pipeline, key, count, now)
            return wait_s

        return await self._call(
            lambda: self._change(change, (key,)), lambda: self._database.add_unless_early(session, key)
        )

    async def reset(self, session: AsyncSession, keys: Sequence[bytes]) -> None:
        """Record a success of each key, which resets its failures."""

        async def reset() -> None:
            pipeline = self._redis.pipeline()
            for key in keys:
                pipeline.hset(_name(key), mapping={"failures": 0, "succeeded_at_us": _as_us(clock.now())})
                pipeline.pexpire(_name(key), KNOWN_FOR)
            await pipeline.execute()

        await self._call(reset, lambda: self._database.reset(session, keys))

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def _change(self, change: Callable[[Pipeline], Awaitable[T]], keys: Sequence[bytes]) -> T:
        """Read and change keys in one transaction, which is repeated if one of them has changed meanwhile."""
        changed: T = await self._redis.transaction(change, *map(_name, keys), value_from_callable=True)
        return changed

    async def _call(self, call: Callable[[], Awaitable[T]], otherwise: Callable[[], Awaitable[T]]) -> T:
        """The result of Redis, or that of the database without one."""
        if not self._breaker.allows():
            return await otherwise()
        try:
            async with asyncio.timeout(self._timeout_s):
                result = await call()
        except (RedisError, OSError, TimeoutError) as error:
            if self._breaker.failed():
                log.warning("failed log-ins are counted in the database: Redis is unavailable", error=repr(error))
            return await otherwise()
        if self._breaker.succeeded():
            log.warning("failed log-ins are counted in Redis again")
        return result


def _add(pipeline: Pipeline, key: bytes, count: Count, now: datetime) -> int:
    """Add a failure; returns the failures that are not forgotten, with this one."""
    failures = count.counted(now) + 1
    pipeline.hset(_name(key), mapping={"failures": failures, "failed_at_us": _as_us(now)})
    # the success of a key that is known is kept
    pipeline.pexpire(_name(key), FORGOTTEN_AFTER if count.succeeded_at is None else KNOWN_FOR)
    return failures


def _name(key: bytes) -> str:
    return _PREFIX + key.hex()


def _count(values: Sequence[Any]) -> Count:
    failures, failed_at_us, succeeded_at_us = values
    return Count(int(failures or 0), _as_time(failed_at_us), _as_time(succeeded_at_us))


def _as_us(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def _as_time(us: bytes | None) -> datetime | None:
    return None if us is None else _EPOCH + int(us) * _MICROSECOND
