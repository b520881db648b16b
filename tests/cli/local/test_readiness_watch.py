"""What `ideamint up` prints of the API's readiness."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from cli.local import readiness_watch
from cli.local.ports import HOST, free_port
from cli.local.readiness_watch import ReadinessWatch
from tests.factories.clocks import TRIES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DATABASE: dict[str, Any] = {"required": True, "ok": True, "latency_ms": 1.5, "detail": None}
WORKER = {"required": False, "ok": False, "latency_ms": 1.5, "detail": "missing since 2026-01-01T00:00:00Z"}
OK: dict[str, Any] = {"database": DATABASE}
MISSING: dict[str, Any] = {"database": DATABASE, "worker": WORKER}


class Api:
    """A server whose responses a test chooses; it counts the requests."""

    def __init__(self) -> None:
        self.status, self.checks, self.requests = 200, OK, 0

    async def respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"GET /health/ready ")
        self.requests += 1
        body = json.dumps({"status": "ok", "checks": self.checks})
        writer.write(f"HTTP/1.0 {self.status} Some\r\nContent-Type: application/json\r\n\r\n{body}".encode())
        writer.close()

    async def wait_for_requests(self) -> None:
        """Until a request that began after this call has been responded to."""
        until = self.requests + 2
        for _ in range(TRIES):
            if self.requests >= until:
                return
            await asyncio.sleep(0.01)
        pytest.fail("no request came")


@asynccontextmanager
async def watched(api: Api, said: list[str]) -> AsyncIterator[ReadinessWatch]:
    server = await asyncio.start_server(api.respond, HOST, 0)
    port: int = server.sockets[0].getsockname()[1]
    watch = ReadinessWatch(HOST, port, said.append)
    running = asyncio.create_task(watch.run())
    yield watch
    running.cancel()
    server.close()
    await server.wait_closed()


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness_watch, "INTERVAL_S", 0.01)


async def test_prints_each_change_once() -> None:
    api, said = Api(), list[str]()
    async with watched(api, said) as watch:
        watch.begin()
        await api.wait_for_requests()
        assert said == []
        api.checks = MISSING
        await api.wait_for_requests()
        assert said == ["degraded: worker: missing since 2026-01-01T00:00:00Z"]
        api.checks = OK
        await api.wait_for_requests()
        assert said[1:] == ["ok again: worker"]


async def test_asks_nothing_before_it_begins() -> None:
    api, said = Api(), list[str]()
    api.checks = MISSING
    async with watched(api, said):
        await asyncio.sleep(0.1)
        assert (api.requests, said) == (0, [])


@pytest.mark.parametrize("status", [503, 500])
async def test_leaves_an_api_that_is_not_ready_to_the_supervisor(status: int) -> None:
    api, said = Api(), list[str]()
    async with watched(api, said) as watch:
        watch.begin()
        api.checks = MISSING
        await api.wait_for_requests()
        api.status, api.checks = status, {"database": {**DATABASE, "ok": False, "detail": "unavailable"}}
        await api.wait_for_requests()
        api.status, api.checks = 200, MISSING
        await api.wait_for_requests()
        assert len(said) == 1


async def test_goes_on_without_an_api() -> None:
    watch = ReadinessWatch(HOST, free_port(), print)
    watch.begin()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(watch.run(), 0.2)
