"""Brings the embedded PostgreSQL back while `ideamint up` serves.

A backend that dies is PostgreSQL's own business: its postmaster ends the others and recovers. A postmaster that dies has
nobody above it but this. `ideamint db stop` is obeyed: what was stopped on purpose stays down until `ideamint db start`.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

from cli.local import postgres
from cli.local.cluster import Cluster, ServerError
from cli.local.supervisor import DEATHS_WINDOW_S, FIRST_PAUSE_S, ServiceFailed
from settings import Settings, SettingsError

DEATHS_MAX = 5
LOOK_EVERY_S = 0.2


class DatabaseKeeper:
    """Starts a server again that is lost: at once, and after pauses that double when it dies again within a minute."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        """`settings` are those of a server that runs; it comes back at the address in them. `say` takes lines."""
        self._settings = settings
        self._say = say
        self._log = Cluster(settings.paths.data_dir).log

    async def keep(self) -> None:
        """Keep the server alive until cancelled.

        Raises:
            ServiceFailed: it died five times within a minute, or does not start.
        """
        deaths: deque[float] = deque()
        while True:
            await self._loss()
            died_at = time.monotonic()
            while deaths and died_at - deaths[0] > DEATHS_WINDOW_S:
                deaths.popleft()
            deaths.append(died_at)
            if len(deaths) == DEATHS_MAX:
                msg = f"PostgreSQL died {DEATHS_MAX} times within {DEATHS_WINDOW_S:.0f} s"
                raise ServiceFailed(msg, self._log)
            pause_s = FIRST_PAUSE_S * 2 ** (len(deaths) - 2) if len(deaths) > 1 else 0.0
            when = f" in {pause_s:.0f} s" if pause_s else ""
            self._say(f"PostgreSQL died; starting it again{when}. Its log: {self._log}")
            await asyncio.sleep(pause_s)
            try:
                await asyncio.to_thread(postgres.bring_back, self._settings)
            except (ServerError, SettingsError) as error:
                raise ServiceFailed(str(error), self._log) from error
            self._say(f"PostgreSQL is back after {time.monotonic() - died_at:.1f} s")

    async def _loss(self) -> None:
        while not postgres.is_lost(self._settings):  # noqa: ASYNC110 - another process tells no event
            await asyncio.sleep(LOOK_EVERY_S)
