"""Rate limits: token buckets, counted in this process.

A bucket has `limit` tokens, which are refilled evenly over the period. Only the moment at which it will be full again
is stored (the generic cell rate algorithm, ITU-T I.371): a taken token moves that moment forward by one interval, and
it is at most one period in the future. A full bucket is not stored, so memory is proportional to the tokens that were
taken within the last period. Tokens are taken from every bucket of a request, or from none.

Each process counts separately: n processes allow up to n times the limit. `kernel.shared_rates` counts in Redis.
"""

from __future__ import annotations

import math
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple, Protocol

from api.kernel.errors import DomainError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from settings.rates import Rate

US_PER_S = 1_000_000
BUCKETS_SWEPT_FROM = 10_000


class Limit:
    """A limit of requests in one scope. A token is refilled every `interval_us`, all of them within `period_us`."""

    def __init__(self, what: str, scope: str, rate: Rate) -> None:
        """`what` is a plural, such as "coin commands"; `scope` a word, such as "member"."""
        self.what = what
        self.scope = scope
        self.rate = rate
        self.key_prefix = f"ideamint:{what.replace(' ', '_')}:{scope}:"
        self.period_us = rate.period_s * US_PER_S
        self.interval_us = self.period_us // rate.limit  # whole, so that sums are exact


class Bucket(NamedTuple):
    """The bucket of one member, one campaign, ..."""

    key: str
    limit: Limit


class Refusal(NamedTuple):
    """The limit of a bucket that was empty; a token is refilled after `wait_us`."""

    limit: Limit
    wait_us: int


class RateLimited(DomainError):
    """A rate limit was exceeded; nothing was done, and no token was taken."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    slug = "rate-limited"
    title = "Too many requests"

    def __init__(self, refusal: Refusal) -> None:
        limit = refusal.limit
        self.retry_after_s = max(1, math.ceil(refusal.wait_us / US_PER_S))
        super().__init__(
            f"At most {limit.rate.limit:,} {limit.what} per {limit.rate.period} for one {limit.scope}; "
            f"try again in {self.retry_after_s:,} s.",
            scope=limit.scope,
            limit=limit.rate.limit,
            period_s=limit.rate.period_s,
            retry_after_s=self.retry_after_s,
        )

    def response_headers(self) -> dict[str, str]:
        """`Retry-After` in seconds."""
        return {"Retry-After": str(self.retry_after_s)}


class Buckets(Protocol):
    """The interface of a store that counts tokens."""

    async def spend(self, buckets: Sequence[Bucket]) -> Refusal | None:
        """Take a token from each bucket and return None, or from none and return the limit of an empty one."""

    async def close(self) -> None:
        """Close connections."""


class LocalBuckets:
    """The buckets of one process."""

    def __init__(self, clock_us: Callable[[], int] = lambda: time.monotonic_ns() // 1000) -> None:
        """`clock_us` is a monotonic clock in microseconds."""
        self._clock_us = clock_us
        self._full_at_us: dict[str, int] = {}
        self._sweep_from = BUCKETS_SWEPT_FROM

    def __len__(self) -> int:
        """The number of stored buckets."""
        return len(self._full_at_us)

    async def spend(self, buckets: Sequence[Bucket]) -> Refusal | None:
        """Take a token from each bucket and return None, or from none and return the limit of an empty one."""
        now_us = self._clock_us()
        full_at_us = self._full_at_us
        for key, limit in buckets:
            wait_us = full_at_us.get(key, now_us) + limit.interval_us - limit.period_us - now_us
            if wait_us > 0:
                return Refusal(limit, wait_us)
        for key, limit in buckets:
            full_at_us[key] = max(full_at_us.get(key, now_us), now_us) + limit.interval_us
        if len(full_at_us) > self._sweep_from:
            self._remove_full(now_us)
        return None

    async def close(self) -> None:
        """Do nothing: there are no connections."""

    def _remove_full(self, now_us: int) -> None:
        """Called when the number of buckets has doubled since the last call: the cost per request is constant."""
        self._full_at_us = {key: full_at_us for key, full_at_us in self._full_at_us.items() if full_at_us > now_us}
        self._sweep_from = max(BUCKETS_SWEPT_FROM, 2 * len(self._full_at_us))


class RateLimits:
    """The limits of one kind of request; a scope whose rate is None has no limit."""

    def __init__(self, buckets: Buckets, what: str, **rates: Rate | None) -> None:
        """`what` is a plural, such as "coin commands"; `rates` are by scope."""
        self._buckets = buckets
        self._limits = [Limit(what, scope, rate) for scope, rate in rates.items() if rate is not None]

    async def spend(self, **ids: UUID) -> None:
        """Count a request in the scopes of the given ids.

        Raises:
            RateLimited: one of the buckets is empty; no token is taken from the others.
        """
        buckets = [
            Bucket(limit.key_prefix + ids[limit.scope].hex, limit) for limit in self._limits if limit.scope in ids
        ]
        refusal = await self._buckets.spend(buckets) if buckets else None
        if refusal is not None:
            raise RateLimited(refusal)
