"""Heartbeats of worker processes: each worker records the time regularly; readiness reports a missing worker."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import text

from api.kernel.background import Loop
from api.kernel.ids import process_name

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from api.kernel.db import Database

INTERVAL_S = 5.0
MISSING_AFTER_S = 15.0
KEPT_DAYS = 1

# the first heartbeat of a process also replaces the row of an earlier process with the same id
_BEAT = text(
    """
    INSERT INTO app.worker_heartbeats AS w (worker, started_at, seen_at)
    VALUES (:worker, clock_timestamp(), clock_timestamp())
    ON CONFLICT (worker) DO UPDATE SET
        started_at = CASE WHEN :is_first THEN excluded.started_at ELSE w.started_at END, seen_at = excluded.seen_at
    """
)
_REMOVE_OLD = text(
    "DELETE FROM app.worker_heartbeats WHERE seen_at < clock_timestamp() - make_interval(days => :kept_days)"
)
_NEWEST = text(
    """
    SELECT max(w.seen_at) AS seen_at,
        coalesce(max(w.seen_at) < clock_timestamp() - make_interval(secs => :missing_after_s), true) AS is_missing
    FROM app.worker_heartbeats AS w
    """
)
# for the supervisor, whose driver uses positional parameters
IS_SEEN = """
    SELECT EXISTS (
        SELECT FROM app.worker_heartbeats AS w WHERE w.seen_at >= clock_timestamp() - make_interval(secs => %s)
    )
"""


@dataclass
class Heartbeat:
    """The heartbeat of this process."""

    worker: str = field(default_factory=process_name)
    _is_first: bool = True

    @property
    def loop(self) -> Loop:
        """The loop that writes a heartbeat every `INTERVAL_S` seconds."""
        return Loop(name="heartbeat", run=self.beat, pause_s=INTERVAL_S)

    async def beat(self, database: Database) -> None:
        """Record that the process runs now, and delete rows of processes that ended more than `KEPT_DAYS` days ago."""
        async with database.session() as session:
            await session.execute(_BEAT, {"worker": self.worker, "is_first": self._is_first})
            await session.execute(_REMOVE_OLD, {"kept_days": KEPT_DAYS})
        self._is_first = False


async def degraded(connection: AsyncConnection) -> dict[str, str]:
    """What readiness reports if no worker was seen for `MISSING_AFTER_S` seconds."""
    row = (await connection.execute(_NEWEST, {"missing_after_s": MISSING_AFTER_S})).one()
    if not row.is_missing:
        return {}
    if row.seen_at is None:
        return {"worker": "missing: none was seen in this database; `ideamint worker` starts one"}
    return {"worker": f"missing since {row.seen_at:%Y-%m-%dT%H:%M:%SZ}; `ideamint worker` starts one"}
