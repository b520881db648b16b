"""Rate limits that the processes of an installation count together, in Redis.

Requests that arrive during a call to Redis are sent together in the next call: one script and one round trip over one
connection. This costs about an eighth of one call per request, and a cancelled request does not break the connection.
No request waits for Redis longer than the timeout, and none fails because of Redis: a request without a result from
Redis is counted in the process. After five failures in a row all requests are, with a trial call every 30 s.
"""

from __future__ import annotations

import asyncio
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from api.kernel.breaker import Breaker
from api.kernel.rates import Bucket, LocalBuckets, Refusal, Spent

if TYPE_CHECKING:
    from collections.abc import Sequence

log = structlog.get_logger(__name__)

CALL_ITEMS_MAX = 500
SCRIPT = Path(__file__).with_suffix(".lua")


class _Item(NamedTuple):
    buckets: Sequence[Bucket]
    future: asyncio.Future[Spent]


class RedisUnavailable(Exception):
    """Redis returned no result, for any reason."""


class SharedBuckets:
    """The buckets of all processes that use the same Redis."""

    def __init__(self, url: str, *, timeout_s: float, breaker: Breaker | None = None) -> None:
        """No connection is opened before the first request."""
        # a failed call is not retried: the breaker decides when to call again, and the process counts meanwhile
        self._redis = Redis.from_url(url, retry=Retry(NoBackoff(), 0), socket_timeout=None)
        self._script = self._redis.register_script(SCRIPT.read_text())
        self._timeout_s = timeout_s
        self._local = LocalBuckets()  # counts while Redis is unavailable
        self._breaker = breaker or Breaker()
        self._waiting: list[_Item] = []
        self._calling: asyncio.Task[None] | None = None

    async def spend(self, buckets: Sequence[Bucket]) -> Spent:
        """Take a token from each bucket, or from none if one of them is empty."""
        if not self._breaker.allows():
            return await self._local.spend(buckets)
        future: asyncio.Future[Spent] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Item(buckets, future))
        if self._calling is None:
            self._calling = asyncio.create_task(self._call_while_waiting(), name="shared-rates")
        try:
            return await future
        except RedisUnavailable:
            return await self._local.spend(buckets)

    async def check(self) -> None:
        """Ask Redis whether it works.

        Raises:
            RedisError: it does not.
            TimeoutError: it did not answer in time.
        """
        async with asyncio.timeout(self._timeout_s):
            await self._redis.ping()

    async def close(self) -> None:
        """Close the connection."""
        await self._redis.aclose()

    async def _call_while_waiting(self) -> None:
        while self._waiting:
            items, self._waiting = self._waiting[:CALL_ITEMS_MAX], self._waiting[CALL_ITEMS_MAX:]
            try:
                async with asyncio.timeout(self._timeout_s):
                    outcomes = await self._call(items)
            except Exception as error:  # noqa: BLE001 - no error of Redis may fail a request
                if self._breaker.failed():
                    log.warning("rate limits are counted by each process: Redis is unavailable", error=repr(error))
                # requests that arrived meanwhile do not wait for another timeout
                items, self._waiting = items + self._waiting, []
                for item in items:
                    if not item.future.done():
                        item.future.set_exception(RedisUnavailable())
                continue
            if self._breaker.succeeded():
                log.warning("rate limits are counted in Redis again")
            for item, spent in zip(items, outcomes, strict=True):
                if not item.future.done():
                    item.future.set_result(spent)
        self._calling = None

    async def _call(self, items: Sequence[_Item]) -> list[Spent]:
        keys = [bucket.key for item in items for bucket in item.buckets]
        arguments: list[int] = []
        for item in items:
            arguments.append(len(item.buckets))
            for bucket in item.buckets:
                arguments += (bucket.limit.interval_us, bucket.limit.period_us)
        results = iter(await self._script(keys, arguments))
        outcomes = []
        for item in items:
            empty, wait_us = next(results), next(results)
            full_in_us = tuple(islice(results, len(item.buckets)))
            refusal = Refusal(item.buckets[empty - 1].limit, wait_us) if empty else None
            outcomes.append(Spent(full_in_us, refusal))
        return outcomes
