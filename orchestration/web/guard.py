"""ASGI middleware around Dagster's web application, which has no log-in, and takes commands from any site and host.

Each request and each WebSocket must name this installation as its host, come from this page's own origin if it can change
something, and belong to a person with access. The person is stored in the scope for the application behind the guard.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from api.auth.dependencies import COOKIE
from api.kernel.permissions import Permission
from orchestration.web.viewers import NoAnswer, Viewer

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from orchestration.web.viewers import Viewers

HEALTH_PATH = "/health/live"
SCOPE_KEY = "ideamint.viewer"
_GRAPHQL_PATH = "/graphql"
_LOGS = ("/logs/", "/download_debug/")
_POLICY_VIOLATION = 1008
_TRY_AGAIN_LATER = 1013
_RECHECK_S = 30.0
_HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """Lets through what a person of this installation may do on Dagster's page.

    `public_url` is how browsers reach this page, `log_in_url` the API's log-in page.
    """

    def __init__(self, app: ASGIApp, viewers: Viewers, *, public_url: str, log_in_url: str) -> None:
        self._app = app
        self._viewers = viewers
        self._public_url = public_url.rstrip("/")
        self._scheme = urlsplit(self._public_url).scheme.lower()
        self._host = self._authority(urlsplit(self._public_url).netloc)
        self._origin = f"{self._scheme}://{self._host}"
        self._log_in_url = log_in_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "http":
            await self._serve_http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._serve_websocket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _serve_http(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == HEALTH_PATH:
            await PlainTextResponse("ok")(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refuse_request(scope, headers)
        viewer = None
        if refusal is None:
            try:
                viewer = await self._viewers.find(_cookie(headers))
            except NoAnswer:
                refusal = _problem(
                    HTTPStatus.SERVICE_UNAVAILABLE,
                    "the API is not available, so the log-in cannot be checked; try again",
                )
            else:
                refusal = self._refuse_viewer(scope, headers, viewer)
        if refusal is not None:
            refusal.headers.update(_HEADERS)
            await refusal(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self._app({**scope, SCOPE_KEY: viewer}, receive, send_with_headers)

    async def _serve_websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a handshake, or serve the connection as long as its person has access."""
        headers = Headers(scope=scope)
        code = _POLICY_VIOLATION
        viewer = None
        if self._is_own_host(headers) and headers.get("origin", "").lower() == self._origin:
            try:
                viewer = await self._viewers.find(_cookie(headers))
            except NoAnswer:
                code = _TRY_AGAIN_LATER
        if viewer is None or not viewer.may(Permission.VIEW_DATA_PLATFORM):
            await receive()
            await send({"type": "websocket.close", "code": code})
            return
        connection = _Connection(receive, send, lambda: self._is_still_allowed(headers))
        await self._app({**scope, SCOPE_KEY: viewer}, connection.receive, connection.send)

    async def _is_still_allowed(self, headers: Headers) -> bool:
        try:
            viewer = await self._viewers.find(_cookie(headers))
        except NoAnswer:
            return False
        return viewer is not None and viewer.may(Permission.VIEW_DATA_PLATFORM)

    def _refuse_request(self, scope: Scope, headers: Headers) -> Response | None:
        """The refusal of a request that no person's browser sends from this page."""
        if not self._is_own_host(headers):
            return _problem(HTTPStatus.MISDIRECTED_REQUEST, f"this page is served at {self._public_url} only")
        is_reading = scope["method"] in {"GET", "HEAD"}
        origin = headers.get("origin")
        if (origin is None and not is_reading) or (origin is not None and origin.lower() != self._origin):
            return _problem(HTTPStatus.FORBIDDEN, "requests of other sites are refused")
        if scope["path"].rstrip("/") == _GRAPHQL_PATH:
            if scope["method"] != "POST":
                refusal = _problem(HTTPStatus.METHOD_NOT_ALLOWED, "GraphQL is served by POST only")
                refusal.headers["Allow"] = "POST"
                return refusal
            media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
            if media_type != "application/json":
                return _problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "GraphQL is served as application/json only")
        elif not is_reading:
            return _problem(HTTPStatus.METHOD_NOT_ALLOWED, "only GraphQL takes other methods than GET and HEAD")
        return None

    def _refuse_viewer(self, scope: Scope, headers: Headers, viewer: Viewer | None) -> Response | None:
        """The refusal of a person who lacks a permission, or a redirect to the log-in page."""
        if viewer is None:
            if scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
                query = scope["query_string"].decode("latin-1")
                target = self._public_url + quote(scope["path"]) + (f"?{query}" if query else "")
                url = f"{self._log_in_url}?next={quote(target, safe='')}"
                return RedirectResponse(url, HTTPStatus.SEE_OTHER, {"Cache-Control": "no-store"})
            return _problem(HTTPStatus.UNAUTHORIZED, "log in first")
        if not viewer.may(Permission.VIEW_DATA_PLATFORM):
            return _problem(
                HTTPStatus.FORBIDDEN, "only administrators, data engineers and data viewers may open this page"
            )
        if scope["path"].startswith(_LOGS) and not viewer.may(Permission.COMMAND_DATA_PLATFORM):
            return _problem(HTTPStatus.FORBIDDEN, "only administrators and data engineers may download logs")
        return None

    def _is_own_host(self, headers: Headers) -> bool:
        hosts = headers.getlist("host")
        return len(hosts) == 1 and self._authority(hosts[0]) == self._host

    def _authority(self, netloc: str) -> str:
        """A host and its port in lower case, without the default port, as browsers send them."""
        default = {"http": ":80", "https": ":443"}.get(self._scheme, "")
        return netloc.lower().removesuffix(default) if default else netloc.lower()


class _Connection:
    """A WebSocket that is closed once its person has no access any more; checked with messages, every 30 s at most."""

    def __init__(self, receive: Receive, send: Send, is_allowed: Callable[[], Awaitable[bool]]) -> None:
        self._receive = receive
        self._send = send
        self._is_allowed = is_allowed
        self._checked_at = time.monotonic()
        self._is_closed = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "websocket.receive" and not await self._confirm():
            return {"type": "websocket.disconnect", "code": _POLICY_VIOLATION}
        return message

    async def send(self, message: Message) -> None:
        if message["type"] != "websocket.send" or await self._confirm():
            await self._send(message)

    async def _confirm(self) -> bool:
        if not self._is_closed and time.monotonic() - self._checked_at > _RECHECK_S:
            self._checked_at = time.monotonic()
            if not await self._is_allowed():
                self._is_closed = True
                await self._send({"type": "websocket.close", "code": _POLICY_VIOLATION})
        return not self._is_closed


def _cookie(headers: Headers) -> str | None:
    return cookie_parser("; ".join(headers.getlist("cookie"))).get(COOKIE)


def _problem(status: HTTPStatus, detail: str) -> Response:
    content = {"title": status.phrase, "status": status, "detail": detail}
    return JSONResponse(content, status, {"Cache-Control": "no-store"}, "application/problem+json")
