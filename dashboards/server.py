"""Serve the dashboards: `python -m dashboards.server --host HOST --port PORT`.

Streamlit's application runs under our own start of uvicorn, so that its connections have the limits of the API's, and its
responses a content policy. `streamlit run` offers neither.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import uvicorn
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from uvicorn.config import STARTUP_FAILURE

import settings as configuration
from api.kernel.http_limits import HttpLimits, limited

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from settings import Settings

APP: Final = Path(__file__).resolve().parent / "app.py"
_INLINE_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


def configure(settings: Settings, *, host: str, port: int) -> uvicorn.Config:
    """Uvicorn's configuration; configures Streamlit for this process."""
    import streamlit
    from streamlit.web import bootstrap

    page = Path(streamlit.__file__).parent / "static" / "index.html"
    app = streamlit.App(APP, middleware=[Middleware(SecurityHeaders, policy=content_policy(page.read_bytes()))])
    bootstrap.load_config_options(
        {
            "server_address": host,
            "server_port": port,
            # the address in browsers: WebSockets of other origins are refused
            "browser_serverAddress": urlsplit(settings.addresses.public_dashboards_url).hostname or "localhost",
            "logger_level": "warning",  # of uvicorn too
        }
    )
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=limited(HttpLimits(connections=settings.limits.connections_max)),
        ws="websockets-sansio",
        proxy_headers=False,
        access_log=False,
        server_header=False,
        log_level="warning",
    )


def content_policy(page: bytes) -> str:
    """The Content-Security-Policy of Streamlit's page, whose inline scripts it names by their hashes."""
    hashes = (hashlib.sha256(script).digest() for script in _INLINE_SCRIPT.findall(page))
    scripts = " ".join(f"'sha256-{base64.b64encode(each).decode()}'" for each in hashes)
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' {scripts}",
            "style-src 'self' 'unsafe-inline'",  # its components set styles at run time
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "object-src 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


class SecurityHeaders:
    """Adds the headers by which browsers protect a page to every response."""

    def __init__(self, app: ASGIApp, policy: str) -> None:
        """Wrap `app`; `policy` is the Content-Security-Policy."""
        self._app = app
        self._headers = {
            "Content-Security-Policy": policy,
            "X-Frame-Options": "DENY",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    server = uvicorn.Server(configure(configuration.load(), host=arguments.host, port=arguments.port))
    server.run()
    if not server.started:
        sys.exit(STARTUP_FAILURE)


if __name__ == "__main__":
    main()
