"""Misspelt parameters and headers, dry runs of routes that have none, and unknown hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from httpx2 import ASGITransport, AsyncClient

from api.kernel.requests import MisspeltHeader, check_headers
from api.main import create_app
from tests.auth.calls import assert_problem, events_of, log_in, refresh
from tests.factories.campaigns import make_world
from tests.factories.containers import parts
from tests.factories.users import PASSWORD, commit_user

if TYPE_CHECKING:
    from fastapi import FastAPI

    from settings import Settings

NO_DRY_RUN = "There is no query parameter 'dry_run'. The route has none."


class TestParameters:
    @pytest.mark.parametrize(
        ("method", "path", "nearest"),
        [
            ("POST", "/campaigns/{id}/complete?dryrun=true", "dry_run"),
            ("POST", "/campaigns/{id}/complete?Dry_Run=true", "dry_run"),
            ("GET", "/campaigns/{id}/ideas?limits=3", "limit"),
            ("GET", "/campaigns/{id}/ideas?frobnicate=3", None),
        ],
    )
    async def test_an_unknown_one_is_refused_with_the_nearest_known_one(
        self, application: FastAPI, client: AsyncClient, method: str, path: str, nearest: str | None
    ) -> None:
        world = await make_world(application, client, members=0)
        refused = assert_problem(await world.call(world.manager, method, path), 422, "unknown-parameter")
        assert refused["nearest"] == nearest
        assert (await world.call(world.manager, "GET", "/campaigns/{id}")).json()["status"] == "active"

    async def test_pages_ignore_them(self, client: AsyncClient) -> None:
        assert (await client.get("/login?utm_source=mail")).status_code == 200


class TestDryRun:
    async def test_a_refresh_has_none(self, application: FastAPI, client: AsyncClient) -> None:
        user = await commit_user(application, password=PASSWORD)
        tokens = (await log_in(client, user)).json()
        body = {"refresh_token": tokens["refresh_token"]}
        refused = await client.post("/api/v1/auth/refresh?dry_run=true", json=body)
        assert assert_problem(refused, 422, "unknown-parameter")["detail"] == NO_DRY_RUN
        assert (await refresh(client, tokens["refresh_token"])).status_code == 200

    async def test_a_log_in_has_none(self, application: FastAPI, client: AsyncClient) -> None:
        user = await commit_user(application, password=PASSWORD)
        wrong = {"email": user.email, "password": PASSWORD + "x"}
        assert_problem(await client.post("/api/v1/auth/login?dry_run=true", json=wrong), 422, "unknown-parameter")
        assert_problem(await client.post("/api/v1/auth/login", json=wrong), 401, "log-in-failed")
        assert (await events_of(application, user)).count("log_in_failed") == 1

    async def test_the_log_in_page_ignores_it(self, application: FastAPI, client: AsyncClient) -> None:
        """The form is refused for its missing token; the parameter does not roll anything back."""
        response = await client.post("/login?dry_run=true", data={"email": "a@example.org", "password": "x"})
        assert response.status_code == 403

    async def test_only_routes_that_declare_it_have_one(self, application: FastAPI) -> None:
        paths = application.openapi()["paths"]
        declaring = {
            operation["operationId"]
            for path in paths.values()
            for operation in path.values()
            if any(parameter["name"] == "dry_run" for parameter in operation.get("parameters", ()))
        }
        assert declaring >= {"allocateCoins", "reallocateCoins", "completeCampaign", "setCoinPolicy"}
        assert declaring.isdisjoint({"logIn", "refreshToken", "logOut"})


class TestHeaders:
    @pytest.mark.parametrize(
        "name", ["Idempotency_Key", "IdempotencyKey", "X-Idempotency-Key", "Idempotency-Keys", "Idempotencykey",
                 "Idempotncy-Key", "If_Match", "X-If-Match", "If-Mach"],
    )  # fmt: skip
    async def test_a_misspelt_one_of_a_write_is_refused(
        self, application: FastAPI, client: AsyncClient, name: str
    ) -> None:
        world = await make_world(application, client, members=1)
        body = {"title": "Put racks by the door", "description": "Bicycles are locked to the fence at present."}
        refused = await world.call(
            world.members[0], "POST", "/campaigns/{id}/ideas", json=body, headers={name: uuid4().hex}
        )
        assert assert_problem(refused, 400, "misspelt-header")["nearest"] in {"Idempotency-Key", "If-Match"}
        listed = await world.call(world.members[0], "GET", "/campaigns/{id}/ideas", headers={name: "1"})
        assert (listed.status_code, listed.json()["items"]) == (200, [])

    def test_others_are_not_checked(self) -> None:
        check_headers(["IDEMPOTENCY-KEY", "if-match", "If-None-Match", "If-Modified-Since", "X-Key", "Key", "Cookie"])
        with pytest.raises(MisspeltHeader, match="Did you mean If-Match"):
            check_headers(["Host", "Iff-Match"])


class TestMethods:
    @pytest.mark.parametrize("path", ["/health/live", "/api/v1/openapi.json", "/login", "/docs"])
    async def test_head_is_answered_where_get_is(self, client: AsyncClient, path: str) -> None:
        plain = {"Accept-Encoding": "identity"}
        got, head = await client.get(path, headers=plain), await client.head(path, headers=plain)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == got.headers["content-length"] == str(len(got.content))

    async def test_head_has_the_status_of_get(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, members=0)
        for path in ("/campaigns/{id}", "/campaigns/{id}/ideas", "/users/me"):
            assert (await world.call(world.manager, "HEAD", path)).status_code == 200
        assert (await client.head("/api/v1/users/me")).status_code == 401

    @pytest.mark.parametrize(
        ("method", "path", "allowed"),
        [
            ("PUT", "/api/v1/users/me", "DELETE, GET, HEAD, PATCH"),
            ("DELETE", "/api/v1/campaigns", "GET, HEAD, POST"),
            ("HEAD", "/api/v1/auth/login", "POST"),
            ("OPTIONS", "/api/v1/campaigns/00000000-0000-7000-8000-000000000001", "DELETE, GET, HEAD, PATCH"),
            ("POST", "/health/live", "GET, HEAD"),
            ("PUT", "/login", "GET, HEAD, POST"),
        ],
    )
    async def test_allow_has_every_method_of_the_path(
        self, client: AsyncClient, method: str, path: str, allowed: str
    ) -> None:
        refused = await client.request(method, path)
        assert (refused.status_code, refused.headers["allow"]) == (405, allowed)


class TestMediaTypes:
    @pytest.mark.parametrize(
        "content_type", ["text/plain", "application/x-www-form-urlencoded", "text/json", "application/xml", None]
    )
    async def test_another_one_is_refused(self, client: AsyncClient, content_type: str | None) -> None:
        headers = {"Content-Type": content_type} if content_type else {}
        refused = await client.post("/api/v1/auth/login", content=b'{"email": "a@b.example"}', headers=headers)
        assert assert_problem(refused, 415, "unsupported-media-type")["accepted"] == ["application/json"]

    @pytest.mark.parametrize(
        "content_type", ["application/json", "APPLICATION/JSON; charset=utf-8", "application/merge-patch+json"]
    )
    async def test_json_is_read(self, application: FastAPI, client: AsyncClient, content_type: str) -> None:
        world = await make_world(application, client, members=0)
        headers = {"Content-Type": content_type}
        read = await world.call(
            world.manager, "PATCH", "/users/me", content=b'{"display_name": "Eva"}', headers=headers
        )
        assert (read.status_code, read.json()["display_name"]) == (200, "Eva")

    async def test_no_body_is_an_invalid_body(self, client: AsyncClient) -> None:
        assert_problem(await client.post("/api/v1/auth/login"), 422, "validation")


class TestHosts:
    @pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "local host", "localhost:80:80", ""])
    async def test_an_unknown_one_is_refused(self, client: AsyncClient, host: str) -> None:
        refused = await client.get("/api/v1/campaigns/", headers={"Host": host})
        assert_problem(refused, 421, "unknown-host")

    @pytest.mark.parametrize("host", ["LOCALHOST:8000", "127.0.0.1", "[::1]:8000", "testserver", "localhost."])
    async def test_a_known_one_is_served(self, client: AsyncClient, host: str) -> None:
        assert (await client.get("/health/live", headers={"Host": host})).status_code == 200

    async def test_settings_add_hosts(self, database: Settings) -> None:
        app = create_app(
            database.with_(public_hosts="ideas.example, other.example:8443", public_api_url="https://a.example")
        )
        async with AsyncClient(transport=ASGITransport(app), base_url="http://ideas.example") as client:
            for host in ("ideas.example", "other.example", "a.example", "localhost"):
                response = await client.get("/health/live", headers={"Host": host})
                assert response.status_code == 200
                assert response.headers["strict-transport-security"].startswith("max-age=31536000")
        await parts(app).database.close()

    async def test_no_redirect_repeats_the_host(self, client: AsyncClient) -> None:
        assert (await client.get("/api/v1/campaigns/")).status_code == 404
