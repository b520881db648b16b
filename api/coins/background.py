"""What the ledger does beside the commands: folding totals, and carrying out settlements.

Every API process runs one; those that come second find the work taken and give way. Nothing here waits for a row that
a command holds longer than its own transaction.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Self

import psycopg
import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from api.coins import service

if TYPE_CHECKING:
    from types import TracebackType
    from uuid import UUID

    from api.kernel.db import Database

log = structlog.get_logger(__name__)

# so that folded totals are at most 2 s behind
PAUSE_S = 1.0
AFTER_FAILURE_S = 5.0

_UNFINISHED = text("SELECT id FROM app.coin_settlements WHERE finished_at IS NULL ORDER BY requested_at")
_SETTLE_NEXT = text("SELECT app.coins_settle_next(:id, :accounts_max)")
_FOLD = text("SELECT app.coins_fold()")


async def fold(database: Database) -> int | None:
    """Bring the totals of many ideas up to date; how many ideas changed, None if another process is at it."""
    async with database.session() as session:
        await service.allow_time(session)
        changed: int | None = await session.scalar(_FOLD)
    return changed


async def settle(database: Database) -> int:
    """Carry out every settlement that waits, a thousand accounts a transaction; how many were finished here."""
    async with database.session() as session:
        unfinished: list[UUID] = list(await session.scalars(_UNFINISHED))
    finished = 0
    for settlement_id in unfinished:
        is_finished: bool | None = False
        while is_finished is False:
            async with database.session() as session:
                await service.allow_time(session)
                is_finished = await session.scalar(
                    _SETTLE_NEXT, {"id": settlement_id, "accounts_max": service.SETTLE_INLINE_MAX}
                )
        finished += bool(is_finished)
    return finished


class Background:
    """Folds and settles once a second, until its `async with` block ends."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin."""
        self._task = asyncio.create_task(self._work(), name="coin-background")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop; what was begun is rolled back and carried on by whoever comes next."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _work(self) -> None:
        while True:
            try:
                await settle(self._database)
                await fold(self._database)
                await asyncio.sleep(PAUSE_S)
            except (DBAPIError, psycopg.Error, OSError) as failure:
                log.warning("coin background failed", error=str(failure))
                await asyncio.sleep(AFTER_FAILURE_S)
