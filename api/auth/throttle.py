"""Growing delays after failed log-ins, which all processes count together.

From the fifth failure on, the next attempt has to wait: 1 s, then 2, 4, ... up to 15 minutes. An hour without a failure
resets a count. Where an attempt comes from decides which counts delay it:

- a browser with the device cookie of an earlier log-in to this account: only the failures of this browser;
- a network from which a log-in to this account succeeded before: only the failures of this account from there;
- any other: the failures of this account from this network, and those of all accounts from there.

So guesses by others, or failures of a colleague behind the same address, delay no owner. The failures of an account from
everywhere are counted too. They delay nothing: from `ALERT_FAILURES` on, the owner is informed by mail, and a log-in from
an unknown place needs a second step.

A process checks as many passwords at a time as it has slots, so failures cause few writes. The keys of the counts are
hashes with the installation's secret: the counts contain no address.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from api.auth.errors import TooManyAttempts
from api.auth.log_in_counts import DatabaseCounts
from api.kernel import clock
from api.kernel.networks import network_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.auth.log_in_counts import FailureCounts

ALERT_FAILURES = 10


@dataclass(frozen=True)
class Origin:
    """Where an attempt comes from: the network address, and the id in the browser's device cookie of this account."""

    address: str
    device: str | None = None


@dataclass(frozen=True)
class Standing:
    """The counts of an attempt.

    Attributes:
        delaying: keys of the counts that delay it and that its failure increases.
        account: key of the failures of the account from everywhere.
        is_known: whether an earlier log-in to the account succeeded from there.
        is_under_attack: whether so many log-ins to the account failed that one from an unknown place needs a second step.
    """

    delaying: tuple[bytes, ...]
    account: bytes
    is_known: bool
    is_under_attack: bool


class LogInDelays:
    """The delays of all attempts."""

    def __init__(self, secret: bytes, counts: FailureCounts | None = None) -> None:
        """`secret` is that of the installation; the same secret finds the same counts. They are in the database by default."""
        self._counts = counts or DatabaseCounts()
        self._key = hashlib.blake2b(b"log-in counts" + secret, digest_size=32).digest()

    async def check(self, session: AsyncSession, email: str, origin: Origin) -> Standing:
        """Refuse an attempt before the end of its delay.

        Raises:
            TooManyAttempts: with the seconds to wait, rounded up.
        """
        network = network_of(origin.address)
        account, pair = self._hash("account", email), self._hash("pair", email, network)
        elsewhere = (self._hash("network", network), pair)
        device = () if origin.device is None else (self._hash("device", email, origin.device),)
        counts = await self._counts.read(session, (account, *elsewhere, *device))
        now = clock.now()
        own = device or ((pair,) if counts[pair].is_known(now) else ())
        delaying = own or elsewhere
        _refuse_early(counts[key].wait_s(now) for key in delaying)
        return Standing(
            delaying=delaying,
            account=account,
            is_known=bool(own),
            is_under_attack=counts[account].counted(now) >= ALERT_FAILURES,
        )

    async def failed(self, session: AsyncSession, standing: Standing) -> bool:
        """Count a failure; True if its account's failures have just reached `ALERT_FAILURES`."""
        counted = await self._counts.add(session, (*standing.delaying, standing.account))
        return counted[standing.account] == ALERT_FAILURES

    async def succeeded(self, session: AsyncSession, email: str, origin: Origin) -> None:
        """Reset the failures of this account from there. Those of the network are kept: an attacker may have an account."""
        keys = [self._hash("pair", email, network_of(origin.address))]
        if origin.device is not None:
            keys.append(self._hash("device", email, origin.device))
        await self._counts.reset(session, keys)

    async def try_second_step(self, session: AsyncSession, user_id: UUID) -> None:
        """Refuse a code before the end of the delay, and count it as wrong until :meth:`second_step_succeeded`.

        So of several codes that are tried at once each one counts. Only who has the password can cause this delay.

        Raises:
            TooManyAttempts: with the seconds to wait, rounded up.
        """
        key = self._hash("second step", str(user_id))
        _refuse_early([await self._counts.add_unless_early(session, key)])

    async def second_step_succeeded(self, session: AsyncSession, user_id: UUID) -> None:
        """Reset the wrong codes of an account, because this one was right."""
        await self._counts.reset(session, [self._hash("second step", str(user_id))])

    async def close(self) -> None:
        """Close the connections of the counts."""
        await self._counts.close()

    def _hash(self, *parts: str) -> bytes:
        joined = "\0".join(parts).casefold().encode(errors="replace")
        return hashlib.blake2b(joined, key=self._key, digest_size=16).digest()


def _refuse_early(waits_s: Iterable[float]) -> None:
    wait_s = max(waits_s)
    if wait_s > 0:
        raise TooManyAttempts(math.ceil(wait_s))
