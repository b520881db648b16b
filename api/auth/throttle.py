"""Growing delays after failed log-ins, counted by account and by address apart.

From the fifth failure on, the next attempt has to wait: 1 s, then 2, 4, ... up to 15 minutes. An hour without a failure
is forgotten. Whoever logged in from an address before is counted there by the pair of both alone, so that a stranger
who guesses at an account, or a colleague behind the same address, does not keep its owner out.

The counts live in the process and are bounded: several processes each count for themselves (n processes let through up
to n times as many guesses), and a restart forgets. That is by design: a count in the database would let a flood of
guesses write there. At its limit the count that changed longest ago is dropped.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.auth.errors import TooManyAttempts

if TYPE_CHECKING:
    from collections.abc import Callable

FREE_FAILURES = 4
DELAY_FIRST_S = 1.0
DELAY_MAX_S = 15 * 60.0
FORGOTTEN_AFTER_S = 60 * 60.0
COUNTS_MAX = 20_000


@dataclass
class _Count:
    failures: int
    last_at_s: float

    @property
    def delay_s(self) -> float:
        over = self.failures - FREE_FAILURES
        return min(DELAY_FIRST_S * 2.0 ** min(over - 1, 30), DELAY_MAX_S) if over > 0 else 0.0


class LogInDelays:
    """The counts of one process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, counts_max: int = COUNTS_MAX) -> None:
        """`clock` gives seconds."""
        self._clock = clock
        self._counts_max = counts_max
        self._counts: OrderedDict[bytes, _Count] = OrderedDict()
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def check(self, email: str, address: str) -> None:
        """Refuse an attempt that comes too early.

        Raises:
            TooManyAttempts: with the whole seconds to wait.
        """
        now = self._clock()
        wait_s = 0.0
        for key in self._keys(email, address):
            count = self._counts.get(key)
            if count is not None:
                wait_s = max(wait_s, count.last_at_s + count.delay_s - now)
        if wait_s > 0:
            raise TooManyAttempts(math.ceil(wait_s))

    def failed(self, email: str, address: str) -> None:
        """Count a failure."""
        now = self._clock()
        for key in self._keys(email, address):
            count = self._counts.get(key)
            if count is None or count.last_at_s + FORGOTTEN_AFTER_S < now:
                count = self._counts[key] = _Count(0, now)
            count.failures += 1
            count.last_at_s = now
            self._counts.move_to_end(key)
        while len(self._counts) > self._counts_max:
            self._counts.popitem(last=False)

    def succeeded(self, email: str, address: str) -> None:
        """Forget the account's failures. The address's stay: a guesser may have an account of his own."""
        pair = _key("pair", email, _network(address))
        self._counts.pop(pair, None)
        self._counts.pop(_key("account", email), None)
        self._known[pair] = None
        self._known.move_to_end(pair)
        while len(self._known) > self._counts_max:
            self._known.popitem(last=False)

    def _keys(self, email: str, address: str) -> tuple[bytes, ...]:
        network = _network(address)
        pair = _key("pair", email, network)
        if pair in self._known:
            return (pair,)
        return (_key("account", email), _key("address", network))


def _key(*parts: str) -> bytes:
    """A fixed size whatever was typed, and no addresses of people in memory."""
    return hashlib.blake2b("\0".join(parts).casefold().encode(errors="replace"), digest_size=16).digest()


def _network(address: str) -> str:
    """The address; of IPv6 the /64, all of which one household or host has."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)
