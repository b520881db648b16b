"""Prints degraded checks of the API's readiness, such as a missing worker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cli.local.ports import local_host

INTERVAL_S = 5.0


@dataclass
class ReadinessWatch:
    """Polls `/health/ready` every few seconds and prints each change of a check.

    Failed checks are not printed: the supervisor or the database watchdog reports and restarts the failed process.
    """

    host: str
    port: int
    say: Callable[[str], None]
    _begun: asyncio.Event = field(default_factory=asyncio.Event)
    _degraded: Mapping[str, str] = field(default_factory=dict)

    def begin(self) -> None:
        """Start to poll. Called once all services have started, since some checks are not ok before."""
        self._begun.set()

    async def run(self) -> None:
        """Poll until cancelled."""
        await self._begun.wait()
        while True:
            found = await self._poll()
            if found is not None:
                self._print(found)
            await asyncio.sleep(INTERVAL_S)

    def _print(self, found: Mapping[str, str]) -> None:
        for check, text in found.items():
            if check not in self._degraded:
                self.say(f"degraded: {check}: {text}")
        for check in self._degraded:
            if check not in found:
                self.say(f"ok again: {check}")
        self._degraded = found

    async def _poll(self) -> dict[str, str] | None:
        """The degraded checks; None if the API does not respond or is not ready."""
        try:
            async with asyncio.timeout(10):
                reader, writer = await asyncio.open_connection(local_host(self.host), self.port)
                try:
                    writer.write(f"GET /health/ready HTTP/1.0\r\nHost: {self.host}\r\n\r\n".encode())
                    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
                finally:
                    writer.close()
            if head.split()[1:2] != [b"200"]:
                return None
            checks = json.loads(body)["checks"]
            return {name: check["detail"] for name, check in checks.items() if not check["ok"]}
        except (OSError, TimeoutError, ValueError, KeyError):
            return None
