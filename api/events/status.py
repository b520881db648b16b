"""Figures of consumers: the lag of each, and its parked events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy import text

from api.events import queries

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

LAG_S_MAX = 60.0

_OF_EVENT = queries.PARTITION.format(alias="e")
# Events are searched only if a cursor is not at the newest event of its partition, which is looked up once.
_FIGURES = """
    WITH newest AS MATERIALIZED (
        SELECT p.partition, n.xid, n.id
        FROM generate_series(0, 15) AS p (partition)
        CROSS JOIN LATERAL (
            SELECT e.xid, e.id FROM app.events AS e
            WHERE ({of_event}) = p.partition
            ORDER BY e.xid DESC, e.id DESC
            LIMIT 1
        ) AS n
    )
    SELECT c.consumer,
        coalesce(extract(epoch FROM clock_timestamp() - min(n.recorded_at)), 0)::float8 AS lag_s,
        count(c.lease_token) FILTER (WHERE c.lease_until >= clock_timestamp())::integer AS leases,
        max(c.moved_at) AS moved_at,
        coalesce(max(f.parked), 0)::integer AS parked, coalesce(max(f.waiting), 0)::integer AS waiting
    FROM app.event_cursors AS c
    LEFT JOIN newest AS w ON w.partition = c.partition
    LEFT JOIN LATERAL (
        SELECT e.recorded_at FROM app.events AS e
        WHERE (w.xid, w.id) > (c.xid, c.id) AND ({of_event}) = c.partition AND (e.xid, e.id) > (c.xid, c.id)
        ORDER BY e.xid, e.id
        LIMIT 1
    ) AS n ON true
    LEFT JOIN (
        SELECT f.consumer, count(f.parked_at) AS parked, count(*) - count(f.parked_at) AS waiting
        FROM app.event_failures AS f
        GROUP BY f.consumer
    ) AS f ON f.consumer = c.consumer
    GROUP BY c.consumer
    ORDER BY c.consumer
"""
# Committed events that cannot be read yet, because an older transaction is still running.
_HELD_BACK = """
    SELECT coalesce(extract(epoch FROM clock_timestamp() - min(n.recorded_at)), 0)::float8
    FROM generate_series(0, 15) AS p (partition)
    CROSS JOIN LATERAL (
        SELECT e.recorded_at FROM app.events AS e
        WHERE ({of_event}) = p.partition AND e.xid >= pg_snapshot_xmin(pg_current_snapshot())
        ORDER BY e.xid, e.id
        LIMIT 1
    ) AS n
"""
_FAILURES = text(
    """
    SELECT f.event_id, nullif(f.campaign_id, '00000000-0000-0000-0000-000000000000') AS campaign_id, e.kind, f.attempts,
        f.parked_at, f.due_at, f.error
    FROM app.event_failures AS f
    LEFT JOIN app.events AS e ON e.id = f.event_id AND e.recorded_at = f.recorded_at
    WHERE f.consumer = :consumer AND (f.parked_at IS NOT NULL OR f.attempts > 0)
    ORDER BY f.xid, f.event_id
    LIMIT :limit
    """
)


class _Figures(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class ConsumerStatus(_Figures):
    """The figures of one consumer."""

    consumer: str
    lag_s: float  # age of the oldest event that it has not read, including events that cannot be read yet
    parked: int
    waiting: int  # events set aside and not parked, which are handled one by one
    leases: int  # partitions that workers have leased now
    moved_at: AwareDatetime | None


class Failure(_Figures):
    """An event that failed."""

    event_id: UUID
    campaign_id: UUID | None
    kind: str | None
    attempts: int
    parked_at: AwareDatetime | None
    due_at: AwareDatetime | None
    error: str | None


class EventsStatus(_Figures):
    """The figures of all consumers, and how long a running transaction has blocked them."""

    held_back_s: float  # age of the oldest event that no consumer can read yet
    consumers: list[ConsumerStatus]

    def degraded(self) -> dict[str, str]:
        """Problems by consumer; empty if there are none."""
        found = {}
        for each in self.consumers:
            reasons = [f"{each.parked} parked"] * (each.parked > 0)
            reasons += [f"{each.lag_s:.0f} s behind"] * (each.lag_s > LAG_S_MAX)
            if reasons:
                found[f"consumer {each.consumer}"] = ", ".join(reasons)
        return found


async def get_status(session: AsyncSession | AsyncConnection) -> EventsStatus:
    """The figures of all consumers that have cursors in the database."""
    rows: list[Any] = list(await session.execute(text(_FIGURES.format(of_event=_OF_EVENT))))
    return EventsStatus(
        held_back_s=await session.scalar(text(_HELD_BACK.format(of_event=_OF_EVENT))) or 0.0,
        consumers=[ConsumerStatus.model_validate(row) for row in rows],
    )


async def list_failures(session: AsyncSession, consumer: str, *, limit: int = 100) -> list[Failure]:
    """Events of a consumer that are parked or have failed, in order."""
    rows = await session.execute(_FAILURES, {"consumer": consumer, "limit": limit})
    return [Failure.model_validate(row) for row in rows]


async def degraded(connection: AsyncConnection) -> dict[str, str]:
    """What readiness reports as degraded."""
    return (await get_status(connection)).degraded()
