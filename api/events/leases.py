"""Leases of a consumer's partitions: a worker handles the events of a partition only while it has the lease."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self
from uuid import UUID, uuid4

from sqlalchemy import CursorResult

from api.events import queries

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import TextClause
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.events.consumers import Consumer


class LeaseLost(Exception):
    """Another worker took the partition, or a command moved its cursor; the transaction is rolled back."""


@dataclass
class Lease:
    """A partition leased by this worker, and the position up to which it has been read."""

    consumer: Consumer
    partition: int
    token: UUID
    xid: str
    id: UUID
    was_abandoned: bool

    @classmethod
    async def take(cls, session: AsyncSession, consumer: Consumer, partition: int, *, holder: str) -> Self | None:
        """Lease a partition to `holder`; None if another worker has leased it."""
        token = uuid4()
        values = {
            "consumer": consumer.name,
            "partition": partition,
            "token": token,
            "lease_s": consumer.lease_s,
            "holder": holder,
        }
        row = (await session.execute(queries.TAKE_LEASE, values)).one_or_none()
        if row is None:
            return None
        return cls(consumer, partition, token, row.xid, row.id, row.was_abandoned)

    async def release(self, session: AsyncSession) -> None:
        """Let other workers lease the partition; does nothing if the lease has ended.

        The position is not compared: after a cancelled COMMIT this worker does not know it.
        """
        values = {"consumer": self.consumer.name, "partition": self.partition, "token": self.token}
        await session.execute(queries.RELEASE_LEASE, values)

    async def change(self, session: AsyncSession, statement: TextClause, *, to: tuple[str, UUID] | None = None) -> None:
        """Lock the cursor and change it if it still has this lease and position.

        Raises:
            LeaseLost: it has another lease or position.
        """
        values: dict[str, object] = {
            "consumer": self.consumer.name,
            "partition": self.partition,
            "token": self.token,
            "lease_s": self.consumer.lease_s,
            "from_xid": self.xid,
            "from_id": self.id,
        }
        if to is not None:
            values |= {"xid": to[0], "id": to[1]}
        if await count_changed(session, statement, values) != 1:
            msg = f"{self.consumer.name}, partition {self.partition}"
            raise LeaseLost(msg)


async def count_changed(session: AsyncSession, statement: TextClause, values: Mapping[str, object]) -> int:
    """The number of rows that a statement changed."""
    result = await session.execute(statement, values)
    assert isinstance(result, CursorResult)
    return result.rowcount
