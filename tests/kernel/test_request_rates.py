"""The limits of all routes over HTTP: classes, callers and addresses, and the headers that report them."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from httpx2 import ASGITransport, AsyncClient

from api.kernel.networks import network_of
from api.kernel.request_rates import RateClass
from api.kernel.routing import LimitedRoute
from api.main import create_app
from settings.rates import Rate
from tests.auth.calls import assert_problem, log_in
from tests.databases import running
from tests.factories.campaigns import make_world
from tests.factories.containers import current_revocations, forget_failures, statements_of
from tests.factories.users import PASSWORD, bearer, commit_user

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI

    from settings import Settings

# without a log-in, for whatever address
EXEMPT = {"/health/live", "/health/ready", "/docs", "/docs/oauth2-redirect"}
ITEM = re.compile(r'"([a-z-]+)";r=([0-9]+);t=([0-9]+)')


def a_day(limit: int) -> Rate:
    """A rate so low that no token is refilled during a test."""
    return Rate(limit, "day")


@asynccontextmanager
async def process(
    settings: Settings, address: str = "192.0.2.1", **limits: Any
) -> AsyncIterator[tuple[FastAPI, AsyncClient]]:
    """An API process with these limits, and a client with a network address."""
    app = create_app(settings.with_(**limits))
    async with running(app), client_from(app, address) as client:
        await forget_failures(app)
        yield app, client


@asynccontextmanager
async def client_from(app: FastAPI, address: str) -> AsyncIterator[AsyncClient]:
    transport = ASGITransport(app, raise_app_exceptions=False, client=(address, 1234))
    async with AsyncClient(transport=transport, base_url="http://testserver") as client:
        yield client


class TestClasses:
    def test_every_route_has_one(self, application: FastAPI) -> None:
        """Pages too; a router of pages has `route_class=PageRoute`."""
        routes = [context.original_route for context in iter_route_contexts(application.routes)]
        unlimited = [
            route.path
            for route in routes
            if isinstance(route, APIRoute) and not (isinstance(route, LimitedRoute) and route.is_limited)
        ]
        assert set(unlimited) == EXEMPT

    def test_the_routes_of_each(self, application: FastAPI) -> None:
        paths: dict[RateClass, set[str]] = {}
        for context in iter_route_contexts(application.routes):
            route = context.original_route
            if isinstance(route, LimitedRoute):
                paths.setdefault(route.rate_class, set()).add(route.path)
        assert paths[RateClass.FIGURES] == {
            "/campaigns/{campaign_id}/report", "/audit/export", "/campaigns/{campaign_id}/member-lists",
            "/campaigns/{campaign_id}/ideas/export", "/campaigns/{campaign_id}/ideas/exports/{export_id}/content",
            "/campaigns/{campaign_id}/feed.atom", "/campaigns/{campaign_id}/outcome-preview",
            "/campaigns/{campaign_id}/coins/policies/preview",
        }  # fmt: skip
        assert paths[RateClass.LOG_INS] >= {
            "/auth/login", "/auth/login/second-step", "/auth/passkey", "/auth/sso/token", "/auth/verify-email", "/auth/verify-email/resend", "/auth/forgot-password",
            "/auth/reset-password", "/login", "/login/second-step", "/login/passkey", "/account/confirm", "/verify-email", "/forgot-password", "/reset-password",
        }  # fmt: skip

    def test_are_documented(self, application: FastAPI) -> None:
        document = application.openapi()
        for path, operations in document["paths"].items():
            for operation in operations.values():
                is_limited = not path.startswith("/health/")
                assert (operation.get("x-rate-limit") in set(RateClass)) == is_limited, path
                described = operation["responses"].get("429", {})
                assert ("`rate-limited`" in described.get("description", "")) == is_limited, path
                if is_limited:
                    assert set(described["headers"]) == {"Retry-After", "RateLimit", "RateLimit-Policy"}
        assert set(document["components"]["headers"]) >= {"Retry-After", "RateLimit", "RateLimit-Policy"}


class TestCallers:
    async def test_each_has_a_limit_whatever_the_route(self, application: FastAPI, database: Settings) -> None:
        anna, ben = [await bearer(application, await commit_user(application)) for _ in range(2)]
        async with process(database, requests_per_caller=a_day(3)) as (_, client):
            for path in ("/users/me", "/campaigns", "/users/me/sessions"):
                assert (await client.get(f"/api/v1{path}", headers=anna)).status_code == 200
            refused = assert_problem(await client.get("/api/v1/users/me", headers=anna), 429, "rate-limited")
            assert (await client.get("/api/v1/users/me", headers=ben)).status_code == 200
        assert (refused["scope"], refused["limit"], refused["period_s"]) == ("caller", 3, 86400)

    async def test_a_write_counts_before_its_work(self, application: FastAPI, database: Settings) -> None:
        anna = await bearer(application, await commit_user(application, display_name="Anna"))
        async with process(database, requests_per_caller=a_day(2)) as (_, client):
            for name in ("Anne", "Annie", "Ann"):
                last = await client.patch("/api/v1/users/me", headers=anna, json={"display_name": name})
        assert_problem(last, 429, "rate-limited")
        async with process(database) as (_, client):
            assert (await client.get("/api/v1/users/me", headers=anna)).json()["display_name"] == "Annie"

    async def test_a_counted_request_runs_no_further_statement(self, application: FastAPI, database: Settings) -> None:
        anna = await bearer(application, await commit_user(application))
        async with process(database, requests_per_caller=a_day(2)) as (app, client), current_revocations(app):
            await client.get("/api/v1/users/me/sessions", headers=anna)
            with statements_of(app) as statements:
                assert (await client.get("/api/v1/users/me/sessions", headers=anna)).status_code == 200
                assert len(statements) == 1
                assert (await client.get("/api/v1/users/me/sessions", headers=anna)).status_code == 429
                assert len(statements) == 1

    async def test_the_cookie_of_a_browser_counts_for_its_user(
        self, application: FastAPI, client: AsyncClient, database: Settings
    ) -> None:
        user = await commit_user(application, password=PASSWORD)
        token = await bearer(application, user)
        form = await client.get("/login")
        found = re.search(r'name="csrf" value="([^"]+)"', form.text)
        assert found is not None
        fields = {"email": user.email, "password": PASSWORD, "csrf": found[1]}
        assert (await client.post("/login", data=fields)).status_code == 303
        cookies = dict(client.cookies)
        async with process(database, requests_per_caller=a_day(2)) as (_, limited):
            assert (await limited.get("/api/v1/users/me", headers=token)).status_code == 200
            limited.cookies.update(cookies)
            assert (await limited.get("/api/v1/auth/session")).status_code == 200
            assert_problem(await limited.get("/api/v1/auth/session"), 429, "rate-limited")

    async def test_searches_and_reports_are_counted_separately(
        self, application: FastAPI, client: AsyncClient, database: Settings
    ) -> None:
        world = await make_world(application, client, members=0)
        headers = await world.headers(world.manager)
        ideas = f"/api/v1/campaigns/{world.campaign_id}/ideas"
        report = f"/api/v1/campaigns/{world.campaign_id}/report"
        async with process(database, searches_per_caller=a_day(1), figures_per_caller=a_day(1)) as (_, limited):
            found = [await limited.get(path, headers=headers) for path in (f"{ideas}?q=a", f"{ideas}?q=b", ideas)]
            assert [response.status_code for response in found] == [200, 429, 200]
            assert found[1].json()["detail"].startswith("At most 1 searches per day for one caller; try again in ")
            made = [(await limited.get(report, headers=headers)).status_code for _ in range(2)]
        assert made == [503, 429]  # nothing is published


class TestAddresses:
    async def test_requests_without_a_log_in_count_for_the_address(self, database: Settings) -> None:
        async with process(database, requests_per_caller=a_day(2)) as (app, client):
            found = [await client.get(path) for path in ("/login", "/.well-known/jwks.json", "/login")]
            assert [response.status_code for response in found] == [200, 200, 429]
            assert found[2].headers["content-type"] == "text/html; charset=utf-8"
            assert "At most 2 requests per day for one address; try again in " in found[2].text
            assert int(found[2].headers["retry-after"]) > 0
            keys = await client.get("/.well-known/jwks.json")
            assert assert_problem(keys, 429, "rate-limited")["scope"] == "address"
            async with client_from(app, "192.0.2.2") as other:
                assert (await other.get("/login")).status_code == 200

    @pytest.mark.parametrize(
        "authorization",
        [None, "Bearer forged", "Basic YTpi", "Bearer " + "x" * 5000],
        ids=["none", "forged", "basic", "long"],
    )
    @pytest.mark.parametrize("path", ["/users/me", "/users/me/coins", "/auth/session"])
    async def test_a_refused_token_counts_for_the_address(
        self, application: FastAPI, database: Settings, path: str, authorization: str | None
    ) -> None:
        anna = await bearer(application, await commit_user(application))
        headers = {} if authorization is None else {"Authorization": authorization}
        async with process(database, requests_per_caller=a_day(2)) as (app, client):
            found = [await client.get(f"/api/v1{path}", headers=headers) for _ in range(3)]
            assert [response.status_code for response in found] == [401, 401, 429]
            # a caller behind the same address is not affected
            assert (await client.get("/api/v1/users/me", headers=anna)).status_code == 200
            async with client_from(app, "192.0.2.2") as other:
                assert (await other.get(f"/api/v1{path}", headers=headers)).status_code == 401

    async def test_an_optional_log_in_counts_for_the_address_without_one(
        self, application: FastAPI, client: AsyncClient, database: Settings
    ) -> None:
        world = await make_world(application, client, members=0)
        path = f"/api/v1/campaigns/{world.campaign_id}/coins/chain"
        anna = await bearer(application, await commit_user(application))
        async with process(database, requests_per_caller=a_day(1)) as (_, limited):
            assert [(await limited.get(path)).status_code for _ in range(2)] == [200, 429]
            assert [(await limited.get(path, headers=anna)).status_code for _ in range(2)] == [200, 429]

    async def test_log_ins_have_a_limit_of_their_own(self, application: FastAPI, database: Settings) -> None:
        user = await commit_user(application, password=PASSWORD)
        reset = {"token": "x" * 43, "password": PASSWORD}
        async with process(database, log_ins_per_address=a_day(3)) as (app, client):
            assert (await log_in(client, user)).status_code == 200
            assert (await client.post("/api/v1/auth/reset-password", json=reset)).status_code == 422
            assert (await client.post("/login", data={})).status_code == 403
            refused = await log_in(client, user)
            assert_problem(refused, 429, "rate-limited")
            assert (await client.get("/login")).status_code == 200
            async with client_from(app, "192.0.2.2") as other:
                assert (await log_in(other, user)).status_code == 200

    async def test_commands_that_do_not_reach_the_ledger_count_for_their_caller(
        self, application: FastAPI, client: AsyncClient, database: Settings
    ) -> None:
        world = await make_world(application, client, members=1)
        headers = {**await world.headers(world.members[0]), "Idempotency-Key": "k"}
        path = f"/api/v1/campaigns/{world.campaign_id}/coins/allocate"
        async with process(database, requests_per_caller=a_day(2)) as (_, limited):
            found = [await limited.post(path, headers=headers, json={"coins": -1}) for _ in range(3)]
        assert [response.status_code for response in found] == [422, 422, 429]
        assert found[2].json()["scope"] == "caller"

    @pytest.mark.parametrize(
        ("address", "network"),
        [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("fe80::1%eth0", "fe80::/64"),
            ("", ""),
        ],
    )
    def test_of_one_network_are_counted_together(self, address: str, network: str) -> None:
        assert network_of(address) == network


class TestHeaders:
    async def test_report_what_remains(self, application: FastAPI, database: Settings) -> None:
        anna = await bearer(application, await commit_user(application))
        async with process(database, requests_per_caller=a_day(3)) as (_, client):
            responses = [await client.get("/api/v1/users/me", headers=anna) for _ in range(4)]
        assert {response.headers["ratelimit-policy"] for response in responses} == {'"requests-per-caller";q=3;w=86400'}
        levels = [ITEM.fullmatch(response.headers["ratelimit"]) for response in responses]
        assert [level and (level[1], int(level[2])) for level in levels] == [
            ("requests-per-caller", remaining) for remaining in (2, 1, 0, 0)
        ]
        seconds = [int(level[3]) for level in levels if level]
        assert [round(each / 28800) for each in seconds] == [1, 2, 3, 3]
        assert 0 < int(responses[3].headers["retry-after"]) <= 28800

    async def test_name_every_limit_of_the_caller_and_none_of_all_members(
        self, application: FastAPI, client: AsyncClient, database: Settings
    ) -> None:
        world = await make_world(application, client, members=1)
        idea = await world.submit(world.manager)
        headers = {**await world.headers(world.members[0]), "Idempotency-Key": "k"}
        limits: dict[str, Any] = {"coin_commands_per_member": a_day(5), "coin_commands_per_campaign": a_day(100)}
        async with process(database, requests_per_caller=a_day(9), **limits) as (_, limited):
            moved = await limited.post(
                f"/api/v1/campaigns/{world.campaign_id}/coins/allocate",
                headers=headers,
                json={"idea_id": str(idea), "coins": 1},
            )
        assert moved.status_code == 201
        assert moved.headers["ratelimit-policy"] == '"coin-commands-per-member";q=5;w=86400'
        assert moved.headers["ratelimit"].startswith('"coin-commands-per-member";r=4;t=')

    async def test_are_absent_without_a_limit(self, client: AsyncClient) -> None:
        response = await client.get("/login")
        assert {"ratelimit", "ratelimit-policy"}.isdisjoint(response.headers)

    async def test_health_is_never_limited(self, database: Settings) -> None:
        async with process(database, requests_per_caller=a_day(1)) as (_, client):
            for _ in range(3):
                response = await client.get("/health/live")
                assert response.status_code == 200
                assert "ratelimit" not in response.headers
