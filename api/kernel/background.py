"""Work that a process repeats beside its requests."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import psycopg
import structlog
from sqlalchemy.exc import DBAPIError

from api.kernel.db import Database

if TYPE_CHECKING:
    from types import TracebackType

log = structlog.get_logger(__name__)

AFTER_FAILURE_S = 5.0


@dataclass(frozen=True, kw_only=True)
class Loop:
    """Work that is repeated, with a pause of `pause_s` seconds between the end of one run and the next."""

    name: str
    run: Callable[[Database], Awaitable[object]]
    pause_s: float


class Background:
    """Runs loops concurrently, each as a task of its own, while its `async with` block lasts."""

    def __init__(self, database: Database, loops: Iterable[Loop]) -> None:
        """Each run of a loop is passed `database`."""
        self._database = database
        self._loops = tuple(loops)
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Start every loop."""
        self._tasks = [asyncio.create_task(self._repeat(loop), name=loop.name) for loop in self._loops]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cancel every loop; the transaction under way is rolled back."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _repeat(self, loop: Loop) -> None:
        while True:
            try:
                await loop.run(self._database)
                await asyncio.sleep(loop.pause_s)
            except (DBAPIError, psycopg.Error, OSError) as failure:
                log.warning("background loop failed", loop=loop.name, error=str(failure))
                await asyncio.sleep(AFTER_FAILURE_S)
