"""Limits of HTTP connections, applied before and while the parser reads a request.

uvicorn bounds neither the size of a request's head nor the time to send it, and its parser joins a long header in
quadratic time. This protocol counts bytes as they arrive and refuses the connection with 400, 408, 414, 431 or 503.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

import orjson
import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from api.kernel.errors import TYPE_PREFIX, ProblemType
from api.kernel.joined_writes import JoinedWrites

if TYPE_CHECKING:
    import asyncio

    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

log = structlog.get_logger(__name__)

# Data is given to the parser in pieces of this size, so that a limit is exceeded by one piece at most.
PIECE_BYTES = 4096
# After a refusal, what the client still sends is read and dropped for this time: closing at once would reset the connection,
# and the client would not receive the refusal.
LINGER_S = 2.0
# Sizes and extensions of chunks, in bytes for each byte of the body.
FRAMING_RATIO_MAX = 16


@dataclass(frozen=True)
class HttpLimits:
    """Limits of one connection and, last, of the process.

    A head is the request line with the headers; trailers count as headers. Times are in seconds: for a whole head, and for
    a pause between two parts of a body.
    """

    request_line_bytes: int = 8 * 1024
    header_bytes: int = 32 * 1024
    header_count: int = 100
    head_s: float = 10.0
    body_pause_s: float = 30.0
    connections: int = 1000


class _Phase(Enum):
    IDLE = "idle"
    HEAD = "head"
    BODY = "body"
    UPGRADED = "upgraded"  # a WebSocket's protocol has the connection
    REFUSED = "refused"


_ENDED = frozenset({_Phase.UPGRADED, _Phase.REFUSED})


MALFORMED_REQUEST = ProblemType(
    "malformed-request", HTTPStatus.BAD_REQUEST, "Bad request", "The bytes are not a request of HTTP/1.1."
)
REQUEST_TIMEOUT = ProblemType(
    "request-timeout", HTTPStatus.REQUEST_TIMEOUT, "Request timeout", "The headers or the body arrived too slowly."
)
REQUEST_LINE_TOO_LONG = ProblemType(
    "request-line-too-long",
    HTTPStatus.REQUEST_URI_TOO_LONG,
    "Request line too long",
    "The path with its query is too long.",
)
HEADERS_TOO_LARGE = ProblemType(
    "headers-too-large",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "Headers too large",
    "The request has too many headers, or too many bytes of them.",
)
TOO_MANY_CONNECTIONS = ProblemType(
    "busy", HTTPStatus.SERVICE_UNAVAILABLE, "Try again shortly", "The process has too many connections."
)
TYPES = (MALFORMED_REQUEST, REQUEST_TIMEOUT, REQUEST_LINE_TOO_LONG, HEADERS_TOO_LARGE, TOO_MANY_CONNECTIONS)
"""The types of problems of a connection; none belongs to an operation."""


@dataclass(frozen=True)
class _Refusal(Exception):
    kind: ProblemType
    detail: str


class LimitedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with limits; :func:`limited` makes one for other limits than the default ones."""

    limits: ClassVar[HttpLimits] = HttpLimits()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """As uvicorn calls it."""
        super().__init__(*arguments, **options)
        self._phase = _Phase.IDLE
        self._refusal: _Refusal | None = None
        self._head_bytes = 0
        self._header_bytes = 0
        self._header_count = 0
        self._body_bytes = 0
        self._framing_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._timed_phase = _Phase.IDLE
        self._deadline = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn
        """Refuse the connection if the process has too many; otherwise wait for a head for a bounded time."""
        super().connection_made(JoinedWrites(transport, self.loop))  # type: ignore[arg-type] # a transport for uvicorn
        if len(self.connections) > self.limits.connections:
            self._refuse(_Refusal(TOO_MANY_CONNECTIONS, "The server has too many connections. Try again in a second."))
            return
        self._start_timer(_Phase.HEAD, self.limits.head_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the timer."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Give the data to the parser piece by piece, counting what it has not finished."""
        for start in range(0, len(data), PIECE_BYTES):
            if self._phase in _ENDED or self.transport.is_closing():
                return
            self._feed(data[start : start + PIECE_BYTES])
        if not (self._phase in _ENDED or self.transport.is_closing()):
            self._set_timer()

    def _feed(self, piece: bytes) -> None:
        phase, body_bytes = self._phase, self._body_bytes
        super().data_received(piece)
        if self._phase is _Phase.HEAD:
            self._head_bytes += len(piece)
            if self._head_bytes > self.limits.header_bytes + self.limits.request_line_bytes:
                self._refuse(_header_bytes_refusal(self.limits))
        elif phase is self._phase is _Phase.BODY:
            self._framing_bytes += len(piece) - (self._body_bytes - body_bytes)
            if self._framing_bytes > self.limits.header_bytes + FRAMING_RATIO_MAX * self._body_bytes:
                detail = "The sizes and extensions of the chunks are too long for the body."
                self._refuse(_Refusal(MALFORMED_REQUEST, detail))

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._phase = _Phase.HEAD
        self._head_bytes = self._header_bytes = self._header_count = self._body_bytes = self._framing_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Bound the request line."""
        super().on_url(url)
        if len(self.url) > self.limits.request_line_bytes:
            detail = f"A request line has at most {self.limits.request_line_bytes:,} bytes."
            self._stop_parser(_Refusal(REQUEST_LINE_TOO_LONG, detail))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Bound the headers. Trailers are counted and dropped: the application has the headers already."""
        self._header_count += 1
        self._header_bytes += len(name) + len(value) + len(b": \r\n")
        if self._header_count > self.limits.header_count:
            detail = f"A request has at most {self.limits.header_count} headers."
            self._stop_parser(_Refusal(HEADERS_TOO_LARGE, detail))
        if self._header_bytes > self.limits.header_bytes:
            self._stop_parser(_header_bytes_refusal(self.limits))
        if self._phase is _Phase.HEAD:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The body begins."""
        super().on_headers_complete()
        self._phase = _Phase.BODY

    def on_body(self, body: bytes) -> None:
        """Count the body; the application bounds it."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is complete."""
        super().on_message_complete()
        self._phase = _Phase.IDLE

    def handle_websocket_upgrade(self) -> None:
        """The WebSocket's protocol takes the connection; what the client sent before its answer is dropped, as by uvicorn."""
        self._stop_timer()
        self._phase = _Phase.UPGRADED
        self.transport = self.transport.inner  # type: ignore[attr-defined]
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls for data that is not HTTP, and for an error of a callback."""
        self._refuse(self._refusal or _Refusal(MALFORMED_REQUEST, msg))

    def _stop_parser(self, refusal: _Refusal) -> None:
        """End parsing; uvicorn then calls `send_400_response`."""
        self._refusal = refusal
        raise refusal

    def _refuse(self, refusal: _Refusal) -> None:
        """Answer with a problem document, unless a response has begun, and close the connection."""
        if self._phase in _ENDED or self.transport.is_closing():
            return
        self._stop_timer()
        log.info("connection refused", status=int(refusal.kind.status), reason=refusal.kind.slug)
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete:
            self.transport.write(_response(refusal))
        else:
            if self._phase is _Phase.BODY and not (cycle.response_started or self.pipeline):
                self.transport.write(_response(refusal))
            cycle.disconnected = True
            cycle.message_event.set()
        self._phase = _Phase.REFUSED
        self._close()

    def _close(self) -> None:
        """Close once the client has had time to receive the refusal. A connection too many has no such time."""
        if len(self.connections) > self.limits.connections or not self.transport.can_write_eof():
            self.transport.close()
            return
        self.transport.write_eof()
        self.flow.resume_reading()
        self._timer = self.loop.call_later(LINGER_S, self.transport.close)

    def _set_timer(self) -> None:
        """Bound what the client has not finished: a whole head, or the next part of a body."""
        if self._phase is _Phase.IDLE:
            if self._timer is not None:
                self._stop_timer()
        elif self._phase is _Phase.HEAD:
            if self._timed_phase is not _Phase.HEAD:
                self._start_timer(_Phase.HEAD, self.limits.head_s)
        else:
            self._deadline = self.loop.time() + self.limits.body_pause_s
            if self._timed_phase is not _Phase.BODY:
                self._start_timer(_Phase.BODY, self.limits.body_pause_s)

    def _start_timer(self, phase: _Phase, seconds: float) -> None:
        self._stop_timer()
        self._timed_phase = phase
        self._deadline = self.loop.time() + seconds
        self._timer = self.loop.call_at(self._deadline, self._time_out)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timed_phase = None, _Phase.IDLE

    def _time_out(self) -> None:
        is_body = self._timed_phase is _Phase.BODY
        if is_body and self.flow.read_paused:  # the application has not read what is here
            self._deadline = self.loop.time() + self.limits.body_pause_s
        if self.loop.time() < self._deadline:
            self._timer = self.loop.call_at(self._deadline, self._time_out)
            return
        what = (
            f"No part of the body arrived within {self.limits.body_pause_s:g} s."
            if is_body
            else f"The headers were not complete within {self.limits.head_s:g} s."
        )
        self._refuse(_Refusal(REQUEST_TIMEOUT, what))


def limited(limits: HttpLimits) -> type[LimitedProtocol]:
    """The protocol with these limits."""
    return type("LimitedProtocol", (LimitedProtocol,), {"limits": limits})


def _header_bytes_refusal(limits: HttpLimits) -> _Refusal:
    detail = f"The headers of a request have at most {limits.header_bytes:,} bytes."
    return _Refusal(HEADERS_TOO_LARGE, detail)


def _response(refusal: _Refusal) -> bytes:
    body = orjson.dumps(
        {
            "type": f"{TYPE_PREFIX}{refusal.kind.slug}",
            "title": refusal.kind.title,
            "status": int(refusal.kind.status),
            "detail": refusal.detail,
        }
    )
    retry = b"retry-after: 1\r\n" if refusal.kind.status is HTTPStatus.SERVICE_UNAVAILABLE else b""
    return (
        STATUS_LINE[refusal.kind.status]
        + retry
        + b"content-type: application/problem+json\r\nconnection: close\r\nx-content-type-options: nosniff\r\n"
        + b"content-length: "
        + str(len(body)).encode()
        + b"\r\n\r\n"
        + body
    )
