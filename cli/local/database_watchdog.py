"""Restarts the embedded PostgreSQL while `ideamint up` runs.

PostgreSQL handles the death of a backend: its postmaster ends the other backends and recovers. Only this
watchdog supervises the postmaster. A server that was stopped with `ideamint db stop` stays down until `ideamint db start`.
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
CHECK_INTERVAL_S = 0.2


class DatabaseWatchdog:
    """Restarts a lost server immediately; if it dies again within a minute, after pauses that double."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        """`settings` of a running server, which is restarted at the same address; `say` prints a line."""
        self._settings = settings
        self._say = say
        self._log = Cluster(settings.paths.data_dir).log

    async def run(self) -> None:
        """Check and restart the server until cancelled.

        Raises:
            ServiceFailed: the server died five times within a minute, or does not start.
        """
        deaths: deque[float] = deque()
        while True:
            await self._wait_for_loss()
            died_at = time.monotonic()
            while deaths and died_at - deaths[0] > DEATHS_WINDOW_S:
                deaths.popleft()
            deaths.append(died_at)
            if len(deaths) == DEATHS_MAX:
                msg = f"PostgreSQL died {DEATHS_MAX} times within {DEATHS_WINDOW_S:.0f} s"
                raise ServiceFailed(msg, self._log)
            pause_s = FIRST_PAUSE_S * 2 ** (len(deaths) - 2) if len(deaths) > 1 else 0.0
            when = f" in {pause_s:.0f} s" if pause_s else ""
            self._say(f"PostgreSQL died; restarting it{when}. Log: {self._log}")
            await asyncio.sleep(pause_s)
            try:
                await asyncio.to_thread(postgres.restart_lost, self._settings)
            except (ServerError, SettingsError) as error:
                raise ServiceFailed(str(error), self._log) from error
            self._say(f"PostgreSQL is running again after {time.monotonic() - died_at:.1f} s")

    async def _wait_for_loss(self) -> None:
        while not postgres.is_lost(self._settings):  # noqa: ASYNC110 - another process cannot set an event
            await asyncio.sleep(CHECK_INTERVAL_S)
