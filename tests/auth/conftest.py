"""The application on a real database, with separate counts of failures for each test."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Annotated

import pytest
import pytest_asyncio
from fastapi import Depends, FastAPI
from httpx2 import ASGITransport, AsyncClient

from api.auth.dependencies import AnyUser, BrowserUser, CurrentUser, Principal, TokenHolder, requires
from api.auth.throttle import LogInDelays
from api.kernel.permissions import Permission
from api.kernel.web import router as new_router
from api.main import create_app
from tests.auth.mailboxes import Mailbox, mailbox
from tests.factories.containers import parts, replaced

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from settings import Settings

probes = new_router("/probes", "probes")


def _describe(caller: Principal) -> dict[str, object]:
    return {
        "user_id": str(caller.user_id),
        "roles": sorted(caller.roles),
        "views_all_campaigns": caller.may(Permission.VIEW_CAMPAIGN),
        "manages_all_campaigns": caller.may(Permission.MANAGE_CAMPAIGN),
    }


@probes.get("/current")
@probes.post("/current", status_code=201)
async def current(caller: CurrentUser) -> dict[str, object]:
    return _describe(caller)


@probes.get("/token")
async def token(caller: TokenHolder) -> dict[str, object]:
    return _describe(caller)


@probes.get("/browser")
@probes.post("/browser")
async def browser(caller: BrowserUser) -> dict[str, object]:
    return _describe(caller)


@probes.get("/permission")
async def permission(
    caller: Annotated[Principal, Depends(requires(Permission.CREATE_CAMPAIGN))],
) -> dict[str, object]:
    return _describe(caller)


@probes.get("/anyone")
async def anyone(caller: AnyUser) -> dict[str, object] | None:
    return _describe(caller) if caller else None


def make_app(settings: Settings) -> FastAPI:
    """The application with additional routes that return the caller."""
    app = create_app(settings)
    app.include_router(probes, prefix="/api/v1")
    return app


@pytest_asyncio.fixture(scope="session")
async def shared_app(database: Settings) -> AsyncIterator[FastAPI]:
    """The application of `app`, made once: its routes take a quarter of a second."""
    app = make_app(database)
    yield app
    await parts(app).database.close()


@pytest.fixture
def app(shared_app: FastAPI) -> Iterator[FastAPI]:
    with replaced(shared_app, log_in_delays=LogInDelays(secrets.token_bytes(32))):
        yield shared_app


@pytest.fixture
def mails(app: FastAPI, tmp_path: Path) -> Iterator[Mailbox]:
    with mailbox(app, tmp_path / "mails") as box:
        yield box


@pytest_asyncio.fixture
async def http(app: FastAPI) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(
        transport=ASGITransport(app=app, raise_app_exceptions=False), base_url="http://testserver"
    ) as client:
        yield client
