"""Runs a consumer: takes leases of partitions, calls its handler with the events in order, and advances the cursors.

Events are handled in batches. If a batch fails, or its worker ended without releasing the lease, the batch is set
aside: its events become rows of `event_failures` and are handled one by one. Each attempt is counted and committed
before the handler runs, so that an event that ends the process is parked as well.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog

from api.events import queries
from api.events.catalogue import parse_payload
from api.events.consumers import NO_CAMPAIGN, Consumer, Event
from api.events.kinds import EventKind
from api.events.leases import Lease, LeaseLost, count_changed
from api.kernel.background import Loop
from api.kernel.ids import process_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Row, TextClause
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.kernel.db import Database

log = structlog.get_logger(__name__)

PAUSE_S = 1.0
ERROR_LENGTH_MAX = 2000
NO_RESULT = "the attempt has not ended, or its process was killed"


@dataclass
class Following:
    """Runs one consumer in this process; any number of other workers may run it as well."""

    database: Database
    consumer: Consumer
    holder: str = field(default_factory=process_name)
    _is_registered: bool = False

    @property
    def loop(self) -> Loop:
        """The loop that polls once per second. Each consumer has its own, so that a slow handler delays no other one."""
        return Loop(name=f"consumer {self.consumer.name}", run=self._poll, pause_s=PAUSE_S)

    async def register(self) -> None:
        """Add a cursor per partition if the consumer has none."""
        async with self.database.session() as session:
            values = {"consumer": self.consumer.name, "at_end": self.consumer.starts_at == "end"}
            await session.execute(queries.ADD_CURSORS, values)

    async def _poll(self, _: Database) -> None:
        if not self._is_registered:
            await self.register()
            self._is_registered = True
        await self.run_once()

    async def run_once(self) -> int:
        """Process each partition that has events, until it has none; returns how many events were handled."""
        async with self.database.session() as session:
            due = list(await session.scalars(queries.FIND_DUE, {"consumer": self.consumer.name}))
        random.shuffle(due)  # so that workers start with different partitions
        handled = 0
        for partition in due:
            try:
                handled += await self._follow(partition)
            except LeaseLost as lost:
                log.info("lease lost", cursor=str(lost), holder=self.holder)
        return handled

    async def _follow(self, partition: int) -> int:
        lease = await self._take_lease(partition)
        if lease is None:
            return 0
        try:
            handled = await self._handle_all(lease)
        except (Exception, asyncio.CancelledError):
            await self._release_lease(lease)
            raise
        await self._release_lease(lease)
        return handled

    async def _take_lease(self, partition: int) -> Lease | None:
        async with self.database.session() as session:
            return await Lease.take(session, self.consumer, partition, holder=self.holder)

    async def _release_lease(self, lease: Lease) -> None:
        """Release the lease, also if the worker stops or the database failed; otherwise other workers wait until it ends.

        A failure is only logged: it must not replace the cancellation of the worker. A lease that was abandoned is kept
        until its events are set aside, since one of them may have ended the process.
        """
        if lease.was_abandoned:
            return
        try:
            async with self.database.session() as session:
                await lease.release(session)
        except Exception as error:  # noqa: BLE001 (a database error of any kind)
            log.warning(
                "lease not released", consumer=lease.consumer.name, partition=lease.partition, error=_text(error)
            )

    async def _handle_all(self, lease: Lease) -> int:
        handled = 0
        while True:
            succeeded = await self._handle_next_failure(lease)
            if succeeded is not None:
                handled += succeeded
                continue
            read, succeeded = await self._handle_batch(lease)
            handled += succeeded
            if read == 0:
                return handled

    async def _handle_batch(self, lease: Lease) -> tuple[int, int]:
        """Read and handle the next batch; returns how many events were read, and how many of them were handled."""
        consumer = lease.consumer
        rows: Sequence[Row[Any]] = []
        failed = lease.was_abandoned
        try:
            async with self.database.session() as session:
                rows = await _read(session, lease)
                if not rows:
                    lease.was_abandoned = False
                    return 0, 0
                followed = [row for row in rows if row.is_followed]
                blocked = await _find_blocked(session, consumer, followed)
                free = [row for row in followed if _campaign(row) not in blocked]
                if not failed:
                    if free:
                        await _hand_over(session, consumer, free)
                    await lease.change(session, queries.ADVANCE, to=(rows[-1].xid, rows[-1].id))
                    await _set_aside(session, lease, [row for row in followed if _campaign(row) in blocked])
        except LeaseLost:
            raise
        except Exception as error:
            log.warning("batch failed", consumer=consumer.name, partition=lease.partition, error=_text(error))
            if not rows:
                raise  # the database could not be read
            failed = True
        if failed:
            async with self.database.session() as session:
                await lease.change(session, queries.ADVANCE, to=(rows[-1].xid, rows[-1].id))
                await _set_aside(session, lease, [row for row in rows if row.is_followed])
        lease.xid, lease.id, lease.was_abandoned = rows[-1].xid, rows[-1].id, False
        return len(rows), 0 if failed else len(free)

    async def _handle_next_failure(self, lease: Lease) -> int | None:
        """Handle the next due event that was set aside; returns 1 if it succeeded, 0 if it failed, None without one."""
        consumer = lease.consumer
        async with self.database.session() as session:
            found = await session.execute(
                queries.FIND_DUE_FAILURE, {"consumer": consumer.name, "partition": lease.partition}
            )
            due = found.one_or_none()
            if due is None:
                return None
            of_event = {"consumer": consumer.name, "event_id": due.event_id, "attempts": due.attempts}
            await lease.change(session, queries.RENEW_LEASE)
            if due.attempts >= consumer.attempts_max:  # the last attempt ended its process
                await _change_failure(session, queries.PARK, {**of_event, "error": None})
                await _release(session, consumer, [due.campaign_id])
                return 0
            backoff_s = consumer.backoff_s * 2**due.attempts
            begun = {**of_event, "backoff_s": backoff_s, "error": NO_RESULT}
            await _change_failure(session, queries.BEGIN_ATTEMPT, begun)
        of_event["attempts"] = due.attempts + 1
        try:
            async with self.database.session() as session:
                event = {"id": due.event_id, "recorded_at": due.recorded_at}
                await _hand_over(session, consumer, (await session.execute(queries.READ_EVENT, event)).all())
                await lease.change(session, queries.RENEW_LEASE)
                await _change_failure(session, queries.END_ATTEMPT, of_event)
                await _release(session, consumer, [due.campaign_id])
        except LeaseLost:
            raise
        except Exception as error:  # noqa: BLE001 (a handler may raise anything)
            await self._note_failure(lease, of_event, due.campaign_id, error)
            return 0
        return 1

    async def _note_failure(
        self, lease: Lease, of_event: dict[str, object], campaign_id: UUID, error: Exception
    ) -> None:
        is_parked = of_event["attempts"] == lease.consumer.attempts_max
        log.warning(
            "event parked" if is_parked else "event failed", **{**of_event, "event_id": str(of_event["event_id"])},
            error=_text(error),
        )  # fmt: skip
        async with self.database.session() as session:
            await lease.change(session, queries.RENEW_LEASE)
            statement = queries.PARK if is_parked else queries.NOTE_ERROR
            await _change_failure(session, statement, {**of_event, "error": _text(error)})
            await _release(session, lease.consumer, [campaign_id])


async def _read(session: AsyncSession, lease: Lease) -> Sequence[Row[Any]]:
    values = {
        "partition": lease.partition,
        "xid": lease.xid,
        "id": lease.id,
        "kinds": list(lease.consumer.kinds),
        "batch_max": lease.consumer.batch_max,
    }
    return (await session.execute(queries.READ_BATCH, values)).all()


async def _hand_over(session: AsyncSession, consumer: Consumer, rows: Sequence[Row[Any]]) -> None:
    """Call the handler with events; it must end well before the lease does."""
    events = [_as_event(row) for row in rows]
    async with asyncio.timeout(consumer.lease_s / 2):
        await consumer.handle(session, events)
        await session.flush()


async def _find_blocked(session: AsyncSession, consumer: Consumer, rows: Sequence[Row[Any]]) -> set[UUID]:
    values = {
        "consumer": consumer.name,
        "waits": consumer.waits,
        "campaign_ids": list({_campaign(row) for row in rows}),
    }
    return set(await session.scalars(queries.FIND_BLOCKED, values))


async def _set_aside(session: AsyncSession, lease: Lease, rows: Sequence[Row[Any]]) -> None:
    if not rows:
        return
    campaign_ids = [_campaign(row) for row in rows]
    values = {
        "consumer": lease.consumer.name,
        "partition": lease.partition,
        "ids": [row.id for row in rows],
        "campaign_ids": campaign_ids,
        "xids": [row.xid for row in rows],
        "recorded": [row.recorded_at for row in rows],
    }
    await session.execute(queries.SET_ASIDE, values)
    await _release(session, lease.consumer, campaign_ids)


async def _release(session: AsyncSession, consumer: Consumer, campaign_ids: Iterable[UUID]) -> None:
    values = {"consumer": consumer.name, "waits": consumer.waits, "campaign_ids": list(set(campaign_ids))}
    await session.execute(queries.RELEASE, values)


def _as_event(row: Row[Any]) -> Event:
    return Event(
        id=row.id,
        xid=int(row.xid),
        kind=EventKind(row.kind),
        recorded_at=row.recorded_at,
        occurred_at=row.occurred_at,
        campaign_id=row.campaign_id,
        actor_id=row.actor_id,
        user_id=row.user_id,
        idea_id=row.idea_id,
        request_id=row.request_id,
        payload=parse_payload(row.kind, row.version, row.data),
    )


def _campaign(row: Row[Any]) -> UUID:
    return row.campaign_id or NO_CAMPAIGN


async def _change_failure(session: AsyncSession, statement: TextClause, values: Mapping[str, object]) -> None:
    if await count_changed(session, statement, values) != 1:
        msg = f"a command changed the failure of {values['event_id']}"
        raise LeaseLost(msg)


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:ERROR_LENGTH_MAX]
