"""Commands on consumers: retry or skip parked events, replay from a position, and delete a removed consumer.

Each command locks the consumer's cursors, as workers do, so that neither sees partial changes of the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import text

from api.events.consumers import NO_CAMPAIGN
from api.events.leases import count_changed
from api.kernel.errors import DomainError, NotFound

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncSession

_LOCK = text(
    "SELECT c.partition FROM app.event_cursors AS c WHERE c.consumer = :consumer ORDER BY c.partition FOR UPDATE"
)
_RETRY = text(
    """
    UPDATE app.event_failures AS f SET parked_at = NULL, attempts = 0, due_at = clock_timestamp()
    WHERE f.consumer = :consumer AND f.parked_at IS NOT NULL AND (:is_all OR f.event_id = ANY (:event_ids))
    RETURNING f.event_id
    """
)
_SKIP = text(
    """
    DELETE FROM app.event_failures AS f
    WHERE f.consumer = :consumer AND f.parked_at IS NOT NULL AND f.event_id = ANY (:event_ids)
    RETURNING f.event_id, f.campaign_id
    """
)
# If the first failure of a campaign is neither due nor parked, it waited for a parked event that was removed.
_RELEASE = text(
    """
    UPDATE app.event_failures AS f SET due_at = clock_timestamp()
    WHERE f.consumer = :consumer AND f.campaign_id = ANY (:campaign_ids) AND f.parked_at IS NULL AND f.due_at IS NULL
        AND NOT EXISTS (
            SELECT FROM app.event_failures AS x
            WHERE x.consumer = f.consumer AND x.campaign_id = f.campaign_id AND (x.xid, x.event_id) < (f.xid, f.event_id))
    """
)
_FIND_POSITION = text("SELECT CAST(e.xid AS text) AS xid, e.id FROM app.events AS e WHERE e.id = :event_id")
_FIND_POSITION_AT = text(
    "SELECT CAST(min(CAST(CAST(e.xid AS text) AS bigint)) AS text) FROM app.events AS e WHERE e.recorded_at >= :recorded_since"
)
_FIND_END = text("SELECT CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text)")
# Removing the token prevents a worker from committing its current transaction.
_MOVE = text(
    """
    UPDATE app.event_cursors AS c
    SET xid = CAST(:xid AS xid8), id = :id, moved_at = clock_timestamp(), lease_token = NULL, lease_until = NULL,
        holder = NULL
    WHERE c.consumer = :consumer AND (c.xid, c.id) > (CAST(:xid AS xid8), :id)
    """
)
_DELETE_FAILURES = text(
    """
    DELETE FROM app.event_failures AS f
    WHERE f.consumer = :consumer AND (f.xid, f.event_id) > (CAST(:xid AS xid8), :id)
    """
)
_IS_LEASED = text(
    "SELECT EXISTS (SELECT FROM app.event_cursors AS c WHERE c.consumer = :consumer AND c.lease_until > clock_timestamp())"
)
_DELETE_CURSORS = text("DELETE FROM app.event_cursors AS c WHERE c.consumer = :consumer")


async def retry_events(session: AsyncSession, consumer: str, event_ids: Sequence[UUID] | None = None) -> list[UUID]:
    """Let workers retry parked events, by default all of them; returns their ids.

    Raises:
        NotFound: there is no such consumer, or one of the events is not parked.
    """
    await _lock(session, consumer)
    values = {"consumer": consumer, "is_all": event_ids is None, "event_ids": list(event_ids or ())}
    retried = list(await session.scalars(_RETRY, values))
    _check_parked(event_ids or (), retried)
    return retried


async def skip_events(session: AsyncSession, consumer: str, event_ids: Sequence[UUID]) -> None:
    """Skip parked events; later events of their campaigns that waited for them are processed.

    Raises:
        NotFound: there is no such consumer, or one of the events is not parked.
    """
    await _lock(session, consumer)
    rows = (await session.execute(_SKIP, {"consumer": consumer, "event_ids": list(event_ids)})).all()
    _check_parked(event_ids, [row.event_id for row in rows])
    await session.execute(_RELEASE, {"consumer": consumer, "campaign_ids": [row.campaign_id for row in rows]})


async def replay(
    session: AsyncSession, consumer: str, *, event_id: UUID | None = None, recorded_since: datetime | None = None
) -> int:
    """Move a consumer back so that it handles events again: from one event, from a time, or from the beginning.

    Returns how many of its partitions moved. It is never moved forward. Failures after the position are deleted, because
    those events are read again.

    Raises:
        NotFound: there is no such consumer, or no such event.
    """
    await _lock(session, consumer)
    xid, id_ = "0", NO_CAMPAIGN
    if event_id is not None:
        row = (await session.execute(_FIND_POSITION, {"event_id": event_id})).one_or_none()
        if row is None:
            msg = f"There is no event {event_id}."
            raise NotFound(msg)
        xid, id_ = row.xid, UUID(int=row.id.int - 1)
    elif recorded_since is not None:
        first = await session.scalar(_FIND_POSITION_AT, {"recorded_since": recorded_since})
        xid = first if first is not None else await session.scalar(_FIND_END)
    position = {"consumer": consumer, "xid": xid, "id": id_}
    moved = await count_changed(session, _MOVE, position)
    await session.execute(_DELETE_FAILURES, position)
    return moved


async def forget(session: AsyncSession, consumer: str, declared: Collection[str] = ()) -> None:
    """Delete the position and the failures of a consumer that the code no longer has.

    Raises:
        NotFound: there is no such consumer.
        DomainError: it is one of the consumers that are `declared` by this code, or a worker has leased one of its partitions.
    """
    if consumer in declared:
        msg = f"This version has the consumer {consumer!r}; without its position it would handle every event again."
        raise DomainError(msg)
    await _lock(session, consumer)
    if await session.scalar(_IS_LEASED, {"consumer": consumer}):
        msg = f"A worker runs the consumer {consumer!r}; stop the workers whose code has it first."
        raise DomainError(msg)
    await session.execute(_DELETE_FAILURES, {"consumer": consumer, "xid": "0", "id": NO_CAMPAIGN})
    await session.execute(_DELETE_CURSORS, {"consumer": consumer})


async def _lock(session: AsyncSession, consumer: str) -> None:
    if not (await session.execute(_LOCK, {"consumer": consumer})).all():
        msg = f"There is no consumer {consumer!r}."
        raise NotFound(msg)


def _check_parked(requested: Sequence[UUID], found: Sequence[UUID]) -> None:
    missing = sorted(set(requested) - set(found))
    if missing:
        msg = f"Not parked: {', '.join(map(str, missing))}."
        raise NotFound(msg)
