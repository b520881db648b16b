"""Records the refused requests that a process has counted (:mod:`api.kernel.refusals`) as events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import psycopg
import structlog
from sqlalchemy.exc import SQLAlchemyError

from api.events import payloads
from api.events.service import record_event
from api.kernel import origins
from api.kernel.background import running

if TYPE_CHECKING:
    from api.kernel.container import KernelContainer

log = structlog.get_logger(__name__)

PAUSE_S = 1.0


@asynccontextmanager
async def recording(container: KernelContainer) -> AsyncIterator[None]:
    """Record refusals every second while the block lasts, in transactions of their own."""
    async with running(_follow(container), name="refused requests"):
        yield


async def record_refusals(container: KernelContainer) -> int:
    """Record what is to be reported now; returns the number of events."""
    taken = container.refusals.take()
    if not taken:
        return 0
    async with container.database.session() as session:
        for refusal in taken:
            payload = payloads.RequestRefused(
                operation=refusal.operation, problem=refusal.problem, status=refusal.status, times=refusal.times
            )
            with origins.acting(refusal.origin):
                await record_event(session, payload, actor_id=refusal.origin.user_id)
    return len(taken)


async def _follow(container: KernelContainer) -> None:
    while True:
        await asyncio.sleep(PAUSE_S)
        try:
            await record_refusals(container)
        except (SQLAlchemyError, psycopg.Error, OSError) as error:
            log.warning("refused requests are not recorded", error=str(error))
