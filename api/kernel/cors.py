"""Cross-origin requests of browsers (CORS): which other sites may call the API, and what their programs may read.

Only the origins of the setting are allowed, and only the API, not the pages. Credentials are never allowed: a program of
another site sends an access token, and never uses the cookie of the log-in page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.middleware.cors import CORSMiddleware

from api.kernel import idempotency

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Receive, Scope, Send

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
SENT_HEADERS: Final = ("Authorization", "Content-Type", idempotency.HEADER, "If-None-Match", "X-Request-ID")
READ_HEADERS: Final = (
    "Content-Disposition", "Deprecation", "ETag", idempotency.REPLAYED, "Link", "Location", "RateLimit", "RateLimit-Policy",
    "Retry-After", "Sunset", "WWW-Authenticate", "X-Request-ID",
)  # fmt: skip
"""Headers of responses that programs need, in addition to those that every program may read."""
PREFLIGHT_KEPT_S: Final = 600


class ApiCors(CORSMiddleware):
    """Starlette's middleware for the paths of the API."""

    def __init__(self, app: ASGIApp, prefix: str, origins: Collection[str]) -> None:
        """The API is below `prefix`; `origins` are exact."""
        assert "*" not in origins, "an API that any site may call is not offered"
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=METHODS,
            allow_headers=SENT_HEADERS,
            expose_headers=READ_HEADERS,
            max_age=PREFLIGHT_KEPT_S,
        )
        self.prefix = f"{prefix}/"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http" and scope["path"].startswith(self.prefix):
            await super().__call__(scope, receive, send)
        else:
            await self.app(scope, receive, send)
