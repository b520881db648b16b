"""A deprecated route in an application with one."""

from __future__ import annotations

from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import pytest

from api.auth.dependencies import Myself
from api.kernel.deprecation import Deprecated
from api.kernel.rules import PUBLIC
from api.kernel.web import router as new_router
from tests.factories.probes import probing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import APIRouter
    from httpx2 import AsyncClient

    from settings import Settings

OLD = Deprecated(since=date(2026, 1, 31), sunset=date(2026, 7, 31), successor="/api/v1/probe/new")


def probes() -> APIRouter:
    router = new_router("/probe", "probe")

    @router.get("/old", operation_id="getOld", dependencies=[PUBLIC])
    @OLD
    async def old(*, fails: bool = False) -> list[str]:
        """The old form."""
        if fails:
            msg = "a defect"
            raise RuntimeError(msg)
        return []

    @router.post("/old", operation_id="postOld")
    @Deprecated(since=date(2026, 1, 31), sunset=date(2026, 7, 31))
    async def write(caller: Myself) -> None: ...

    @router.get("/new", operation_id="getNew", dependencies=[PUBLIC])
    async def new() -> list[str]:
        return []

    return router


@pytest.fixture
async def probe(database: Settings) -> AsyncIterator[AsyncClient]:
    async with probing(database.with_(cors_origins=("https://app.example.org",)), probes()) as client:
        yield client


class TestHeaders:
    @pytest.mark.parametrize(
        ("query", "status"), [("", 200), ("?fails=true", 500), ("?fails=maybe", 422), ("?unknown=1", 422)]
    )
    async def test_are_those_of_every_response(self, probe: AsyncClient, query: str, status: int) -> None:
        response = await probe.get(f"/api/v1/probe/old{query}")
        assert response.status_code == status
        since = response.headers["deprecation"]
        assert since.startswith("@")
        assert datetime.fromtimestamp(int(since[1:]), UTC) == datetime(2026, 1, 31, tzinfo=UTC)
        assert response.headers["sunset"] == "Fri, 31 Jul 2026 00:00:00 GMT"
        assert parsedate_to_datetime(response.headers["sunset"]) == datetime(2026, 7, 31, tzinfo=UTC)
        assert response.headers["link"] == '</api/v1/probe/new>; rel="successor-version"'

    async def test_are_those_of_a_response_without_a_body(self, probe: AsyncClient) -> None:
        tag = (await probe.get("/api/v1/probe/old")).headers["etag"]
        response = await probe.get("/api/v1/probe/old", headers={"If-None-Match": tag})
        assert (response.status_code, response.headers["deprecation"]) == (304, "@1769817600")

    async def test_of_a_route_without_a_successor_have_no_link(self, probe: AsyncClient) -> None:
        refused = await probe.post("/api/v1/probe/old")
        assert (refused.status_code, refused.headers["deprecation"]) == (401, "@1769817600")
        assert "link" not in refused.headers

    async def test_are_absent_elsewhere(self, probe: AsyncClient) -> None:
        response = await probe.get("/api/v1/probe/new")
        assert {"deprecation", "sunset", "link"}.isdisjoint(response.headers)


class TestOpenAPI:
    async def test_has_the_flag_and_the_dates(self, probe: AsyncClient) -> None:
        document: dict[str, Any] = (await probe.get("/api/v1/openapi.json")).json()
        old = document["paths"]["/api/v1/probe/old"]
        assert old["get"]["deprecated"] is True
        assert old["get"]["description"] == (
            "Deprecated since 2026-01-31; may be removed from 2026-07-31 on. Use /api/v1/probe/new instead.\n\nThe old form."
        )
        assert old["post"]["description"] == "Deprecated since 2026-01-31; may be removed from 2026-07-31 on."
        assert "deprecated" not in document["paths"]["/api/v1/probe/new"]["get"]


class TestDeprecated:
    def test_a_route_is_not_removed_before_its_deprecation(self) -> None:
        with pytest.raises(AssertionError, match="after its deprecation"):
            Deprecated(since=date(2026, 2, 1), sunset=date(2026, 2, 1))
