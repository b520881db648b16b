"""Two real providers, and an application that knows both and is served at a port, where providers can call it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from httpx2 import ASGITransport, AsyncClient

from api.auth.sso.providers import Providers
from cli.local.ports import free_port
from tests.auth.conftest import make_app
from tests.factories.containers import parts, replaced
from tests.factories.http_servers import serving
from tests.sso.hostile import NAME, Hostile
from tests.sso.providers import HIGH, Idp, Visitor, provider_running, settings_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from fastapi import FastAPI

    from settings import Settings


@pytest.fixture(scope="session")
def api_port() -> int:
    return free_port()


@pytest.fixture(scope="session")
def corp(api_port: int) -> Iterator[Idp]:
    """A provider whose UserInfo alone has the claims, as the standard says."""
    with provider_running(name="corp", api_url=f"http://127.0.0.1:{api_port}") as idp:
        yield idp


@pytest.fixture(scope="session")
def partner(api_port: int) -> Iterator[Idp]:
    """Another provider, whose ID token has the claims."""
    with provider_running(name="partner", api_url=f"http://127.0.0.1:{api_port}", claims_in_id_token=True) as idp:
        yield idp


@pytest_asyncio.fixture(scope="session")
async def shared_hostile() -> AsyncIterator[Hostile]:
    hostile = Hostile(free_port())
    async with serving(hostile, port=hostile.port):
        yield hostile


@pytest.fixture
def hostile(app: FastAPI, shared_hostile: Hostile) -> Iterator[Hostile]:
    """The provider as it was, and an application that has not read its metadata and keys."""
    fresh = Hostile(shared_hostile.port, keys=shared_hostile.keys[:1])
    vars(shared_hostile).update(vars(fresh))
    settings = parts(app).settings.sso
    with replaced(app, providers=Providers(settings, parts(app).outgoing)):
        yield shared_hostile


@pytest.fixture(scope="session")
def sso_settings(database: Settings, corp: Idp, partner: Idp, shared_hostile: Hostile, api_port: int) -> Settings:
    providers = [
        settings_of(
            corp,
            "corp",
            department_claim="department",
            roles_claim="groups",
            roles={"admins": "system_admin", "board": "executive"},
        ),
        settings_of(
            partner,
            "partner",
            allowed_domains=["partner.example"],
            second_factors=["mfa", HIGH],
            acr_values=[HIGH],
        ),
        {
            "name": NAME,
            "label": "Hostile",
            "issuer": shared_hostile.issuer,
            "client_id": "ideamint",
            "client_secret": "x",
        },
    ]
    return database.with_(
        sso_providers=json.dumps(providers),
        outgoing_private_hosts="127.0.0.1",
        public_api_url=f"http://127.0.0.1:{api_port}",
    )


@pytest_asyncio.fixture(scope="session")
async def app(sso_settings: Settings, api_port: int) -> AsyncIterator[FastAPI]:
    app = make_app(sso_settings)
    async with serving(app, port=api_port):
        yield app
    await parts(app).close()


@pytest_asyncio.fixture
async def visitor(app: FastAPI) -> AsyncIterator[Visitor]:
    async with _browser(app) as http:
        visitor = Visitor(http)
        yield visitor
        await visitor.close()


@pytest_asyncio.fixture
async def other_visitor(app: FastAPI) -> AsyncIterator[Visitor]:
    async with _browser(app) as http:
        visitor = Visitor(http)
        yield visitor
        await visitor.close()


def _browser(app: FastAPI) -> AsyncClient:
    transport = ASGITransport(app=app, raise_app_exceptions=False)
    return AsyncClient(transport=transport, base_url="http://127.0.0.1")
