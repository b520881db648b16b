"""Background loops of a worker process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import psycopg
import structlog
from sqlalchemy.exc import DBAPIError

from api.kernel.db import Database

if TYPE_CHECKING:
    from types import TracebackType

log = structlog.get_logger(__name__)

# The pause after a failure is doubled each time. Readiness reports a worker without a heartbeat for 15 s as missing.
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Loop:
    """Work that is repeated, with a pause of `pause_s` seconds between the end of one run and the next."""

    name: str
    run: Callable[[Database], Awaitable[object]]
    pause_s: float


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None], *, name: str) -> AsyncIterator[None]:
    """Run a coroutine that does not end by itself as a task, and cancel it at the end of the block."""
    task = asyncio.create_task(work, name=name)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


class Background:
    """Runs loops concurrently, each as a separate task, while its `async with` block lasts.

    A run that fails is logged and repeated after a pause; it does not affect other loops.
    """

    def __init__(self, database: Database, loops: Iterable[Loop], *, stop_s: float | None = None) -> None:
        """Each run of a loop receives `database`. The loops have `stop_s` seconds to end; None is no limit."""
        self._database = database
        self._loops = tuple(loops)
        self._stop_s = stop_s
        self._tasks: list[asyncio.Task[None]] = []
        self.unfinished: list[str] = []

    async def __aenter__(self) -> Self:
        """Start every loop."""
        self._tasks = [asyncio.create_task(self._repeat(loop), name=loop.name) for loop in self._loops]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cancel every loop, which rolls back its transaction; `unfinished` names those that have not ended in time."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            _, pending = await asyncio.wait(self._tasks, timeout=self._stop_s)
            self.unfinished = sorted(task.get_name() for task in pending)

    async def _repeat(self, loop: Loop) -> None:
        failures = 0
        while True:
            try:
                await loop.run(self._database)
                failures = 0
                await asyncio.sleep(loop.pause_s)
            except Exception as failure:  # a defect in one loop must not end the others
                is_expected = isinstance(failure, (DBAPIError, psycopg.Error, OSError))
                log.warning("background loop failed", loop=loop.name, error=str(failure), exc_info=not is_expected)
                await asyncio.sleep(min(FIRST_PAUSE_S * 2**failures, LONGEST_PAUSE_S))
                failures = min(failures + 1, 10)
