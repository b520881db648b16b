"""Processes that serve some of the domains: `IDEAMINT_SERVICES`."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from httpx2 import ASGITransport, AsyncClient

from api.domains import DOMAINS, select_domains
from api.main import create_app
from settings import SettingsError
from tests.databases import running
from tests.factories.campaigns import make_world
from tests.factories.clocks import TRIES
from tests.factories.containers import statements_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI

    from settings import Settings

NAMES = [domain.name for domain in DOMAINS]


@asynccontextmanager
async def serving(settings: Settings, *services: str) -> AsyncIterator[tuple[FastAPI, AsyncClient]]:
    app = create_app(settings.with_(services=services))
    async with running(app), AsyncClient(transport=ASGITransport(app), base_url="http://testserver") as client:
        yield app, client


def paths_of(app: FastAPI) -> set[str]:
    routes = (each for each in iter_route_contexts(app.routes) if isinstance(each.original_route, APIRoute))
    return {route.path for route in routes if route.path is not None}


class TestSelection:
    @pytest.mark.parametrize("name", NAMES)
    def test_only_the_routes_of_a_domain_are_served(self, database: Settings, name: str) -> None:
        (domain,) = (each for each in select_domains((name,)) if each.name == name)
        own = {
            route.path
            for router in (*domain.routers, *domain.pages)
            for route in router.routes
            if isinstance(route, APIRoute)
        }
        served = {path.removeprefix("/api/v1") for path in paths_of(create_app(database.with_(services=(name,))))}
        assert own
        assert served - own == {"/health/live", "/health/ready", "/openapi.json", "/docs", "/docs/oauth2-redirect"}

    def test_all_are_served_by_default(self, database: Settings) -> None:
        served = paths_of(create_app(database))
        for name in NAMES:
            assert paths_of(create_app(database.with_(services=(name,)))) <= served

    def test_an_unknown_one_is_refused_by_name(self, database: Settings) -> None:
        with pytest.raises(
            SettingsError, match="IDEAMINT_SERVICES: there is no domain 'coin'; expected: auth, campaigns, coins"
        ):
            create_app(database.with_(services=("coin",)))


class TestProcess:
    async def test_without_the_routes_of_accounts_checks_tokens_without_a_query(
        self, application: FastAPI, client: AsyncClient, database: Settings
    ) -> None:
        world = await make_world(application, client, members=0)
        headers = await world.headers(world.manager)
        async with serving(database, "campaigns") as (app, other):
            for _ in range(TRIES):  # until the revocations have been read
                with statements_of(app) as statements:
                    read = await other.get(f"/api/v1/campaigns/{world.campaign_id}", headers=headers)
                assert read.status_code == 200
                asked = [each for each in statements if "app.sessions" in each]
                if not asked:
                    break
                await asyncio.sleep(0.01)
            assert asked == []
            # a session that ends in another process ends here
            assert (await client.post("/api/v1/auth/logout", headers=headers)).status_code == 204
            for _ in range(TRIES):
                read = await other.get(f"/api/v1/campaigns/{world.campaign_id}", headers=headers)
                if read.status_code == 401:
                    break
                await asyncio.sleep(0.01)
            assert read.status_code == 401

    async def test_of_coins_carries_out_commands(
        self, application: FastAPI, client: AsyncClient, database: Settings
    ) -> None:
        world = await make_world(application, client, members=1)
        idea = await world.submit(world.manager)
        headers = {**await world.headers(world.members[0]), "Idempotency-Key": "k"}
        path = f"/api/v1/campaigns/{world.campaign_id}/coins/allocate"
        async with serving(database, "coins") as (_, other):
            moved = await other.post(path, headers=headers, json={"idea_id": str(idea), "coins": 2})
        assert moved.status_code == 201
        assert (await world.balance(world.members[0]))["wallet_coins"] == 98
