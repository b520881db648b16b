"""Entity tags, conditional requests and compression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fastapi import Response
from fastapi.responses import StreamingResponse

from api.kernel.representations import accepts_gzip, is_current
from api.kernel.rules import PUBLIC
from api.kernel.web import router as new_router
from tests.auth.calls import log_in, refresh
from tests.factories.campaigns import make_world
from tests.factories.probes import probing
from tests.factories.users import PASSWORD, bearer, commit_user

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from fastapi import APIRouter, FastAPI
    from httpx2 import AsyncClient

    from settings import Settings

GZIP = {"Accept-Encoding": "gzip"}
LONG = "the same words again and again, " * 100


def probes() -> APIRouter:
    router = new_router("/probe", "probe")

    @router.get("/long", dependencies=[PUBLIC])
    async def long() -> list[str]:
        return [LONG]

    @router.get("/short", dependencies=[PUBLIC])
    async def short() -> list[str]:
        return ["words"]

    @router.get("/huge", dependencies=[PUBLIC])
    async def huge() -> list[str]:
        return [LONG] * 100

    @router.get("/secret", dependencies=[PUBLIC])
    async def secret(response: Response) -> list[str]:
        response.headers["Cache-Control"] = "private, no-store"
        return [LONG]

    @router.get("/zip", dependencies=[PUBLIC])
    async def archive() -> Response:
        return Response(LONG.encode(), media_type="application/zip")

    @router.get("/stream", dependencies=[PUBLIC])
    async def stream() -> StreamingResponse:
        def parts() -> Iterator[str]:
            yield LONG
            yield LONG

        return StreamingResponse(parts(), media_type="text/csv")

    @router.get("/tagged", dependencies=[PUBLIC])
    async def tagged(response: Response) -> list[str]:
        response.headers.update({"ETag": '"v7"', "Cache-Control": "public, max-age=60", "Vary": "Accept"})
        return [LONG]

    @router.post("/written", dependencies=[PUBLIC])
    async def written() -> list[str]:
        return [LONG]

    return router


@pytest.fixture
async def probe(database: Settings) -> AsyncIterator[AsyncClient]:
    async with probing(database, probes()) as client:
        client.base_url = "http://testserver/api/v1/probe"
        yield client


class TestConditionalRequests:
    async def test_a_reading_that_has_not_changed_is_not_sent_again(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        anna = await bearer(application, await commit_user(application))
        first = await client.get("/api/v1/users/me", headers=anna)
        assert (first.headers["cache-control"], first.headers["vary"]) == ("private, no-cache", "Authorization")
        asked = {**anna, "If-None-Match": first.headers["etag"]}
        again = await client.get("/api/v1/users/me", headers=asked)
        assert (again.status_code, again.content) == (304, b"")
        for name in ("etag", "cache-control", "vary"):
            assert again.headers[name] == first.headers[name]
        assert {"content-type", "content-length", "content-encoding"}.isdisjoint(again.headers)
        head = await client.head("/api/v1/users/me", headers=asked)
        assert (head.status_code, head.headers["etag"]) == (304, first.headers["etag"])

    async def test_a_change_gives_another_tag(self, application: FastAPI, client: AsyncClient) -> None:
        anna = await bearer(application, await commit_user(application))
        first = await client.get("/api/v1/users/me", headers=anna)
        await client.patch("/api/v1/users/me", headers=anna, json={"display_name": "Someone else"})
        changed = await client.get("/api/v1/users/me", headers={**anna, "If-None-Match": first.headers["etag"]})
        assert (changed.status_code, changed.json()["display_name"]) == (200, "Someone else")
        assert changed.headers["etag"] != first.headers["etag"]

    async def test_another_caller_does_not_get_not_modified(self, application: FastAPI, client: AsyncClient) -> None:
        anna, ben = [await bearer(application, await commit_user(application)) for _ in range(2)]
        tag = (await client.get("/api/v1/users/me", headers=anna)).headers["etag"]
        assert (await client.get("/api/v1/users/me", headers={**ben, "If-None-Match": tag})).status_code == 200
        assert (await client.get("/api/v1/users/me", headers={"If-None-Match": tag})).status_code == 401

    async def test_a_list_has_a_tag(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, members=1)
        first = await world.call(world.manager, "GET", "/campaigns/{id}/members")
        headers = {"If-None-Match": first.headers["etag"]}
        assert (await world.call(world.manager, "GET", "/campaigns/{id}/members", headers=headers)).status_code == 304
        assert (await world.call(world.members[0], "POST", "/campaigns/{id}/leave")).status_code == 204
        assert (await world.call(world.manager, "GET", "/campaigns/{id}/members", headers=headers)).status_code == 200

    async def test_a_route_may_have_its_own_tag_and_validity(self, probe: AsyncClient) -> None:
        first = await probe.get("/tagged", headers=GZIP)
        assert (first.headers["etag"], first.headers["cache-control"]) == ('"v7"', "public, max-age=60")
        assert first.headers["vary"] == "Accept, Accept-Encoding"
        assert (await probe.get("/tagged", headers={"If-None-Match": 'W/"v7"'})).status_code == 304

    async def test_neither_writes_nor_errors_have_a_tag(self, probe: AsyncClient) -> None:
        for response in (await probe.post("/written"), await probe.get("/long?x=1"), await probe.get("/nowhere")):
            assert "etag" not in response.headers
            assert response.headers["cache-control"] == "no-store"

    @pytest.mark.parametrize(
        ("if_none_match", "expected"),
        [
            (None, False), ("*", True), ('"a"', True), ('W/"a"', True), ('"b", W/"a"', True), ('"b"', False), ("a", False), ("", False),
            ('"b,a"', False),
        ],
    )  # fmt: skip
    def test_tags_are_compared_weakly(self, if_none_match: str | None, *, expected: bool) -> None:
        assert is_current(if_none_match, 'W/"a"') is expected
        assert is_current(if_none_match, '"a"') is expected


class TestCompression:
    @pytest.mark.parametrize("path", ["/long", "/huge"])
    async def test_a_long_reading_is_compressed_for_clients_that_accept_it(self, probe: AsyncClient, path: str) -> None:
        response = await probe.get(path, headers=GZIP)
        assert response.headers["content-encoding"] == "gzip"
        assert int(response.headers["content-length"]) < 1000
        assert response.headers["vary"] == "Accept-Encoding"
        plain = await probe.get(path, headers={"Accept-Encoding": "identity"})
        assert response.content == plain.content
        assert "content-encoding" not in plain.headers
        assert (plain.headers["vary"], plain.headers["etag"]) == ("Accept-Encoding", response.headers["etag"])

    @pytest.mark.parametrize("path", ["/short", "/secret", "/zip", "/stream"])
    async def test_short_secret_compressed_and_streamed_ones_are_not(self, probe: AsyncClient, path: str) -> None:
        response = await probe.get(path, headers=GZIP)
        assert response.status_code == 200
        assert "content-encoding" not in response.headers
        assert "vary" not in response.headers

    async def test_a_secret_has_no_tag(self, probe: AsyncClient) -> None:
        response = await probe.get("/secret", headers={"If-None-Match": "*"})
        assert (response.status_code, response.headers["cache-control"]) == (200, "private, no-store")
        assert "etag" not in response.headers

    async def test_writes_are_not_compressed(self, probe: AsyncClient) -> None:
        response = await probe.post("/written", headers=GZIP)
        assert (response.status_code, "content-encoding" in response.headers) == (200, False)

    async def test_tokens_and_forms_are_neither_compressed_nor_stored(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        user = await commit_user(application, password=PASSWORD)
        client.headers.update(GZIP)
        tokens = await log_in(client, user)
        renewed = await refresh(client, tokens.json()["refresh_token"])
        page = await client.get("/login?next=/" + "x" * 2000)
        for response in (tokens, renewed, page):
            assert response.status_code == 200
            assert "content-encoding" not in response.headers
            assert "no-store" in response.headers["cache-control"]

    @pytest.mark.parametrize(
        ("accept_encoding", "expected"),
        [
            ("", False), ("gzip", True), ("deflate, GZIP;q=0.5", True), ("gzip;q=0", False), ("gzip; q=0.000", False),
            ("*", True), ("*;q=0", False), ("identity", False), ("gzip;q=0, *", False), ("br, x-gzip", True),
        ],
    )  # fmt: skip
    def test_the_weights_of_encodings_count(self, accept_encoding: str, *, expected: bool) -> None:
        assert accepts_gzip(accept_encoding) is expected


class TestDocument:
    async def test_is_compressed_and_has_a_tag(self, application: FastAPI, client: AsyncClient) -> None:
        response = await client.get("/api/v1/openapi.json", headers=GZIP)
        document: dict[str, Any] = response.json()
        assert document == application.openapi()
        assert response.headers["content-encoding"] == "gzip"
        again = await client.get("/api/v1/openapi.json?_=1", headers={"If-None-Match": response.headers["etag"]})
        assert again.status_code == 304

    def test_every_reading_declares_the_response_without_a_body(self, application: FastAPI) -> None:
        for path, operations in application.openapi()["paths"].items():
            for method, operation in operations.items():
                is_kept = method == "get" and not path.startswith("/health/")
                assert ("304" in operation["responses"]) == is_kept, path
