"""The application: health, problems, request ids, OpenAPI, services and models."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import create_engine, text

from api.container import make_container
from api.domains import DOMAINS
from api.kernel import problems
from api.kernel.errors import Forbidden
from api.kernel.middleware import Defects, Edge, RequestContext
from api.kernel.web import Session
from api.kernel.web import router as new_router
from api.models import Model
from tests.factories.containers import parts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from settings import Settings

ROOT = Path(__file__).parents[2]


class TestRequestIds:
    async def test_are_made(self, client: AsyncClient) -> None:
        response = await client.get("/health/live")
        assert UUID(response.headers["x-request-id"]).version == 7

    async def test_of_the_client_are_kept_if_they_are_valid(self, client: AsyncClient) -> None:
        kept = await client.get("/health/live", headers={"X-Request-ID": "abc-123"})
        replaced = await client.get("/health/live", headers={"X-Request-ID": "a b;c"})
        assert kept.headers["x-request-id"] == "abc-123"
        assert replaced.headers["x-request-id"] != "a b;c"

    async def test_are_part_of_problems(self, client: AsyncClient) -> None:
        response = await client.get("/api/v1/nowhere")
        assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json")
        assert response.json()["request_id"] == response.headers["x-request-id"]


class TestProblems:
    async def test_a_body_that_is_too_large_is_refused(self, client: AsyncClient) -> None:
        headers = {"Content-Type": "application/json"}
        response = await client.post("/api/v1/auth/login", content=b"x" * 2_000_000, headers=headers)
        assert (response.status_code, response.headers["content-type"]) == (413, "application/problem+json")

    async def test_a_body_that_is_not_json_is_refused(self, client: AsyncClient) -> None:
        headers = {"Content-Type": "application/json"}
        response = await client.post("/api/v1/auth/login", content=b"{", headers=headers)
        assert (response.status_code, response.json()["type"]) == (422, "urn:ideamint:problem:validation")

    async def test_a_wrong_method_is_refused(self, client: AsyncClient) -> None:
        response = await client.put("/api/v1/auth/login")
        assert (response.status_code, response.json()["type"]) == (405, "urn:ideamint:problem:method-not-allowed")


class TestSession:
    """Additional routes that write a row and then succeed or fail."""

    @pytest.fixture
    async def bare(self, database: Settings) -> AsyncIterator[AsyncClient]:
        router = new_router("", "probe")
        insert = text("INSERT INTO app.events (kind, request_id) VALUES ('user_registered', :id)")

        @router.post("/probe/{outcome}")
        async def probe(session: Session, outcome: str) -> dict[str, str]:
            await session.execute(insert, {"id": f"probe-{outcome}"})
            if outcome == "crash":
                msg = "a defect"
                raise RuntimeError(msg)
            if outcome == "refuse":
                msg = "No."
                raise Forbidden(msg)
            if outcome == "fill":
                await session.execute(
                    text("DO $$ BEGIN RAISE 'could not extend file' USING ERRCODE = 'disk_full'; END $$")
                )
            if outcome == "violate":
                await session.execute(
                    text("""SELECT app.coins_open_ledger(app.uuid7(), '{"coins_per_member": 0}', NULL)""")
                )
            return {}

        app = FastAPI()
        app.state.container = make_container(database)
        app.add_middleware(Defects)
        app.add_middleware(
            RequestContext,
            edge=Edge(hosts=frozenset({"testserver"}), body_bytes_max=database.limits.request_body_bytes_max),
        )
        app.include_router(router)
        problems.install(app)
        transport = ASGITransport(app, raise_app_exceptions=False)
        async with AsyncClient(transport=transport, base_url="http://testserver") as client:
            yield client
        await parts(app).database.close()

    async def _kept(self, application: FastAPI, outcome: str) -> int:
        async with parts(application).database.session() as session:
            kept: int = await session.scalar(
                text("SELECT count(*) FROM app.events WHERE request_id = :id"), {"id": f"probe-{outcome}"}
            )
        return kept

    async def test_commits_before_the_response_leaves(self, application: FastAPI, bare: AsyncClient) -> None:
        assert (await bare.post("/probe/succeed")).status_code == 200
        assert await self._kept(application, "succeed") == 1

    @pytest.mark.parametrize(("outcome", "status"), [("crash", 500), ("refuse", 403), ("violate", 500)])
    async def test_rolls_back_a_failed_request(
        self, application: FastAPI, bare: AsyncClient, outcome: str, status: int
    ) -> None:
        response = await bare.post(f"/probe/{outcome}")
        assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
        assert "a defect" not in response.text
        assert response.headers["x-frame-options"] == "DENY"
        assert response.json()["request_id"] == response.headers["x-request-id"]
        assert await self._kept(application, outcome) == 0

    async def test_a_full_disk_of_the_database_is_named(self, application: FastAPI, bare: AsyncClient) -> None:
        response = await bare.post("/probe/fill")
        assert (response.status_code, response.json()["type"]) == (503, "urn:ideamint:problem:disk-full")
        assert response.headers["retry-after"] == "60"
        assert await self._kept(application, "fill") == 0


class TestOpenAPI:
    def test_is_the_committed_one(self, application: FastAPI) -> None:
        """`make docs` writes it."""
        assert json.loads((ROOT / "openapi.json").read_text()) == application.openapi()

    def test_every_operation_has_a_short_unique_name(self, application: FastAPI) -> None:
        names = [
            operation["operationId"] for path in application.openapi()["paths"].values() for operation in path.values()
        ]
        assert len(names) == len(set(names))
        assert [name for name in names if not re.fullmatch(r"[a-z][A-Za-z]{2,24}", name)] == []

    def test_every_route_except_health_is_versioned(self, application: FastAPI) -> None:
        paths = [path for path in application.openapi()["paths"] if not path.startswith("/health/")]
        assert [path for path in paths if not path.startswith("/api/v1/")] == []

    async def test_the_documentation_needs_no_network(self, client: AsyncClient) -> None:
        page = (await client.get("/docs")).text
        sources = re.findall(r'(?:src|href)="([^"]+)"', page)
        assert sources
        assert [source for source in sources if not source.startswith("/")] == []
        for source in sources:
            assert (await client.get(source)).status_code == 200


class TestDependencies:
    def test_are_all_coroutines(self) -> None:
        """FastAPI runs other functions in a thread, which reduced the throughput at 32 clients to a quarter."""

        def calls(dependant: Dependant) -> Iterator[object]:
            for inner in dependant.dependencies:
                yield inner.call
                yield from calls(inner)

        routes = [route for domain in DOMAINS for router in (*domain.routers, *domain.pages) for route in router.routes]
        found = {call for route in routes if isinstance(route, APIRoute) for call in calls(route.dependant)}
        assert len(found) > 10
        assert [call for call in found if not _is_coroutine(call)] == []


def _is_coroutine(call: object) -> bool:
    call = call if inspect.isfunction(call) else type(call).__call__
    return inspect.iscoroutinefunction(call) or inspect.isasyncgenfunction(call)


class TestModels:
    @pytest.mark.filterwarnings("ignore:Did not recognize type 'xid8'")
    def test_match_the_migrated_tables(self, admin_url: str) -> None:
        """Columns, types, keys and foreign keys; checks and partial indexes are defined only in SQL."""
        engine = create_engine(admin_url.replace("postgresql://", "postgresql+psycopg://"))
        tables = {table.name for table in Model.metadata.tables.values()}
        assert {"users", "campaigns", "ideas", "idempotent_responses"} <= tables

        def is_ours(thing: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:  # noqa: FBT001
            if kind == "table":
                return name in tables
            return kind in {"column", "foreign_key_constraint"}

        with engine.connect() as connection:
            connection.execute(text("SET search_path = pg_catalog"))
            context = MigrationContext.configure(
                connection, opts={"include_schemas": True, "include_object": is_ours, "compare_server_default": False}
            )
            differences = compare_metadata(context, Model.metadata)
        engine.dispose()
        assert differences == []
