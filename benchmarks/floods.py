"""Measures what allocations and honest log-ins notice of floods of log-ins and registrations, and of slow clients.

    python -m benchmarks.floods [--seconds 10] [--json]

Allocations of 32 clients at one API process without a flood, then during each: `log_ins` and `registrations` are 64 clients
that send one after the other from random network addresses, `slow_clients` are 200 connections that send a byte a second of a
request. `p99_ms_...` is the 99th percentile of an allocation, and `ratio_...` that divided by the one without a flood of the
same run. `log_in_ms_...` is the median time of an honest log-in every half second meanwhile, or of the attempt that
succeeds if the API is busy; `done_...` is the share of these log-ins that succeed at the first attempt.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx2

from benchmarks import http_load, ledgers
from benchmarks.accounts import PASSWORD, VARIABLES, add_accounts, from_elsewhere

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from settings import Settings

CLIENTS = 64
SLOW_CLIENTS = 200
PAUSE_S = 0.5
TRIES = 20


async def measure(settings: Settings, seconds: float, folder: Path) -> dict[str, float]:
    """All figures; each situation lasts for `seconds`."""
    ledgers.seed(settings)
    emails = add_accounts(settings, 500)
    found: dict[str, float] = {}
    with ledgers.api(settings, **VARIABLES, IDEAMINT_REGISTRATIONS_PER_ADDRESS="off") as port:
        await _load(settings, port, 2, folder)
        for name, flood in {
            "none": _none,
            "log_ins": _log_ins,
            "registrations": _registrations,
            "slow_clients": _slow,
        }.items():
            async with flood(port):
                load, honest = await asyncio.gather(
                    _load(settings, port, seconds, folder), _honest_log_ins(port, emails, seconds)
                )
            found |= {f"p99_ms_{name}": round(load.p99_ms, 1), f"per_s_{name}": round(load.per_s)} | {
                f"{figure}_{name}": value for figure, value in honest.items()
            }
    return found | {
        f"ratio_{name}": round(found[f"p99_ms_{name}"] / found["p99_ms_none"], 2)
        for name in ("log_ins", "registrations", "slow_clients")
    }


async def _load(settings: Settings, port: int, seconds: float, folder: Path) -> http_load.Load:
    def run() -> http_load.Load:
        return http_load.run(ledgers.plan(settings, port, seconds, ideas=range(1, ledgers.IDEAS + 1)), folder)

    return await asyncio.to_thread(run)


async def _honest_log_ins(port: int, emails: list[str], seconds: float) -> dict[str, float]:
    times, at_once = [], 0
    ends_at = time.perf_counter() + seconds
    async with _client(port) as client:
        while time.perf_counter() < ends_at:
            body = {"email": emails.pop(), "password": PASSWORD}
            began = time.perf_counter()
            for attempt in range(TRIES):
                response = await client.post("/auth/login", json=body, headers=from_elsewhere())
                if response.status_code == httpx2.codes.OK:
                    at_once += attempt == 0
                    break
                await asyncio.sleep(PAUSE_S)
            times.append(time.perf_counter() - began)
            await asyncio.sleep(PAUSE_S)
    return {"log_in_ms": round(statistics.median(times) * 1000), "done": round(at_once / len(times), 2)}


@asynccontextmanager
async def _none(_: int) -> AsyncIterator[None]:
    yield


@asynccontextmanager
async def _log_ins(port: int) -> AsyncIterator[None]:
    def body() -> dict[str, Any]:
        return {"email": f"{uuid4().hex}@example.org", "password": "a wrong password"}

    async with _flood(port, "/auth/login", body):
        yield


@asynccontextmanager
async def _registrations(port: int) -> AsyncIterator[None]:
    def body() -> dict[str, Any]:
        return {"email": f"{uuid4().hex}@example.org", "password": PASSWORD, "display_name": "Anna"}

    async with _flood(port, "/auth/register", body):
        yield


@asynccontextmanager
async def _flood(port: int, path: str, body: Callable[[], dict[str, Any]]) -> AsyncIterator[None]:
    """Requests of 64 clients, one after the other, while the block lasts."""

    async def send() -> None:
        async with _client(port) as client:
            while True:
                await client.post(path, json=body(), headers=from_elsewhere())

    async with _running([send() for _ in range(CLIENTS)]):
        yield


@asynccontextmanager
async def _slow(port: int) -> AsyncIterator[None]:
    async def send() -> None:
        while True:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                for byte in b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 1000:
                    writer.write(bytes([byte]))
                    await writer.drain()
                    await asyncio.sleep(1)
            except OSError:  # the server has closed the connection
                pass
            finally:
                writer.close()

    async with _running([send() for _ in range(SLOW_CLIENTS)]):
        yield


@asynccontextmanager
async def _running(works: list[Any]) -> AsyncIterator[None]:
    tasks = [asyncio.ensure_future(work) for work in works]
    await asyncio.sleep(1)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        for error in ended:
            assert isinstance(error, asyncio.CancelledError), f"the flood has ended early: {error!r}"


def _client(port: int) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=60, trust_env=False)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10, help="length of each situation")
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object")
    arguments = parser.parse_args()
    with ledgers.installation() as (settings, folder):
        figures = asyncio.run(measure(settings, arguments.seconds, folder))
    ledgers.print_figures(figures, as_json=arguments.json)


if __name__ == "__main__":
    main()
