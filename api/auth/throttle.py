"""Growing delays after failed log-ins, counted separately by account and by network address.

From the fifth failure on, the next attempt has to wait: 1 s, then 2, 4, ... up to 15 minutes. An hour without a failure
resets the count. If an account has logged in from an address before, its failures there are counted by the pair of both
only, so that guesses by other people, or failures of a colleague behind the same address, do not lock out its owner.

The counts are kept in the memory of the process and limited in number: each process counts separately (n processes
allow up to n times as many guesses), and a restart resets the counts. This is by design: with counts in the database,
many guesses would cause many writes. At the limit, the count that changed longest ago is removed.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.auth.errors import TooManyAttempts
from api.kernel.networks import network_of

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
        """`clock` returns seconds."""
        self._clock = clock
        self._counts_max = counts_max
        self._counts: OrderedDict[bytes, _Count] = OrderedDict()
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def check(self, email: str, address: str) -> None:
        """Refuse an attempt before the end of its delay.

        Raises:
            TooManyAttempts: with the seconds to wait, rounded up.
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
        """Reset the account's failures. Those of the address are kept: an attacker may have an account too."""
        pair = _key("pair", email, network_of(address))
        self._counts.pop(pair, None)
        self._counts.pop(_key("account", email), None)
        self._known[pair] = None
        self._known.move_to_end(pair)
        while len(self._known) > self._counts_max:
            self._known.popitem(last=False)

    def _keys(self, email: str, address: str) -> tuple[bytes, ...]:
        network = network_of(address)
        pair = _key("pair", email, network)
        if pair in self._known:
            return (pair,)
        return (_key("account", email), _key("address", network))


def _key(*parts: str) -> bytes:
    """A hash, so that keys have a fixed size and memory contains no personal addresses."""
    return hashlib.blake2b("\0".join(parts).casefold().encode(errors="replace"), digest_size=16).digest()
