"""A TCP proxy that drops responses: it forwards a command, and closes the connection instead of sending the response."""

from __future__ import annotations

import asyncio
import re
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

CHUNK_BYTES = 65536

# Removes one complete response from the front of the received bytes; None while it is incomplete.
TakeResponse = Callable[[bytearray], bytes | None]


class DroppingProxy:
    """Forwards to a local server and drops the first response to each key.

    `keys` matches the keys in sent bytes; `on_drop` is called with the keys and the response before the connection is cut.
    """

    def __init__(
        self,
        server_port: int,
        take_response: TakeResponse,
        keys: re.Pattern[bytes],
        on_drop: Callable[[set[str], bytes], Awaitable[None]],
    ) -> None:
        self._server_port = server_port
        self._take_response = take_response
        self._keys = keys
        self._on_drop = on_drop
        self._errors: list[Exception] = []
        self.dropped_keys: set[str] = set()
        self.cuts = 0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        """Run the proxy; yields its port."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield server.sockets[0].getsockname()[1]
        if self._errors:
            raise ExceptionGroup("errors of the proxy", self._errors)

    async def _serve(self, client_in: asyncio.StreamReader, client_out: asyncio.StreamWriter) -> None:
        try:
            server_in, server_out = await asyncio.open_connection("127.0.0.1", self._server_port)
        except OSError:
            client_out.transport.abort()
            return
        sent = bytearray()
        sending = asyncio.create_task(self._forward_request(client_in, server_out, sent))
        receiving = asyncio.create_task(self._forward_response(server_in, client_out, sent))
        try:
            await asyncio.wait({sending, receiving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, receiving):
                task.cancel()
            # abort, since a client could interpret a regular close as the end of a response
            client_out.transport.abort()
            server_out.transport.abort()
        for ended in await asyncio.gather(sending, receiving, return_exceptions=True):
            if isinstance(ended, Exception) and not isinstance(ended, OSError):
                self._errors.append(ended)

    @staticmethod
    async def _forward_request(
        client_in: asyncio.StreamReader, server_out: asyncio.StreamWriter, sent: bytearray
    ) -> None:
        while data := await client_in.read(CHUNK_BYTES):
            sent += data
            server_out.write(data)

    async def _forward_response(
        self, server_in: asyncio.StreamReader, client_out: asyncio.StreamWriter, sent: bytearray
    ) -> None:
        received = bytearray()
        while data := await server_in.read(CHUNK_BYTES):
            received += data
            while (response := self._take_response(received)) is not None:
                keys = {key.decode() for key in self._keys.findall(sent)}
                sent.clear()
                if not keys <= self.dropped_keys:
                    self.dropped_keys |= keys
                    self.cuts += 1
                    await self._on_drop(keys, response)
                    return
                client_out.write(response)


def take_http_response(received: bytearray) -> bytes | None:
    """Take a response with Content-Length, as all responses of the API have."""
    head, found, _ = received.partition(b"\r\n\r\n")
    if not found:
        return None
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    assert length is not None, head
    return _take(received, len(head) + 4 + int(length.group(1)))


def take_postgresql_response(received: bytearray) -> bytes | None:
    """Take all messages up to ReadyForQuery, which the server sends after COMMIT; authentication requests separately."""
    position = 0
    while position + 5 <= len(received):
        kind = bytes(received[position : position + 1])
        (length,) = struct.unpack_from("!I", received, position + 1)
        position += 1 + length
        if position > len(received):
            return None
        if kind == b"Z" or (kind in {b"R", b"E"} and received[:1] == kind):
            return _take(received, position)
    return None


def _take(received: bytearray, length: int) -> bytes | None:
    if len(received) < length:
        return None
    response = bytes(received[:length])
    del received[:length]
    return response
