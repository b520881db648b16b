"""Rate limits of all routes: each request counts in the class of its route.

A request counts for its caller once the caller is known, and for the network address otherwise: a route without
authentication counts before it does anything, and a request whose token is refused counts for its address. No query is
needed for it. The class of a route is declared once, by :func:`counts_as`; without a word it is `REQUESTS`. A request with
the query parameter `q` counts as a search.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, TypeVar

from fastapi.security import APIKeyCookie
from fastapi.security.base import SecurityBase

from api.kernel.networks import network_id
from api.kernel.rates import Buckets, Level, RateLimits

if TYPE_CHECKING:
    from uuid import UUID

    from fastapi.dependencies.models import Dependant
    from starlette.requests import Request

    from settings.limits import LimitSettings

EXTENSION: Final = "x-rate-limit"
SEARCH_PARAMETER: Final = "q"
_ATTRIBUTE = "__rate_class__"

Function = TypeVar("Function", bound=Callable[..., Any])


class RateClass(StrEnum):
    """A kind of request with a limit of its own."""

    REQUESTS = "requests"
    """Everything else."""
    SEARCHES = "searches"
    """Requests that search for words."""
    FIGURES = "figures"
    """Reports and exports, which read much."""
    COMMENTS = "comments"
    """Comments and notes that are written or edited."""
    UPLOADS = "uploads"
    """Uploads of files."""
    LOG_INS = "log-ins"
    """Attempts to log in, codes, and the tokens of links. Counted by address."""
    COINS = "coins"
    """Counted by the coins domain, which also knows the campaign; what does not get that far counts as `REQUESTS`."""


def counts_as(rate_class: RateClass) -> Callable[[Function], Function]:
    """Declare the class of a route: on its function, or on a dependency that the routes of a class share."""

    def mark(function: Function) -> Function:
        setattr(function, _ATTRIBUTE, rate_class)
        return function

    return mark


def find_class(dependant: Dependant) -> RateClass:
    """The class that a route's function or one of its direct dependencies declares."""
    calls = (dependant.call, *(dependency.call for dependency in dependant.dependencies))
    return next((found for call in calls if (found := getattr(call, _ATTRIBUTE, None))), RateClass.REQUESTS)


def find_credentials(dependant: Dependant) -> Iterator[str]:
    """The headers in which a route reads a token or a cookie that identifies its caller."""
    call: object = dependant.call
    if isinstance(call, SecurityBase):
        yield "Cookie" if isinstance(call, APIKeyCookie) else "Authorization"
    for inner in dependant.dependencies:
        yield from find_credentials(inner)


class RequestRates:
    """The limits of an application."""

    def __init__(self, limits: LimitSettings, buckets: Buckets) -> None:
        """`buckets` count in this process or in Redis."""

        def by_caller(rate_class: RateClass, rate: Any) -> RateLimits:
            return RateLimits(buckets, rate_class.value, caller=rate, address=rate)

        self._limits = {
            RateClass.REQUESTS: by_caller(RateClass.REQUESTS, limits.requests_per_caller),
            RateClass.SEARCHES: by_caller(RateClass.SEARCHES, limits.searches_per_caller),
            RateClass.FIGURES: by_caller(RateClass.FIGURES, limits.figures_per_caller),
            RateClass.COMMENTS: by_caller(RateClass.COMMENTS, limits.comments_per_caller),
            RateClass.UPLOADS: by_caller(RateClass.UPLOADS, limits.uploads_per_caller),
            RateClass.LOG_INS: RateLimits(buckets, RateClass.LOG_INS.value, address=limits.log_ins_per_address),
        }

    async def spend(self, rate_class: RateClass, *, user_id: UUID | None, address: str) -> None:
        """Count a request for its caller, or without one for its network.

        Raises:
            RateLimited: the limit is exceeded.
        """
        limits = self._limits[rate_class]
        if user_id is None:
            await limits.spend(address=network_id(address))
        else:
            await limits.spend(caller=user_id)


@dataclass(slots=True)
class Counting:
    """How one request is counted; `levels` are the limits that have counted it."""

    rates: RequestRates
    rate_class: RateClass
    address: str
    levels: list[Level]
    user_id: UUID | None = None
    is_counted: bool = False

    async def begin(self, *, is_authenticating: bool) -> None:
        """Count a request that has no caller, or whose class does not count callers.

        Raises:
            RateLimited: the limit of the address is exceeded.
        """
        if not is_authenticating or self.rate_class is RateClass.LOG_INS:
            await self._count(self.rate_class, None)

    async def identified(self, user_id: UUID | None) -> None:
        """Count the request of a caller, or of no caller where none is required.

        Raises:
            RateLimited: the limit of the caller or of the address is exceeded.
        """
        self.user_id = user_id
        if self.rate_class is not RateClass.COINS:
            await self._count(self.rate_class, user_id)

    async def refused(self) -> None:
        """Count a request that ended with an error before any limit had counted it.

        Raises:
            RateLimited: the limit of the caller or of the address is exceeded.
        """
        if not self.levels:
            await self._count(RateClass.REQUESTS, self.user_id)

    async def _count(self, rate_class: RateClass, user_id: UUID | None) -> None:
        if not self.is_counted:
            self.is_counted = True
            await self.rates.spend(rate_class, user_id=user_id, address=self.address)


async def count_caller(request: Request, user_id: UUID | None) -> None:
    """Called by the dependencies that authenticate, once they know who calls; None without a log-in.

    Raises:
        RateLimited: the limit of the caller or of the address is exceeded.
    """
    counting: Counting | None = getattr(request.state, "counting", None)
    if counting is not None:
        await counting.identified(user_id)
