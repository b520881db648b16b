"""Limits of HTTP connections, tried with raw sockets against a real server."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import uvicorn
from websockets.asyncio.client import connect

from api.kernel.http_limits import HttpLimits, limited
from tests.factories.clocks import GIVE_UP_AFTER_S, TRIES
from tests.factories.raw_http import GET, exchange, refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

POST = b"POST / HTTP/1.1\r\nHost: localhost\r\n"
PATIENT = HttpLimits(head_s=GIVE_UP_AFTER_S, body_pause_s=GIVE_UP_AFTER_S)


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the number of headers and the length of the body; a WebSocket, with its own messages."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})
        return
    length = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        length += len(message["body"])
        if not message["more_body"]:
            break
    body = f"{len(scope['headers'])} {length}".encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def serving(limits: HttpLimits) -> AsyncIterator[int]:
    """A server of the echo application with these limits; yields its port."""
    config = uvicorn.Config(echo, host="127.0.0.1", port=0, http=limited(limits), lifespan="off", log_level="critical")
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()  # not serve(), which replaces the signal handlers of pytest
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        await server.shutdown()


class TestHead:
    async def test_a_usual_request_is_answered_and_the_connection_stays(self) -> None:
        async with serving(PATIENT) as port:
            received = await exchange(port, GET + b"\r\n", GET + b"Connection: close\r\n\r\n")
        assert received.count(b"HTTP/1.1 200") == 2

    async def test_one_huge_header_is_refused_long_before_its_end(self) -> None:
        async with serving(PATIENT) as port:
            received = await exchange(port, GET + b"X: ", *([b"a" * 65536] * 200))
        assert refusal(received) == (431, "headers-too-large")

    async def test_a_header_just_within_the_limit_is_accepted(self) -> None:
        within = PATIENT.header_bytes - len(b"Host: localhost\r\nX: \r\nConnection: close\r\n")
        async with serving(PATIENT) as port:
            accepted = await exchange(port, GET + b"X: " + b"a" * within + b"\r\nConnection: close\r\n\r\n")
            refused = await exchange(port, GET + b"X: " + b"a" * (within + 1) + b"\r\nConnection: close\r\n\r\n")
        assert accepted.startswith(b"HTTP/1.1 200")
        assert refusal(refused) == (431, "headers-too-large")

    async def test_many_small_headers(self) -> None:
        small = b"".join(b"X-%d: 1\r\n" % number for number in range(PATIENT.header_count))
        async with serving(PATIENT) as port:
            assert refusal(await exchange(port, GET + small + b"\r\n")) == (431, "headers-too-large")

    async def test_a_long_request_line(self) -> None:
        async with serving(PATIENT) as port:
            received = await exchange(port, b"GET /" + b"a" * PATIENT.request_line_bytes + b" HTTP/1.1\r\n\r\n")
            endless = await exchange(port, b"GET /", *([b"a" * 4096] * 100))
        assert refusal(received) == refusal(endless) == (414, "request-line-too-long")

    async def test_what_is_not_http(self) -> None:
        async with serving(PATIENT) as port:
            assert refusal(await exchange(port, b"\x16\x03\x01 hello\r\n\r\n")) == (400, "malformed-request")

    async def test_a_head_that_does_not_end_in_time(self) -> None:
        async with serving(HttpLimits(head_s=0.5)) as port:
            dripped = await exchange(port, *(bytes([each]) for each in GET + b"X: " + b"a" * 500), pause_s=0.05)
            silent = await exchange(port)
        assert refusal(dripped) == refusal(silent) == (408, "request-timeout")

    async def test_pipelined_requests_are_each_bounded(self) -> None:
        async with serving(PATIENT) as port:
            received = await exchange(port, (GET + b"\r\n") * 5 + GET + b"Connection: close\r\n\r\n")
            assert received.count(b"HTTP/1.1 200") == 6
            huge = await exchange(port, (GET + b"\r\n") * 2 + GET + b"X: " + b"a" * 100_000)
        assert b"HTTP/1.1 200" not in huge[huge.rfind(b"HTTP/1.1 4") :]
        assert huge.count(b"HTTP/1.1") <= 3


class TestBody:
    async def test_chunks_and_a_trailer_are_read(self) -> None:
        chunked = POST + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"
        async with serving(PATIENT) as port:
            received = await exchange(port, chunked)
        assert received.endswith(b"3 3")  # three headers: the trailer is dropped

    @pytest.mark.parametrize(
        ("parts", "slug"),
        [
            ([b"3;" + b"e" * 200_000 + b"\r\nabc\r\n"], "malformed-request"),
            ([b"3\r\nabc\r\n0\r\n", b"X: " + b"a" * 200_000 + b"\r\n\r\n"], "malformed-request"),
            ([b"3\r\nabc\r\n0\r\n", *(b"X-%d: 1\r\n" % number for number in range(200)), b"\r\n"], "headers-too-large"),
        ],
        ids=["extension", "trailer", "trailers"],
    )
    async def test_long_extensions_and_trailers_are_refused(self, parts: list[bytes], slug: str) -> None:
        async with serving(PATIENT) as port:
            received = await exchange(port, POST + b"Transfer-Encoding: chunked\r\n\r\n", *parts)
        assert refusal(received)[1] == slug

    async def test_a_body_that_pauses_for_too_long(self) -> None:
        async with serving(HttpLimits(body_pause_s=0.4)) as port:
            received = await exchange(port, POST + b"Content-Length: 10\r\n\r\n", b"abc")
        assert refusal(received) == (408, "request-timeout")

    async def test_a_slow_body_whose_parts_arrive_in_time_is_read(self) -> None:
        async with serving(HttpLimits(head_s=0.5, body_pause_s=GIVE_UP_AFTER_S)) as port:
            parts = [b"a"] * 10
            received = await exchange(
                port, POST + b"Content-Length: 10\r\nConnection: close\r\n\r\n", *parts, pause_s=0.1
            )
        assert received.endswith(b"3 10")


class TestConnections:
    async def test_one_too_many_is_refused(self) -> None:
        async with serving(HttpLimits(connections=2, head_s=GIVE_UP_AFTER_S)) as port:
            held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
            await asyncio.sleep(0.05)
            received = await exchange(port)
            assert refusal(received) == (503, "busy")
            assert b"retry-after: 1" in received
            for _, writer in held:
                writer.close()
                await writer.wait_closed()
            for _ in range(TRIES):
                accepted = await exchange(port, GET + b"Connection: close\r\n\r\n")
                if not accepted.startswith(b"HTTP/1.1 503"):
                    break
                await asyncio.sleep(0.01)
        assert accepted.startswith(b"HTTP/1.1 200")

    async def test_a_websocket_outlives_the_time_for_a_head_and_counts_as_a_connection(self) -> None:
        async with (
            serving(HttpLimits(head_s=0.2, body_pause_s=0.2, connections=1)) as port,
            connect(f"ws://localhost:{port}/") as websocket,
        ):
            await asyncio.sleep(0.5)
            await websocket.send("still here")
            assert await websocket.recv() == "still here"
            assert refusal(await exchange(port)) == (503, "busy")

    async def test_a_handshake_is_bounded_as_every_head(self) -> None:
        upgrade = GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        async with serving(PATIENT) as port:
            assert refusal(await exchange(port, upgrade + b"X: " + b"a" * 100_000)) == (431, "headers-too-large")
