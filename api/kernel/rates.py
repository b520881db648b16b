"""Rate limits: token buckets, counted in this process.

A bucket has `limit` tokens, which are refilled evenly over the period. Only the moment at which it will be full again
is stored (the generic cell rate algorithm, ITU-T I.371): a taken token moves that moment forward by one interval, and
it is at most one period in the future. A full bucket is not stored, so memory is proportional to the tokens that were
taken within the last period. Tokens are taken from every bucket of a request, or from none.

Each process counts separately: n processes allow up to n times the limit. `kernel.shared_rates` counts in Redis.

The middleware reports the buckets of a request in the headers `RateLimit` and `RateLimit-Policy` of its response
(draft-ietf-httpapi-ratelimit-headers-11). :class:`RateLimits` notes them for it in the context of the request.
"""

from __future__ import annotations

import math
import time
from contextvars import ContextVar
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple, Protocol

from api.kernel.errors import DomainError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from settings.rates import Rate

US_PER_S = 1_000_000
BUCKETS_SWEPT_FROM = 10_000
# The buckets of other scopes are those of many people, whose requests are not disclosed.
REPORTED_SCOPES = frozenset({"member", "caller", "address"})


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
        self.is_reported = scope in REPORTED_SCOPES
        self.name = f'"{what.replace(" ", "-")}-per-{scope}"'
        self.policy = f"{self.name};q={rate.limit};w={rate.period_s}"


class Bucket(NamedTuple):
    """The bucket of one member, one campaign, ..."""

    key: str
    limit: Limit


class Refusal(NamedTuple):
    """The limit of a bucket that was empty; a token is refilled after `wait_us`."""

    limit: Limit
    wait_us: int


class Spent(NamedTuple):
    """What a request took: the time after which each of its buckets is full again, or the refusal if one was empty."""

    full_in_us: tuple[int, ...] = ()
    refusal: Refusal | None = None


class Level(NamedTuple):
    """The content of one bucket after a request."""

    limit: Limit
    full_in_us: int

    def __str__(self) -> str:
        """The item of the header `RateLimit`: the remaining requests, and the seconds until the bucket is full."""
        limit, full_in_us = self
        remaining = max(0, (limit.period_us - full_in_us) // limit.interval_us)
        return f"{limit.name};r={remaining};t={-(-full_in_us // US_PER_S)}"


_LEVELS: ContextVar[list[Level] | None] = ContextVar("rate_limit_levels", default=None)


def begin_counting() -> list[Level]:
    """The list to which the limits of the current request are added as they are counted."""
    levels: list[Level] = []
    _LEVELS.set(levels)
    return levels


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

    async def spend(self, buckets: Sequence[Bucket]) -> Spent:
        """Take a token from each bucket, or from none if one of them is empty."""

    async def check(self) -> None:
        """Raise an error if the server that counts does not work; without one nothing can fail."""

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

    async def spend(self, buckets: Sequence[Bucket]) -> Spent:
        """Take a token from each bucket, or from none if one of them is empty."""
        now_us = self._clock_us()
        full_at_us = self._full_at_us
        full_in_us = []
        for key, limit in buckets:
            after_us = max(full_at_us.get(key, now_us) - now_us, 0) + limit.interval_us
            if after_us > limit.period_us:
                return Spent(refusal=Refusal(limit, after_us - limit.period_us))
            full_in_us.append(after_us)
        for (key, _), after_us in zip(buckets, full_in_us, strict=True):
            full_at_us[key] = now_us + after_us
        if len(full_at_us) > self._sweep_from:
            self._remove_full(now_us)
        return Spent(tuple(full_in_us))

    async def check(self) -> None:
        """Do nothing: there is no server."""

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
        if not buckets:
            return
        full_in_us, refusal = await self._buckets.spend(buckets)
        levels = _LEVELS.get()
        if refusal is not None:
            if levels is not None:
                limit, wait_us = refusal
                levels.append(Level(limit, wait_us + limit.period_us - limit.interval_us))
            raise RateLimited(refusal)
        if levels is not None:
            levels += [Level(bucket.limit, full_us) for bucket, full_us in zip(buckets, full_in_us, strict=True)]
