"""A bulkhead: a slow service holds only a limited number of the calls of this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class BulkheadFull(Exception):
    """Too many calls are waiting."""


class Bulkhead:
    """At most `calls_max` calls at once; at most `waiting_max` further ones wait for their end."""

    def __init__(self, calls_max: int, waiting_max: int) -> None:
        self._slots = asyncio.Semaphore(calls_max)
        self._waiting_max = waiting_max
        self._waiting = 0

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a free slot, and hold it during the block.

        Raises:
            BulkheadFull: too many calls are waiting.
        """
        if self._slots.locked() and self._waiting >= self._waiting_max:
            raise BulkheadFull
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._slots.release()
