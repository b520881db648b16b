"""A TCP proxy that loses replies: it hands a command on, and hangs up when the answer is there, before anybody sees it."""

from __future__ import annotations

import asyncio
import re
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

CHUNK_BYTES = 65536

# Takes one whole reply off the front of what a server has sent, None while it is not whole.
TakeReply = Callable[[bytearray], bytes | None]


class LosingProxy:
    """Stands before a server of this machine and loses the first reply to each key, whatever else it answers.

    `keys` finds the keys in what a client sends; `on_loss` is told of the keys and the reply before the line is cut.
    """

    def __init__(
        self,
        server_port: int,
        take_reply: TakeReply,
        keys: re.Pattern[bytes],
        on_loss: Callable[[set[str], bytes], Awaitable[None]],
    ) -> None:
        self._server_port = server_port
        self._take_reply = take_reply
        self._keys = keys
        self._on_loss = on_loss
        self._faults: list[Exception] = []
        self.lost_keys: set[str] = set()
        self.cuts = 0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        """The port that it listens on."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield server.sockets[0].getsockname()[1]
        if self._faults:
            raise ExceptionGroup("the proxy's own faults", self._faults)

    async def _serve(self, client_in: asyncio.StreamReader, client_out: asyncio.StreamWriter) -> None:
        try:
            server_in, server_out = await asyncio.open_connection("127.0.0.1", self._server_port)
        except OSError:
            client_out.transport.abort()
            return
        asked = bytearray()
        asking = asyncio.create_task(self._ask(client_in, server_out, asked))
        answering = asyncio.create_task(self._answer(server_in, client_out, asked))
        try:
            await asyncio.wait({asking, answering}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (asking, answering):
                task.cancel()
            # at once, as a cut line is: no goodbye that a client could take for an answer
            client_out.transport.abort()
            server_out.transport.abort()
        for ended in await asyncio.gather(asking, answering, return_exceptions=True):
            if isinstance(ended, Exception) and not isinstance(ended, OSError):
                self._faults.append(ended)

    @staticmethod
    async def _ask(client_in: asyncio.StreamReader, server_out: asyncio.StreamWriter, asked: bytearray) -> None:
        while data := await client_in.read(CHUNK_BYTES):
            asked += data
            server_out.write(data)

    async def _answer(
        self, server_in: asyncio.StreamReader, client_out: asyncio.StreamWriter, asked: bytearray
    ) -> None:
        said = bytearray()
        while data := await server_in.read(CHUNK_BYTES):
            said += data
            while (reply := self._take_reply(said)) is not None:
                keys = {key.decode() for key in self._keys.findall(asked)}
                asked.clear()
                if not keys <= self.lost_keys:
                    self.lost_keys |= keys
                    self.cuts += 1
                    await self._on_loss(keys, reply)
                    return
                client_out.write(reply)


def take_http_reply(said: bytearray) -> bytes | None:
    """A response whose length is stated, as all of this API's are."""
    head, found, _ = said.partition(b"\r\n\r\n")
    if not found:
        return None
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    assert length is not None, head
    return _take(said, len(head) + 4 + int(length.group(1)))


def take_postgresql_reply(said: bytearray) -> bytes | None:
    """All messages up to ReadyForQuery, which the server sends after COMMIT; a question about the log-in by itself."""
    position = 0
    while position + 5 <= len(said):
        kind = bytes(said[position : position + 1])
        (length,) = struct.unpack_from("!I", said, position + 1)
        position += 1 + length
        if position > len(said):
            return None
        if kind == b"Z" or (kind in {b"R", b"E"} and said[:1] == kind):
            return _take(said, position)
    return None


def _take(said: bytearray, length: int) -> bytes | None:
    if len(said) < length:
        return None
    reply = bytes(said[:length])
    del said[:length]
    return reply
