"""Jobs of events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from api.kernel.jobs import Job

if TYPE_CHECKING:
    from api.kernel.container import KernelContainer

PARTITIONS_AHEAD_MONTHS = 12

_PREPARE = text("SELECT app.prepare_event_partitions(:months)")


async def prepare_partitions(container: KernelContainer) -> int:
    """Create the missing partitions of this month and the next 12; returns how many."""
    async with container.database.session() as session:
        created: int = await session.scalar(_PREPARE, {"months": PARTITIONS_AHEAD_MONTHS})
    return created


JOBS = (Job(name="prepare_event_partitions", run=prepare_partitions, cron="7 1 * * *"),)
