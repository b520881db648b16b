"""Closed-loop HTTP load on one server of this machine: N keep-alive connections, each sending when it was answered.

Run as a process of its own, so that it takes no time from the server's interpreter:
`python -m benchmarks.http_load PLAN.json`. The plan names host, port, seconds, and for each connection the bytes of its
requests as templates in which `{key}` is replaced by a new idempotency key. Prints counts by status and latencies as JSON.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop

if TYPE_CHECKING:
    from asyncio import Transport


@dataclass
class Tally:
    """What all connections saw."""

    statuses: Counter[int] = field(default_factory=Counter)
    latencies_ms: list[float] = field(default_factory=list)


class Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, number: int, requests: list[str], until: float, tally: Tally) -> None:
        self._number, self._requests, self._until, self._tally = number, requests, until, tally
        self._sent = 0
        self._started = 0.0
        self._received = b""
        self.finished = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Send the first request."""
        self._transport = transport
        self._send()

    def _send(self) -> None:
        template = self._requests[self._sent % len(self._requests)]
        self._sent += 1
        request = template.replace("{key}", f"{self._number}-{self._sent}-{time.time_ns()}")
        self._started = time.perf_counter()
        self._transport.write(request.encode())

    def data_received(self, data: bytes) -> None:
        """Take in an answer and send the next request."""
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        if len(body) < length:
            return
        self._received = b""
        self._tally.statuses[int(head[9:12])] += 1
        now = time.perf_counter()
        self._tally.latencies_ms.append((now - self._started) * 1000)
        if now < self._until:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        """End; an error ends the run."""
        if error is None:
            self.finished.set_result(None)
        else:
            self.finished.set_exception(error)


async def run(plan: dict[str, Any]) -> dict[str, Any]:
    """Carry the plan out."""
    loop = asyncio.get_running_loop()
    tally = Tally()
    started = time.perf_counter()
    until = started + plan["seconds"]
    clients = []
    for number, requests in enumerate(plan["connections"]):
        _, client = await loop.create_connection(
            lambda number=number, requests=requests: Client(number, requests, until, tally),  # type: ignore[misc]
            plan["host"],
            plan["port"],
        )
        clients.append(client)
    await asyncio.gather(*(client.finished for client in clients))
    elapsed_s = time.perf_counter() - started
    latencies = sorted(tally.latencies_ms)
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "elapsed_s": elapsed_s,
        "statuses": dict(tally.statuses),
        "p50_ms": latencies[len(latencies) // 2],
        "p99_ms": latencies[len(latencies) * 99 // 100],
        "cores": (used.ru_utime + used.ru_stime) / elapsed_s,
    }


if __name__ == "__main__":
    uvloop.install()
    sys.stdout.write(json.dumps(asyncio.run(run(json.loads(Path(sys.argv[1]).read_text())))))
