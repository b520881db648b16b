"""The fast path of coin commands: the responses of the routes, and other requests passed on to them."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from uuid import uuid4

import pytest

from api.coins import routes
from api.coins.commands import execution
from tests.factories.campaigns import World, make_world, submit_many

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI
    from httpx2 import AsyncClient, Response

ALLOCATE = "/campaigns/{id}/coins/allocate"
REALLOCATE = "/campaigns/{id}/coins/reallocate"


class RouteReached(Exception):
    """The request reached the route."""


@pytest.fixture
def only_the_fast_path() -> Any:
    """A context in which a request that reaches the routes fails."""
    return patch.object(routes, "_command", side_effect=RouteReached)


async def stream(body: bytes) -> AsyncIterator[bytes]:
    """A body of unknown length, which is passed on to the routes."""
    yield body


class TestPlainCommands:
    async def test_never_reach_the_routes(
        self, application: FastAPI, client: AsyncClient, only_the_fast_path: Any
    ) -> None:
        world = await make_world(application, client)
        one, two = await submit_many(world, 2)
        member = world.members[1]
        with only_the_fast_path:
            assert (await world.allocate(member, one, 30)).status_code == 201
            body = {"from_idea_id": str(one), "to_idea_id": str(two), "coins": 10}
            moved = await world.call(member, "POST", REALLOCATE, key="a", json=body)
            assert (moved.status_code, moved.json()["kind"]) == (201, "reallocate")
            refused = await world.allocate(member, one, 71)
            assert (refused.status_code, refused.json()["has_coins"]) == (409, 70)
            beyond = await world.call(member, "POST", REALLOCATE, key="b", json=body, params={"dry_run": True})
            assert beyond.status_code == 500

    async def test_have_the_responses_of_the_routes(self, application: FastAPI, client: AsyncClient) -> None:
        """The same key through the routes is a replay: the same bytes, type and status."""
        world = await make_world(application, client)
        (idea,) = await submit_many(world, 1)
        body = json.dumps({"idea_id": str(idea), "coins": 7}).encode()
        json_type = {"Content-Type": "application/json"}

        async def send(content: Any, key: str) -> Response:
            return await world.call(world.members[1], "POST", ALLOCATE, key=key, content=content, headers=json_type)

        plain, routed = await send(body, "a"), await send(stream(body), "a")
        assert (plain.content, plain.status_code) == (routed.content, routed.status_code)
        assert plain.headers["content-type"] == routed.headers["content-type"]
        assert ("idempotency-replayed" in plain.headers, routed.headers["idempotency-replayed"]) == (False, "true")
        routed, plain = await send(stream(body), "b"), await send(body, "b")
        assert (plain.content, plain.headers["idempotency-replayed"]) == (routed.content, "true")
        for problem in ("x-request-id", "x-content-type-options"):
            assert problem in plain.headers

    async def test_have_the_refusals_of_the_routes(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        body = json.dumps({"idea_id": str(uuid4()), "coins": 7}).encode()
        headers = {"Content-Type": "application/json", "X-Request-ID": "the-same"}
        plain, routed = [
            await world.call(world.members[1], "POST", ALLOCATE, key="a", content=content, headers=headers)
            for content in (body, stream(body))
        ]
        assert (plain.status_code, plain.json()) == (404, routed.json())
        assert plain.headers["content-type"] == routed.headers["content-type"] == "application/problem+json"


class TestOthers:
    """Other requests are passed on to the routes, which report their errors."""

    @pytest.mark.parametrize(
        ("change", "status", "problem"),
        [
            ({"headers": {"Authorization": "Bearer nonsense"}}, 401, "token-invalid"),
            ({"headers": {"Authorization": "Basic YTpi"}}, 401, "token-missing"),
            ({"headers": {"Idempotency-Key": "\x7f"}}, 400, "idempotency-key"),
            ({"headers": {"Idempotency-Key": "k" * 256}}, 400, "idempotency-key"),
            ({"content": b"{"}, 422, "validation"),
            ({"content": b"[]"}, 422, "validation"),
            ({"content": b'{"idea_id": "7", "coins": 1}'}, 422, "validation"),
            ({"content": b'{"coins": 1, "unknown": 2}'}, 422, "validation"),
            ({"headers": {"Content-Type": "text/plain"}}, 415, "unsupported-media-type"),
            ({"content": b" " * 5000}, 422, "validation"),
            ({"content": b" " * 2_000_000}, 413, "request-entity-too-large"),
        ],
    )
    async def test_get_their_problem_documents(
        self, application: FastAPI, client: AsyncClient, change: dict[str, Any], status: int, problem: str
    ) -> None:
        world = await make_world(application, client)
        (idea,) = await submit_many(world, 1)
        headers = {"Content-Type": "application/json", "Idempotency-Key": "k", **change.pop("headers", {})}
        arguments = {"content": json.dumps({"idea_id": str(idea), "coins": 1}), **change}
        response = await world.call(world.members[1], "POST", ALLOCATE, headers=headers, **arguments)
        assert (response.status_code, response.json()["type"]) == (status, f"urn:ideamint:problem:{problem}")
        assert (await world.balance(world.members[1]))["wallet_coins"] == 100

    async def test_a_campaign_id_that_is_not_a_uuid(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        for wrong in ("-" * 36, "A" * 36):
            path = f"/campaigns/{wrong}/coins/allocate"
            response = await world.call(world.members[1], "POST", path, key="k", json={"idea_id": wrong, "coins": 1})
            assert (response.status_code, response.json()["type"]) == (422, "urn:ideamint:problem:validation")

    async def test_a_client_that_disconnects_within_the_body_moves_nothing(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client)
        (idea,) = await submit_many(world, 1)
        body = json.dumps({"idea_id": str(idea), "coins": 1}).encode()
        await _hang_up_after(application, world, body[:20], len(body))
        assert (await world.balance(world.members[1]))["wallet_coins"] == 100

    async def test_an_unexpected_error_is_a_problem_too(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        with patch.object(execution.MemberCommands, "carry_out", side_effect=RuntimeError("a defect")):
            response = await world.allocate(world.members[1], uuid4(), 1)
        assert (response.status_code, response.json()["type"]) == (500, "urn:ideamint:problem:internal")
        assert "a defect" not in response.text


async def _hang_up_after(app: FastAPI, world: World, part: bytes, length: int) -> None:
    """Send a request and disconnect within the body."""
    headers = {
        **await world.headers(world.members[1]),
        "Content-Type": "application/json",
        "Content-Length": str(length),
        "Idempotency-Key": "k",
    }
    messages = iter([{"type": "http.request", "body": part, "more_body": True}, *([{"type": "http.disconnect"}] * 5)])

    async def receive() -> Any:
        await asyncio.sleep(0)
        return next(messages)

    async def send(_: Any) -> None:
        return None

    await app(
        {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
            "path": f"/api/v1/campaigns/{world.campaign_id}/coins/allocate", "raw_path": b"", "query_string": b"",
            "root_path": "", "server": ("testserver", 80), "client": ("127.0.0.1", 1),
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        },
        receive, send,
    )  # fmt: skip
