"""The API's application; `python -m api.server` serves it."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from fastapi_offline import FastAPIOffline

import settings as configuration
from api.container import Container, make_container
from api.domains import select_domains
from api.kernel import contract, documents, health, logs, problems, rules
from api.kernel.cors import ApiCors
from api.kernel.middleware import Defects, Edge, RequestContext
from api.kernel.web import API_PREFIX

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI

    from api.kernel.domains import Domain
    from settings import Settings

DESCRIPTION = """
People of an organisation put a limited budget of coins on the ideas that they want built. Coins are conserved: they
expire when their idea is accepted, and are returned when it is withdrawn or rejected.

Errors are problem details (RFC 9457) with a stable `type`. Lists contain `items` and `next_cursor`. Times are RFC 3339
in UTC. Coin commands require an `Idempotency-Key`; it is optional for other writes.

Requests are limited by user, and by network address without a log-in. `RateLimit` states what remains; over the limit the
response is 429 with `Retry-After`. Readings have an `ETag`: with it in `If-None-Match`, one that has not changed is 304.
"""

DOCUMENTATION = "/docs"
# The page of Swagger UI starts by an inline script; its files come from this server.
DOCUMENTATION_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def _lifespan(
    container: Container, domains: Sequence[Domain[Container]]
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(container.close)
            for domain in domains:
                await stack.enter_async_context(domain.lifespan(container))
            # objects made at the start are never freed; a full collection that visits them blocks requests for 0.1 s
            gc.collect()
            gc.freeze()
            yield

    return lifespan


def create_app(settings: Settings | None = None) -> FastAPI:
    """An application; reads the settings from the environment unless they are given.

    Raises:
        SettingsError: a setting is wrong.
    """
    settings = settings or configuration.load()
    domains = select_domains(settings.installation.services)
    logs.configure(settings.logs)
    container = make_container(settings)
    app = FastAPIOffline(
        title="Ideamint",
        version="1",
        description=DESCRIPTION,
        lifespan=_lifespan(container, domains),
        openapi_url=f"{API_PREFIX}/openapi.json",
        docs_url=DOCUMENTATION,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would repeat the Host header
        telemetry={"tracing": False, "metrics": False, "logs": False},  # asks for providers on each request
    )
    app.state.container = container
    problems.install(app)
    # the middleware that is added last is the outermost
    for domain in domains:
        for middleware in domain.middleware(container):
            app.add_middleware(middleware.cls, *middleware.args, **middleware.kwargs)
    app.add_middleware(Defects)
    if origins := settings.addresses.cors_origins:
        app.add_middleware(ApiCors, prefix=API_PREFIX, origins=origins)
    app.add_middleware(
        RequestContext,
        edge=Edge(
            hosts=settings.addresses.known_hosts,
            is_https=settings.addresses.public_api_url.startswith("https:"),
            body_bytes_max=settings.limits.request_body_bytes_max,
            longer_bodies={
                f"{API_PREFIX}{path}": bytes_max(settings) if callable(bytes_max) else bytes_max
                for domain in domains
                for path, bytes_max in domain.body_bytes_max.items()
            },
            policies={DOCUMENTATION: DOCUMENTATION_POLICY},
        ),
    )
    rules.check_routers([health.router, *(router for domain in domains for router in (*domain.routers, *domain.pages))])
    # each level of included routers is searched once more for each request
    for domain in domains:
        for router in domain.routers:
            app.include_router(router, prefix=API_PREFIX)
    app.include_router(health.router)
    for domain in domains:
        for pages in domain.pages:
            app.include_router(pages)
    documents.serve_document(app)
    describe = app.openapi
    app.openapi = lambda: contract.complete(describe())  # type: ignore[method-assign] # as FastAPI documents it
    return app
