"""Real HTTP servers inside the test's event loop."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import uvicorn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@asynccontextmanager
async def serving(application: Any, *, port: int = 0, certificate: Path | None = None) -> AsyncIterator[int]:
    """Serves an ASGI application on 127.0.0.1, over TLS with a certificate; yields its port."""
    config = uvicorn.Config(
        application,
        host="127.0.0.1",
        port=port,
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
        ssl_certfile=str(certificate) if certificate else None,
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()  # not serve(), which replaces the signal handlers of pytest
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        await server.shutdown()
