"""Raw bytes to an HTTP server, and the refusals that it sends."""

from __future__ import annotations

import asyncio

import orjson

from tests.factories.clocks import GIVE_UP_AFTER_S

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
PROBLEM = "urn:ideamint:problem:"


async def exchange(port: int, *parts: bytes, pause_s: float = 0.0) -> bytes:
    """Everything that the server sends until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    received = b""

    async def read() -> None:
        nonlocal received
        while part := await reader.read(65536):
            received += part

    reading = asyncio.create_task(read())
    try:
        for part in parts:
            if reading.done():
                break
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause_s)
        await asyncio.wait_for(asyncio.shield(reading), GIVE_UP_AFTER_S)
    except ConnectionError:
        pass
    finally:
        writer.close()
        await asyncio.gather(reading, return_exceptions=True)
    return received


def refusal(received: bytes) -> tuple[int, str]:
    """Status and type of the last response, a problem document."""
    head, _, body = received[received.rindex(b"HTTP/1.1 ") :].partition(b"\r\n\r\n")
    document = orjson.loads(body)
    status = int(head.split()[1])
    assert document["status"] == status
    assert b"application/problem+json" in head
    assert b"connection: close" in head
    return status, document["type"].removeprefix(PROBLEM)
