"""Middleware for every request: its id, a log line, security headers. Plain ASGI: `BaseHTTPMiddleware` costs 80%."""

from __future__ import annotations

import re
import time
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException

from api.kernel.ids import uuid7

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger("api.request")

REQUEST_ID = "X-Request-ID"
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}


class RequestContext:
    """Assigns each request an id (the client's own, if it is valid), limits its body, and logs its response."""

    def __init__(
        self, app: ASGIApp, body_bytes_max: int, longer_bodies: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        """Wrap `app`; a body of more than `body_bytes_max` bytes is refused while it is read.

        `longer_bodies` maps paths to a limit of their own in bytes, which applies if it is higher.
        """
        self.app = app
        self.body_bytes_max = body_bytes_max
        self.longer_bodies = longer_bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST_ID, "")
        request_id = given if _GIVEN_ID.fullmatch(given) else str(uuid7())
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started = time.perf_counter()
        status = 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID] = request_id
                for name, value in _SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        body_bytes = 0
        body_bytes_max = max(self.body_bytes_max, self.longer_bodies.get(scope["path"], 0))

        async def receive_within_bounds() -> Message:
            nonlocal body_bytes
            message = await receive()
            body_bytes += len(message.get("body", b""))
            if body_bytes > body_bytes_max:
                msg = f"A request body has at most {body_bytes_max:,} bytes."
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, msg)
            return message

        try:
            await self.app(scope, receive_within_bounds, send_with_headers)
        finally:
            log.debug(
                "answered",
                method=scope["method"],
                path=scope["path"],
                status=status,
                duration_ms=round((time.perf_counter() - started) * 1000, 1),
            )
