"""Parts of a response that are sent together, by raw sockets from a real server."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import uvicorn

from api.kernel.http_limits import HttpLimits, LimitedProtocol
from api.kernel.joined_writes import JoinedWrites
from tests.factories.raw_http import GET, exchange

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from starlette.types import Receive, Scope, Send

LAST = GET + b"Connection: close\r\n\r\n"


@asynccontextmanager
async def serving(application: Any) -> AsyncIterator[tuple[int, list[Sequence[bytes]]]]:
    """A server of an application; yields its port, and the parts of each system call that it makes."""
    calls: list[Sequence[bytes]] = []

    class Watched(LimitedProtocol):
        limits = HttpLimits()

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn
            super().connection_made(Calls(transport, calls))  # type: ignore[arg-type]

    config = uvicorn.Config(
        application, port=0, http=Watched, lifespan="off", log_level="critical", server_header=False
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()  # not serve(), which replaces the signal handlers of pytest
    try:
        yield server.servers[0].sockets[0].getsockname()[1], calls
    finally:
        await server.shutdown()


class Calls:
    """A transport that notes what is written by each call."""

    def __init__(self, transport: asyncio.Transport, calls: list[Sequence[bytes]]) -> None:
        self._transport = transport
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        self._calls.append([data])
        self._transport.write(data)

    def writelines(self, parts: Sequence[bytes]) -> None:
        self._calls.append(parts)
        self._transport.writelines(parts)


def respond(*parts: bytes) -> Any:
    """An application that sends a body in parts."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-length", str(sum(map(len, parts))).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body"})
            return
        for number, part in enumerate(parts, 1):
            await send({"type": "http.response.body", "body": part, "more_body": number < len(parts)})

    return application


def body_of(received: bytes) -> bytes:
    return received.rpartition(b"\r\n\r\n")[2]


class TestWritelines:
    async def test_sends_what_is_held_first(self) -> None:
        sent: list[bytes] = []

        class Inner:
            is_closing = staticmethod(lambda: False)
            write = staticmethod(sent.append)
            writelines = staticmethod(sent.extend)
            close = staticmethod(lambda: None)

        joined = JoinedWrites(Inner(), asyncio.get_running_loop())  # type: ignore[arg-type]
        joined.write(b"1")
        joined.writelines([b"2", b"3"])
        joined.write(b"4")
        joined.close()
        assert sent == [b"1", b"2", b"3", b"4"]


class TestResponses:
    async def test_head_and_body_are_one_call(self) -> None:
        async with serving(respond(b"hello")) as (port, calls):
            received = await exchange(port, LAST)
        assert body_of(received) == b"hello"
        assert [len(parts) for parts in calls] == [2]

    async def test_each_response_of_a_connection_is_complete_and_in_order(self) -> None:
        async with serving(respond(b"hello")) as (port, calls):
            received = await exchange(port, GET + b"\r\n" + GET + b"\r\n" + LAST)
        assert received.count(b"HTTP/1.1 200") == received.count(b"\r\n\r\nhello") == 3
        assert [len(parts) for parts in calls] == [2, 2, 2]

    async def test_a_body_of_many_parts_arrives_whole(self) -> None:
        parts = [bytes([65 + n]) * 100_000 for n in range(5)]
        async with serving(respond(*parts)) as (port, _):
            received = await exchange(port, LAST)
        assert body_of(received) == b"".join(parts)

    async def test_a_head_without_a_body_is_sent(self) -> None:
        async with serving(respond(b"hello")) as (port, _):
            received = await exchange(port, LAST.replace(b"GET", b"HEAD"))
        assert received.startswith(b"HTTP/1.1 200")
        assert body_of(received) == b""

    async def test_a_head_does_not_wait_for_a_body_that_comes_later(self) -> None:
        go_on = asyncio.Event()

        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
            await go_on.wait()
            await send({"type": "http.response.body", "body": b"ok"})

        async with serving(application) as (port, calls):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(LAST)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            go_on.set()
            assert await reader.read() == b"ok"
            writer.close()
        assert [len(parts) for parts in calls] == [1, 1]

    async def test_an_application_that_fails_after_the_head_ends_the_connection(self) -> None:
        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
            raise ZeroDivisionError

        async with serving(application) as (port, _):
            received = await exchange(port, GET + b"\r\n")
        assert received.startswith(b"HTTP/1.1 200")
        assert body_of(received) == b""
