"""The limits of coin operations over HTTP."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from httpx2 import ASGITransport, AsyncClient
from pydantic import RedisDsn

from settings.rates import Rate
from tests.databases import running
from tests.factories.campaigns import World, make_world
from tests.factories.containers import current_revocations, parts, statements_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI
    from httpx2 import Response

    from settings import Settings
    from tests.factories.redis_servers import RedisServer

LIMITED = {
    "allocateCoins", "reallocateCoins", "bulkAllocateCoins", "getCoinBalance", "listCoinHistory", "listMyCoins",
    "getCoinStatistics", "verifyCoins", "listCoinAudit",
}  # fmt: skip


def a_day(limit: int) -> Rate:
    """A rate so low that no token is refilled during a test."""
    return Rate(limit, "day")


@asynccontextmanager
async def process(settings: Settings, **limits: Any) -> AsyncIterator[AsyncClient]:
    """A client of an API process with these limits."""
    from api.main import create_app

    app = create_app(settings.with_(**limits))
    async with (
        running(app),
        AsyncClient(transport=ASGITransport(app, raise_app_exceptions=False), base_url="http://testserver") as client,
    ):
        yield client


@pytest.fixture
async def world(application: FastAPI, client: AsyncClient) -> World:
    """A campaign in an application without limits."""
    return await make_world(application, client)


def via(world: World, client: AsyncClient) -> World:
    """The same campaign with requests to another process."""
    return World(world.app, client, world.campaign_id, world.manager, world.members, world._headers)


def scope(response: Response) -> str | None:
    """The scope of the limit that refused, or None."""
    if response.status_code != 429:
        return None
    document = response.json()
    assert document["type"] == "urn:ideamint:problem:rate-limited"
    found: str = document["scope"]
    return found


class TestCommands:
    async def test_of_a_member_are_limited_and_the_refusal_has_the_figures(
        self, database: Settings, world: World
    ) -> None:
        anna, ben = world.members[:2]
        idea = await world.submit(world.manager)
        async with process(database, coin_commands_per_member=a_day(2)) as client:
            limited = via(world, client)
            for _ in range(2):
                assert (await limited.allocate(anna, idea, 1)).status_code == 201
            refused = await limited.allocate(anna, idea, 1, key="again")
            assert scope(await limited.allocate(ben, idea, 1)) is None
        document = refused.json()
        assert (refused.status_code, refused.headers["content-type"]) == (429, "application/problem+json")
        assert document["type"] == "urn:ideamint:problem:rate-limited"
        assert (document["scope"], document["limit"], document["period_s"]) == ("member", 2, 86400)
        assert 0 < document["retry_after_s"] <= 43200
        assert refused.headers["retry-after"] == str(document["retry_after_s"])
        assert document["detail"].startswith("At most 2 coin commands per day for one member; try again in ")
        # nothing was done, and the key can be used again
        assert (await world.balance(anna))["wallet_coins"] == 98
        again = await world.allocate(anna, idea, 1, key="again")
        assert (again.status_code, "idempotency-replayed" in again.headers) == (201, False)

    async def test_of_a_campaign_are_limited_over_all_its_members(self, database: Settings, world: World) -> None:
        idea = await world.submit(world.manager)
        async with process(database, coin_commands_per_campaign=a_day(2)) as client:
            limited = via(world, client)
            scopes = [scope(await limited.allocate(member, idea, 1)) for member in world.members]
        assert scopes == [None, None, "campaign"]

    async def test_a_dry_run_a_replay_and_a_refusal_count_as_any_other(self, database: Settings, world: World) -> None:
        anna = world.members[0]
        idea = await world.submit(world.manager)
        body = {"idea_id": str(idea), "coins": 1}
        async with process(database, coin_commands_per_member=a_day(5)) as client:
            limited = via(world, client)
            first = await limited.allocate(anna, idea, 1, key="k")
            replay = await limited.allocate(anna, idea, 1, key="k")
            simulated = await limited.call(
                anna, "POST", "/campaigns/{id}/coins/allocate", params={"dry_run": "true"}, json=body
            )
            too_much = await limited.allocate(anna, idea, 1000)
            moved = await limited.call(
                anna, "POST", "/campaigns/{id}/coins/reallocate", key="m", json={"from_idea_id": str(idea), "coins": 1}
            )
            responses = [first, replay, simulated, too_much, moved]
            assert [response.status_code for response in responses] == [201, 201, 201, 409, 201]
            assert scope(await limited.allocate(anna, idea, 1, key="k")) == "member"

    async def test_what_never_reaches_the_ledger_does_not_count(self, database: Settings, world: World) -> None:
        anna = world.members[0]
        idea = await world.submit(world.manager)
        path = "/campaigns/{id}/coins/allocate"
        async with process(database, coin_commands_per_member=a_day(1)) as client:
            limited = via(world, client)
            wrong = await limited.call(anna, "POST", path, key="k", json={"idea_id": str(idea), "coins": -1})
            keyless = await limited.call(anna, "POST", path, json={"idea_id": str(idea), "coins": 1})
            stranger = await client.post(f"/api/v1{path.replace('{id}', str(world.campaign_id))}", json={})
            assert [wrong.status_code, keyless.status_code, stranger.status_code] == [422, 400, 401]
            assert (await limited.allocate(anna, idea, 1)).status_code == 201

    async def test_a_bulk_command_counts_once_for_the_manager_and_not_for_the_campaign(
        self, database: Settings, world: World
    ) -> None:
        idea = await world.submit(world.manager)
        items = [
            {
                "campaign_id": str(world.campaign_id),
                "user_id": str(member.id),
                "kind": "correct",
                "coins": 1,
                "reason": "counted wrongly",
            }
            for member in world.members
        ]
        limits = {"coin_commands_per_member": a_day(2), "coin_commands_per_campaign": a_day(1)}
        async with process(database, **limits) as client:
            limited = via(world, client)
            scopes = [
                scope(
                    await limited.call(
                        world.manager,
                        "POST",
                        "/coins/bulk-allocate",
                        key=uuid4().hex,
                        json={"mode": "atomic", "items": items},
                    )
                )
                for _ in range(3)
            ]
            assert scopes == [None, None, "member"]
            assert (await limited.allocate(world.members[0], idea, 1)).status_code == 201
        assert (await world.balance(world.members[1]))["wallet_coins"] == 102

    async def test_no_request_is_limited_if_limits_are_off(self, world: World) -> None:
        idea = await world.submit(world.manager)
        for limit in ("coin_commands_per_member", "coin_commands_per_campaign", "coin_reads_per_member"):
            assert getattr(parts(world.app).settings.limits, limit) is None
        for _ in range(10):
            assert (await world.allocate(world.members[0], idea, 1)).status_code == 201


class TestReadings:
    @pytest.mark.parametrize(
        "path",
        [
            "/campaigns/{id}/coins/balance",
            "/campaigns/{id}/coins/history",
            "/campaigns/{id}/coins/history?format=csv",
            "/campaigns/{id}/coins/audit",
            "/users/me/coins",
        ],
    )
    async def test_of_one_member_are_limited_together(self, database: Settings, world: World, path: str) -> None:
        async with process(database, coin_reads_per_member=a_day(2)) as client:
            limited = via(world, client)
            scopes = [
                scope(await limited.call(world.manager, "GET", route))
                for route in ("/campaigns/{id}/coins/balance", path, path)
            ]
            assert scopes == [None, None, "member"]
            assert scope(await limited.call(world.members[0], "GET", "/users/me/coins")) is None

    @pytest.mark.parametrize("path", ["/campaigns/{id}/coins/statistics", "/campaigns/{id}/coins/verify"])
    async def test_of_a_whole_ledger_are_limited_separately(self, database: Settings, world: World, path: str) -> None:
        limits = {"coin_reads_per_member": a_day(1), "coin_figures_per_member": a_day(2)}
        async with process(database, **limits) as client:
            limited = via(world, client)
            scopes = [
                scope(await limited.call(world.manager, "GET", route))
                for route in ("/campaigns/{id}/coins/verify", path, path, "/campaigns/{id}/coins/balance")
            ]
        assert scopes == [None, None, "member", None]

    async def test_a_refused_reading_runs_no_query(self, database: Settings, world: World) -> None:
        from api.main import create_app

        headers = await world.headers(world.members[0])
        app = create_app(database.with_(coin_reads_per_member=a_day(1)))
        async with (
            running(app),
            current_revocations(app),
            AsyncClient(transport=ASGITransport(app), base_url="http://testserver") as client,
        ):
            first = await client.get("/api/v1/users/me/coins", headers=headers)
            with statements_of(app) as statements:
                second = await client.get("/api/v1/users/me/coins", headers=headers)
        assert (first.status_code, second.status_code, statements) == (200, 429, [])


class TestSharedLimits:
    async def test_processes_count_together_in_redis_and_alone_without(
        self, database: Settings, world: World, redis_server: RedisServer
    ) -> None:
        idea = await world.submit(world.manager)
        anna, ben = world.members[:2]
        settings = database.with_(
            redis_url=RedisDsn(redis_server.url),
            redis_timeout_ms=30_000,
            coin_commands_per_member=a_day(3),
            coin_reads_per_member=a_day(100),
        )
        async with AsyncExitStack() as until_the_end:
            first, second = [via(world, await until_the_end.enter_async_context(process(settings))) for _ in range(2)]
            scopes = [scope(await via_.allocate(anna, idea, 1)) for via_ in (first, second, first, second, first)]
            assert scopes == [None, None, None, "member", "member"]
            redis_server.stop()
            for process_ in (first, second):
                scopes = [scope(await process_.allocate(anna, idea, 1)) for _ in range(4)]
                assert scopes == [None, None, None, "member"]
                assert (await process_.balance(ben))["wallet_coins"] == 100
        assert (await world.balance(anna))["wallet_coins"] == 100 - 9


class TestOpenAPI:
    def test_the_operations_with_limits_of_coins_are_declared(self, application: FastAPI) -> None:
        operations = [operation for path in application.openapi()["paths"].values() for operation in path.values()]
        declared = {operation["operationId"] for operation in operations if operation.get("x-rate-limit") == "coins"}
        assert declared == LIMITED
