"""Applications with additional routes."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from httpx2 import ASGITransport, AsyncClient

from api.kernel.web import API_PREFIX
from api.main import create_app
from tests.databases import running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import APIRouter

    from settings import Settings


@asynccontextmanager
async def probing(settings: Settings, router: APIRouter) -> AsyncIterator[AsyncClient]:
    """A client of an application that has the routes of `router` too, under the prefix of the API."""
    app = create_app(settings)
    app.include_router(router, prefix=API_PREFIX)
    transport = ASGITransport(app, raise_app_exceptions=False)
    async with running(app), AsyncClient(transport=transport, base_url="http://testserver") as client:
        yield client
