"""Middleware for every request: id, known host, headers of every response, body limit, HEAD, log line.

Plain ASGI: `BaseHTTPMiddleware` costs 80%.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import Request

from api.kernel import origins, problems
from api.kernel.errors import DomainError
from api.kernel.ids import uuid7_text
from api.kernel.logs import RequestLog
from api.kernel.rates import begin_counting

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_log = RequestLog("api.request")

_REQUEST_ID = b"x-request-id"
_READ_HEADERS = frozenset({_REQUEST_ID, b"host", b"user-agent"})
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
_POLICY = b"content-security-policy"
# a response that states neither how long it is valid nor what it can be compared by
_NOT_STORED = (b"cache-control", b"no-store")
_ONE_YEAR_S = 365 * 86_400
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]]+)(?::[0-9]+)?", re.IGNORECASE)


class UnknownHost(DomainError):
    """The Host header names no host of this installation."""

    status = HTTPStatus.MISDIRECTED_REQUEST
    slug = "unknown-host"
    title = "Unknown host"


@dataclass(frozen=True, kw_only=True)
class Edge:
    """What a request may be and what every response has.

    Attributes:
        hosts: names that the Host header may have, in lower case and without a port.
        is_https: whether browsers reach the installation by HTTPS, and are to use nothing else.
        body_bytes_max: the largest request body.
        longer_bodies: paths whose bodies may be longer, with their limit in bytes; a segment `{name}` is any.
        policies: paths with a Content-Security-Policy of their own.
    """

    hosts: frozenset[str]
    body_bytes_max: int
    is_https: bool = False
    longer_bodies: Mapping[str, int] = field(default_factory=dict)
    policies: Mapping[str, str] = field(default_factory=dict)


class RequestContext:
    """Gives each request its id (the caller's own, if it is valid), applies the :class:`Edge`, and logs the response.

    The headers of every response are added here, also those of requests that no route handles. A part inside adds headers
    by the list `response_headers` of the request's state, and the name of its route by `route`.
    """

    def __init__(self, app: ASGIApp, edge: Edge) -> None:
        """Wrap `app`."""
        self.app = app
        self.edge = edge
        headers = dict(_SECURITY_HEADERS)
        if edge.is_https:
            headers["Strict-Transport-Security"] = f"max-age={_ONE_YEAR_S}; includeSubDomains"
        self._longer_bodies = [(_pattern(path), bytes_max) for path, bytes_max in edge.longer_bodies.items()]
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        given = {name: value for name, value in reversed(scope["headers"]) if name in _READ_HEADERS}
        request_id = given.get(_REQUEST_ID, b"").decode("latin-1")
        if not _GIVEN_ID.fullmatch(request_id):
            request_id = uuid7_text()
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        state["rate_levels"] = begin_counting()
        client = scope.get("client")
        agent = given.get(b"user-agent", b"").decode("latin-1")[: origins.AGENT_LENGTH_MAX]
        origin = origins.Origin(client[0] if client else None, agent or None, request_id=request_id)
        status = 500

        async def send_response(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = self._completed(message.get("headers", ()), scope)
            await send(message)

        # every route that answers GET answers HEAD
        is_head = scope["method"] == "HEAD"
        routed = {**scope, "method": "GET"} if is_head else scope
        try:
            with origins.acting(origin):
                await self._answer(
                    given.get(b"host", b"").decode("latin-1"),
                    routed,
                    self._bounded(receive, scope["path"]),
                    _without_body(send_response) if is_head else send_response,
                )
        finally:
            _log.write(
                method=scope["method"],
                route=_template(routed),
                status=status,
                duration_ms=round((time.perf_counter() - started) * 1000, 1),
                origin=origin,
            )

    async def _answer(self, host: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, if it names a host of this installation."""
        found = _HOST.fullmatch(host)
        if found is not None and found[1].lower().rstrip(".") in self.edge.hosts:
            await self.app(scope, receive, send)
            return
        msg = f"This installation has no host {host[:100]!r}; IDEAMINT_PUBLIC_HOSTS lists further ones."
        await problems.refusal(Request(scope), UnknownHost(msg))(scope, receive, send)

    def _completed(self, given: Iterable[tuple[bytes, bytes]], scope: Scope) -> list[tuple[bytes, bytes]]:
        """The headers of a response with those that every response has, unless it has its own."""
        headers = list(given)
        present = {name for name, _ in headers}
        state = scope["state"]
        headers.append((_REQUEST_ID, state["request_id"].encode()))
        if policy := self.edge.policies.get(scope["path"]):
            present.add(_POLICY)
            headers.append((_POLICY, policy.encode()))
        headers += [header for header in self._headers if header[0] not in present]
        if b"cache-control" not in present and b"etag" not in present:
            headers.append(_NOT_STORED)
        if levels := [level for level in state["rate_levels"] if level.limit.is_reported]:
            headers.append((b"ratelimit-policy", ", ".join([level.limit.policy for level in levels]).encode()))
            headers.append((b"ratelimit", ", ".join(map(str, levels)).encode()))
        headers += state.get("response_headers", ())
        return headers

    def _bounded(self, receive: Receive, path: str) -> Receive:
        """Receive a body of at most as many bytes as the path allows."""
        body_bytes = 0
        body_bytes_max = self.edge.body_bytes_max

        async def receive_within_bounds() -> Message:
            nonlocal body_bytes, body_bytes_max
            message = await receive()
            body_bytes += len(message.get("body", b""))
            if body_bytes > body_bytes_max:
                # looked up for long bodies only
                longer = (bytes_max for pattern, bytes_max in self._longer_bodies if pattern.fullmatch(path))
                body_bytes_max = max(body_bytes_max, *longer, 0)
            if body_bytes > body_bytes_max:
                msg = f"A request body has at most {body_bytes_max:,} bytes."
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, msg)
            return message

        return receive_within_bounds


def _pattern(path: str) -> re.Pattern[str]:
    """An expression of the paths that a template describes."""
    return re.compile("/".join("[^/]+" if part.startswith("{") else re.escape(part) for part in path.split("/")))


class Defects:
    """Responds to unexpected errors, inside of the middleware that adds headers to responses."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        has_started = False

        async def send_and_note(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        except Exception as error:
            if has_started:
                raise
            response = await problems.unexpected(Request(scope), error)
            await response(scope, receive, send)


def _template(scope: Scope) -> str | None:
    """The path of the route that handled a request, with the names of its parameters; None if no route did."""
    if "route" in scope["state"]:
        named: str = scope["state"]["route"]
        return named
    # the route that FastAPI chose, with the prefixes of the routers around it
    chosen = scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")
    return getattr(chosen, "path", None)


def _without_body(send: Send) -> Send:
    """Send the head of a response, with the length of the body that is left out."""

    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send(message)
        elif message["type"] == "http.response.body" and not message.get("more_body", False):
            await send({"type": "http.response.body"})

    return send_head
