"""The API's process: `uvicorn --factory api.main:create_app`."""

from __future__ import annotations

import gc
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import APIRouter
from fastapi_offline import FastAPIOffline

import settings as configuration
from api.analytics.routes import router as analytics
from api.auth.pages import router as pages
from api.auth.passwords import Passwords
from api.auth.routes import router as auth
from api.auth.throttle import LogInDelays
from api.auth.tokens import AccessTokens
from api.campaigns import bulk_routes
from api.campaigns.coin_routes import router as campaign_coins
from api.campaigns.routes import router as campaigns
from api.coins.background import Background
from api.coins.commands.batcher import Batcher
from api.coins.commands.fast_path import FastPath
from api.coins.rates import CoinRates
from api.coins.routes import router as coins
from api.events import status as consumer_status
from api.ideas.queries import find_statuses
from api.ideas.routes import router as ideas
from api.kernel import errors, health, logs
from api.kernel.db import Database
from api.kernel.middleware import RequestContext
from api.kernel.rates import Buckets, LocalBuckets

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI

    from settings import Settings

API = "/api/v1"
DESCRIPTION = """
People of an organisation put a limited budget of coins on the ideas that they want built. Coins are conserved: they
expire when their idea is accepted, and come back when it is withdrawn or rejected.

Errors are problem details (RFC 9457) with a stable `type`. Lists give `items` and `next_cursor`. Times are RFC 3339 in
UTC. Coin commands need an `Idempotency-Key`; other writes may carry one.
"""
ROUTERS: dict[str, tuple[APIRouter, ...]] = {
    "auth": (auth,),
    "campaigns": (campaigns,),
    "coins": (coins, campaign_coins, bulk_routes.router),
    "ideas": (ideas,),
    "analytics": (analytics,),
}


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    # what a process starts with lives as long as it does; a full collection that walks it stops every request for 0.1 s
    gc.collect()
    gc.freeze()
    async with app.state.batcher, Background(app.state.database):
        yield
    gc.unfreeze()
    await app.state.rate_buckets.close()
    await app.state.database.close()


def _rate_buckets(settings: Settings) -> Buckets:
    if settings.redis_url is None:
        return LocalBuckets()
    from api.kernel.shared_rates import SharedBuckets  # Redis' client takes 0.3 s to import

    return SharedBuckets(str(settings.redis_url), timeout_s=settings.redis_timeout_ms / 1000)


def create_app(settings: Settings | None = None) -> FastAPI:
    """An application; reads the settings from the environment unless they are given."""
    settings = settings or configuration.load()
    for name in settings.services:
        if name not in ROUTERS:
            msg = f"{configuration.PREFIX}SERVICES: {name!r} is none of {', '.join(ROUTERS)}"
            raise configuration.SettingsError(msg)
    logs.configure(settings)
    app = FastAPIOffline(
        title="Ideamint",
        version="1",
        description=DESCRIPTION,
        lifespan=_lifespan,
        openapi_url=f"{API}/openapi.json",
        redoc_url=None,
    )
    app.state.settings = settings
    app.state.database = Database(settings)
    app.state.batcher = Batcher(settings)
    # coins lie below ideas and import nothing of theirs
    app.state.find_idea_statuses = find_statuses
    app.state.access_tokens = AccessTokens(settings)
    app.state.rate_buckets = _rate_buckets(settings)
    app.state.coin_rates = CoinRates(settings, app.state.rate_buckets)
    app.state.passwords = Passwords(settings.password_hashes_at_once)
    app.state.log_in_delays = LogInDelays()
    app.state.newest_migration = health.newest_migration()
    app.state.find_degraded = (consumer_status.degraded,)
    errors.install(app)
    # the one that is added last comes first
    if not settings.services or "coins" in settings.services:
        app.add_middleware(FastPath, prefix=API)
    app.add_middleware(
        RequestContext,
        body_bytes_max=settings.request_body_bytes_max,
        longer_bodies={f"{API}{bulk_routes.PATH}": bulk_routes.BODY_BYTES_MAX},
    )
    api = APIRouter(prefix=API)
    for name, routers in ROUTERS.items():
        if not settings.services or name in settings.services:
            for router in routers:
                api.include_router(router)
    app.include_router(api)
    app.include_router(health.router)
    if not settings.services or "auth" in settings.services:
        app.include_router(pages)
    return app
