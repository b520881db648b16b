"""Growing delays after failed log-ins, which all processes count together in the database.

From the fifth failure on, the next attempt has to wait: 1 s, then 2, 4, ... up to 15 minutes. An hour without a failure
resets a count. Where an attempt comes from decides which counts delay it:

- a browser with the device cookie of an earlier log-in to this account: only the failures of this browser;
- a network from which a log-in to this account succeeded before: only the failures of this account from there;
- any other: the failures of this account from this network, and those of all accounts from there.

So guesses by others, or failures of a colleague behind the same address, delay no owner. The failures of an account from
everywhere are counted too. They delay nothing: from `ALERT_FAILURES` on, the owner is informed by mail, and a log-in from
an unknown place needs a second step.

A process checks as many passwords at a time as it has slots, so failures cause few writes. The keys of the counts are
hashes with the installation's secret: the table contains no address.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import text

from api.auth.errors import TooManyAttempts
from api.kernel import clock
from api.kernel.networks import network_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.ext.asyncio import AsyncSession

FREE_FAILURES = 4
DELAY_FIRST_S = 1.0
DELAY_MAX_S = 15 * 60.0
FORGOTTEN_AFTER = timedelta(hours=1)
KNOWN_FOR_DAYS = 90
ALERT_FAILURES = 10

_READ = text("SELECT key, failures, failed_at, succeeded_at FROM app.log_in_counts WHERE key = ANY(:keys)")
# in the order of the keys, so that two failures cannot wait for each other
_COUNT = text(
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
_SUCCEED = text(
    """
    INSERT INTO app.log_in_counts AS c (key, failures, succeeded_at)
    SELECT k, 0, :now FROM unnest(CAST(:keys AS bytea[])) AS k ORDER BY k
    ON CONFLICT (key) DO UPDATE SET failures = 0, succeeded_at = :now
    """
)


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


@dataclass(frozen=True)
class _Count:
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
        return self.succeeded_at is not None and self.succeeded_at > now - timedelta(days=KNOWN_FOR_DAYS)


class LogInDelays:
    """The counts in the database."""

    def __init__(self, secret: bytes) -> None:
        """`secret` is that of the installation; the same secret finds the same counts."""
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
        counts = await self._read(session, (account, *elsewhere, *device))
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
        counted = await self._count(session, (*standing.delaying, standing.account))
        return counted[standing.account] == ALERT_FAILURES

    async def succeeded(self, session: AsyncSession, email: str, origin: Origin) -> None:
        """Reset the failures of this account from there. Those of the network are kept: an attacker may have an account."""
        keys = [self._hash("pair", email, network_of(origin.address))]
        if origin.device is not None:
            keys.append(self._hash("device", email, origin.device))
        await session.execute(_SUCCEED, {"keys": keys, "now": clock.now()})

    async def try_second_step(self, session: AsyncSession, user_id: UUID) -> None:
        """Refuse a code before the end of the delay, and count it as wrong until :meth:`second_step_succeeded`.

        The codes of an account are tried one after the other: the count is locked until the transaction ends. Only who has the
        password can cause this delay.

        Raises:
            TooManyAttempts: with the seconds to wait, rounded up.
        """
        key = self._hash("second step", str(user_id))
        row = (await session.execute(_LOCK, {"key": key})).one()
        _refuse_early([_Count(row.failures, row.failed_at).wait_s(clock.now())])
        await self._count(session, (key,))

    async def second_step_succeeded(self, session: AsyncSession, user_id: UUID) -> None:
        """Reset the wrong codes of an account, because this one was right."""
        await session.execute(_SUCCEED, {"keys": [self._hash("second step", str(user_id))], "now": clock.now()})

    async def _read(self, session: AsyncSession, keys: tuple[bytes, ...]) -> dict[bytes, _Count]:
        rows = await session.execute(_READ, {"keys": list(keys)})
        found = {bytes(row.key): _Count(row.failures, row.failed_at, row.succeeded_at) for row in rows}
        return {key: found.get(key, _Count()) for key in keys}

    async def _count(self, session: AsyncSession, keys: tuple[bytes, ...]) -> dict[bytes, int]:
        now = clock.now()
        values = {"keys": sorted(keys), "now": now, "forgotten": now - FORGOTTEN_AFTER}
        return {bytes(row.key): row.failures for row in await session.execute(_COUNT, values)}

    def _hash(self, *parts: str) -> bytes:
        joined = "\0".join(parts).casefold().encode(errors="replace")
        return hashlib.blake2b(joined, key=self._key, digest_size=16).digest()


def _refuse_early(waits_s: Iterable[float]) -> None:
    wait_s = max(waits_s)
    if wait_s > 0:
        raise TooManyAttempts(math.ceil(wait_s))
