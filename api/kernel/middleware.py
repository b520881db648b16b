"""Middleware for every request: id, known host, security headers, body limit, HEAD, log line.

Plain ASGI: `BaseHTTPMiddleware` costs 80%.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request

from api.kernel import origins, problems
from api.kernel.errors import DomainError
from api.kernel.ids import uuid7

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger("api.request")

REQUEST_ID = "X-Request-ID"
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
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
        longer_bodies: paths whose bodies may be longer, with their limit in bytes.
        policies: paths with a Content-Security-Policy of their own.
    """

    hosts: frozenset[str]
    body_bytes_max: int
    is_https: bool = False
    longer_bodies: Mapping[str, int] = field(default_factory=dict)
    policies: Mapping[str, str] = field(default_factory=dict)


class RequestContext:
    """Gives each request its id (the caller's own, if it is valid), applies the :class:`Edge`, and logs the response."""

    def __init__(self, app: ASGIApp, edge: Edge) -> None:
        """Wrap `app`."""
        self.app = app
        self.edge = edge
        self._headers = dict(_SECURITY_HEADERS)
        if edge.is_https:
            self._headers["Strict-Transport-Security"] = f"max-age={_ONE_YEAR_S}; includeSubDomains"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_headers = Headers(scope=scope)
        given = request_headers.get(REQUEST_ID, "")
        request_id = given if _GIVEN_ID.fullmatch(given) else str(uuid7())
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        client = scope.get("client")
        agent = request_headers.get("user-agent", "")[: origins.AGENT_LENGTH_MAX]
        origin = origins.Origin(client[0] if client else None, agent or None)
        started = time.perf_counter()
        status = 500
        has_started = False

        async def send_response(message: Message) -> None:
            nonlocal status, has_started
            if message["type"] == "http.response.start":
                status, has_started = message["status"], True
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID] = request_id
                if policy := self.edge.policies.get(scope["path"]):
                    headers.setdefault("Content-Security-Policy", policy)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        # every route that answers GET answers HEAD
        is_head = scope["method"] == "HEAD"
        send_with_headers = _without_body(send_response) if is_head else send_response
        routed = {**scope, "method": "GET"} if is_head else scope
        body_bytes = 0
        body_bytes_max = max(self.edge.body_bytes_max, self.edge.longer_bodies.get(scope["path"], 0))

        async def receive_within_bounds() -> Message:
            nonlocal body_bytes
            message = await receive()
            body_bytes += len(message.get("body", b""))
            if body_bytes > body_bytes_max:
                msg = f"A request body has at most {body_bytes_max:,} bytes."
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, msg)
            return message

        try:
            host = request_headers.get("host", "")
            with origins.acting(origin):
                await self._answer(host, routed, receive_within_bounds, send_with_headers)
        except Exception as error:
            # here and not in an outer layer, so that the response has the headers of every other one
            if has_started:
                raise
            response = await problems.unexpected(Request(scope), error)
            await response(routed, receive, send_with_headers)
        finally:
            log.debug(
                "answered",
                method=scope["method"],
                path=scope["path"],
                status=status,
                duration_ms=round((time.perf_counter() - started) * 1000, 1),
            )

    async def _answer(self, host: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, if it names a host of this installation."""
        found = _HOST.fullmatch(host)
        if found is not None and found[1].lower().rstrip(".") in self.edge.hosts:
            await self.app(scope, receive, send)
            return
        msg = f"This installation has no host {host[:100]!r}; IDEAMINT_PUBLIC_HOSTS lists further ones."
        await problems.refusal(Request(scope), UnknownHost(msg))(scope, receive, send)


def _without_body(send: Send) -> Send:
    """Send the head of a response, with the length of the body that is left out."""

    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send(message)
        elif message["type"] == "http.response.body" and not message.get("more_body", False):
            await send({"type": "http.response.body"})

    return send_head
