"""Calls to other servers: every HTTP request that this installation sends to a server of others goes through here.

A call has a time limit, and its response a size limit. It connects to checked addresses (:mod:`api.kernel.outgoing_addresses`),
and follows no redirect unless the caller allows it. Idempotent calls are repeated after a temporary failure. For each
server there is a breaker, which suspends calls to a server that keeps failing, and a bulkhead, which limits the calls
at the same time.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpcore2
import httpx2
import orjson
import stamina
import structlog

from api.kernel.breaker import Breaker
from api.kernel.bulkhead import Bulkhead, BulkheadFull
from api.kernel.outgoing_addresses import CheckedBackend, Resolve, resolve
from api.kernel.outgoing_errors import CallFailed, Reason

if TYPE_CHECKING:
    from settings.outgoing import OutgoingSettings

log = structlog.get_logger(__name__)

RESPONSE_BYTES_MAX = 1_048_576
CALLS_AT_ONCE = 10
CALLS_WAITING_MAX = 100
CONNECTIONS_MAX = 100
CONNECT_TIMEOUT_S = 5.0
REDIRECTS_MAX = 3
TRIES = 5
PAUSE_FIRST_S = 0.1
PAUSE_MAX_S = 5.0
JITTER_S = 0.1
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_TEMPORARY_STATUS = frozenset({429, 500, 502, 503, 504})
_TEMPORARY_REASONS = frozenset({Reason.NOT_RESOLVED, Reason.NOT_CONNECTED, Reason.TIMED_OUT, Reason.BROKEN})
_ALLOWS_REDIRECTS = "ideamint.allows_redirects"  # an extension of a request


class _TemporaryStatus(Exception):
    """A response with a status after which an idempotent call is repeated."""

    def __init__(self, response: httpx2.Response) -> None:
        super().__init__(f"status {response.status_code}")
        self.response = response


@dataclass(frozen=True)
class _Target:
    """A server: its name, and the limits of calls to it."""

    host: str
    breaker: Breaker
    bulkhead: Bulkhead


class OutgoingTransport(httpx2.AsyncBaseTransport):
    """A transport for clients of httpx, such as those of libraries. It reads the whole response.

    Its errors are :class:`CallFailed`. The response of the last try is returned, whatever its status is.
    """

    def __init__(
        self,
        settings: OutgoingSettings,
        *,
        resolve_host: Resolve = resolve,
        clock: Callable[[], float] = time.monotonic,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`clock` returns seconds; `tls` replaces the certificate authorities of the system."""
        self._timeout_s = settings.timeout_s
        self._clock = clock
        self._targets: dict[tuple[str, str, int | None], _Target] = {}
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=tls or ssl.create_default_context(),
            max_connections=CONNECTIONS_MAX,
            max_keepalive_connections=CALLS_AT_ONCE,
            keepalive_expiry=30,
            network_backend=CheckedBackend(settings, resolve_host),
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request, and read its response.

        Raises:
            CallFailed: there is no response, or one that is too large or redirects.
        """
        target = self._target(request.url)
        # a compressed response can be far larger than what was received
        request.headers["Accept-Encoding"] = "identity"
        if request.method not in _IDEMPOTENT:
            return await self._call(target, request)
        try:
            async for attempt in stamina.retry_context(
                on=_is_temporary,
                attempts=TRIES,
                timeout=3 * self._timeout_s,
                wait_initial=PAUSE_FIRST_S,
                wait_max=PAUSE_MAX_S,
                wait_jitter=JITTER_S,
            ):
                with attempt:
                    response = await self._call(target, request)
                    if response.status_code in _TEMPORARY_STATUS:
                        raise _TemporaryStatus(response)
                    return response
        except _TemporaryStatus as error:
            return error.response
        raise AssertionError  # the loop returns or raises

    async def aclose(self) -> None:
        """Do nothing: a client of a library is closed after its call, and the connections are shared."""

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.aclose()

    def _target(self, url: httpx2.URL) -> _Target:
        key = (url.scheme, url.host, url.port)
        target = self._targets.get(key)
        if target is None:
            bulkhead = Bulkhead(CALLS_AT_ONCE, CALLS_WAITING_MAX)
            target = self._targets[key] = _Target(url.host, Breaker(self._clock), bulkhead)
        return target

    async def _call(self, target: _Target, request: httpx2.Request) -> httpx2.Response:
        """One try, counted by the breaker."""
        try:
            async with asyncio.timeout(self._timeout_s), target.bulkhead.slot():
                if not target.breaker.allows():
                    raise CallFailed(target.host, Reason.SUSPENDED)
                response = await self._send(target.host, request)
        except BulkheadFull as error:
            raise CallFailed(target.host, Reason.BUSY) from error
        except TimeoutError as error:
            self._note_failure(target, Reason.TIMED_OUT)
            raise CallFailed(target.host, Reason.TIMED_OUT) from error
        except CallFailed as error:
            if error.reason in _TEMPORARY_REASONS:
                self._note_failure(target, error.reason)
            raise
        if response.status_code >= httpx2.codes.INTERNAL_SERVER_ERROR:
            self._note_failure(target, Reason.BAD_STATUS)
        else:
            target.breaker.succeeded()
        if response.has_redirect_location and not request.extensions.get(_ALLOWS_REDIRECTS):
            raise CallFailed(target.host, Reason.REDIRECTED)
        return response

    @staticmethod
    def _note_failure(target: _Target, reason: Reason) -> None:
        if target.breaker.failed():
            log.warning("calls to another server are suspended", host=target.host, reason=reason)

    async def _send(self, host: str, request: httpx2.Request) -> httpx2.Response:
        assert isinstance(request.stream, httpx2.AsyncByteStream)
        url = request.url
        sent = httpcore2.Request(
            method=request.method,
            url=httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions={"timeout": {"connect": CONNECT_TIMEOUT_S}},
        )
        try:
            response = await self._pool.handle_async_request(sent)
            try:
                content = await _read(host, response)
            finally:
                await response.aclose()
        except httpcore2.ConnectTimeout as error:
            raise CallFailed(host, Reason.TIMED_OUT) from error
        except (httpcore2.ConnectError, ssl.SSLError) as error:
            raise CallFailed(host, Reason.NOT_CONNECTED) from error
        except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            raise CallFailed(host, Reason.BROKEN) from error
        return httpx2.Response(response.status, headers=response.headers, content=content, request=request)


async def _read(host: str, response: httpcore2.Response) -> bytes:
    headers = {name.lower(): value.strip().lower() for name, value in response.headers}
    if headers.get(b"content-encoding", b"identity") != b"identity":
        raise CallFailed(host, Reason.BAD_CONTENT)
    content = bytearray()
    async for part in response.aiter_stream():
        content += part
        if len(content) > RESPONSE_BYTES_MAX:
            raise CallFailed(host, Reason.TOO_LARGE)
    return bytes(content)


def _is_temporary(error: Exception) -> bool:
    if isinstance(error, CallFailed):
        return error.reason in _TEMPORARY_REASONS
    return isinstance(error, _TemporaryStatus)


class Outgoing:
    """Calls of this process to other servers."""

    def __init__(self, transport: OutgoingTransport) -> None:
        """`transport` may also be given to the clients of libraries."""
        self.transport = transport
        self._client = httpx2.AsyncClient(
            transport=transport, trust_env=False, max_redirects=REDIRECTS_MAX, headers={"User-Agent": "ideamint"}
        )

    async def request(
        self,
        method: str,
        url: str,
        *,
        allows_redirects: bool = False,
        headers: dict[str, str] | None = None,
        content: bytes | None = None,
    ) -> httpx2.Response:
        """The response, whatever its status is. The address of a redirect is checked like that of the request.

        Raises:
            CallFailed: there is no response.
        """
        try:
            return await self._client.request(
                method,
                url,
                headers=headers,
                content=content,
                follow_redirects=allows_redirects,
                extensions={_ALLOWS_REDIRECTS: allows_redirects},
            )
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:  # too many redirects, or to no http URL
            raise CallFailed(httpx2.URL(url).host, Reason.REDIRECTED) from error

    async def get_json(self, url: str, *, headers: dict[str, str] | None = None) -> dict[str, Any]:
        """The JSON object at a URL.

        Raises:
            CallFailed: there is no response of status 200, or it is not a JSON object.
        """
        response = await self.request("GET", url, headers={"Accept": "application/json", **(headers or {})})
        if response.status_code != httpx2.codes.OK:
            raise CallFailed(response.url.host, Reason.BAD_STATUS, status_code=response.status_code)
        try:
            document = orjson.loads(response.content)
        except orjson.JSONDecodeError as error:
            raise CallFailed(response.url.host, Reason.BAD_CONTENT) from error
        if not isinstance(document, dict):
            raise CallFailed(response.url.host, Reason.BAD_CONTENT)
        return document

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
        await self.transport.close()


def make_outgoing(settings: OutgoingSettings) -> Outgoing:
    """The calls of a process by its settings."""
    return Outgoing(OutgoingTransport(settings))
