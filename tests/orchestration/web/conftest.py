"""Dagster's own web application behind the guard, with people of the real API."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from httpx2 import ASGITransport, AsyncClient

from api.auth import sessions
from api.auth.dependencies import COOKIE
from orchestration.web.guard import Guard
from orchestration.web.records import CommandRecords
from orchestration.web.viewers import Viewers
from tests.factories.containers import parts
from tests.factories.users import commit_user

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import dagster as dg
    from dagster._core.workspace.load_target import EmptyWorkspaceTarget

    from orchestration.web.application import GuardedWebserver, Workspace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from uuid import UUID

    from fastapi import FastAPI
    from starlette.types import ASGIApp

ORIGIN = "http://dagster.example:3000"
LOG_IN = "http://dagster.example:8000/login"


@dataclass
class Person:
    """A person and the headers of their browser on Dagster's page."""

    user_id: UUID
    headers: dict[str, str]


@dataclass
class Page:
    """The guarded application, and the API that it asks."""

    app: ASGIApp
    api: FastAPI

    async def person(self, *roles: str) -> Person:
        user = await commit_user(self.api, roles=list(roles))
        async with parts(self.api).database.session() as session:
            issued = await sessions.start_session(session, parts(self.api).settings, user.id, kind="browser")
        assert issued is not None
        return Person(user.id, {"Cookie": f"{COOKIE}={issued.secret}", "Origin": ORIGIN})

    async def request(self, method: str, path: str, **options: Any) -> Any:
        """The response to a request as a browser sends it to this page."""
        transport = ASGITransport(app=self.app, raise_app_exceptions=False)
        async with AsyncClient(transport=transport, base_url=ORIGIN) as client:
            return await client.request(method, path, **options)

    async def graphql(self, person: Person, query: str, **variables: Any) -> Any:
        return await self.request(
            "POST", "/graphql", json={"query": query, "variables": variables}, headers=person.headers
        )


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    home = str(tmp_path_factory.mktemp("dagster"))
    with dg.DagsterInstance.local_temp(home) as instance, Workspace(instance, EmptyWorkspaceTarget()) as workspace:
        yield workspace


@pytest_asyncio.fixture(scope="session")
async def webserver(application: FastAPI, workspace: Workspace) -> AsyncIterator[ASGIApp]:
    """Dagster's application, which records who changes what."""
    records = CommandRecords(parts(application).settings)
    yield GuardedWebserver(workspace, records.add).create_asgi_app()
    await records.close()


@pytest_asyncio.fixture
async def page(application: FastAPI, webserver: ASGIApp) -> AsyncIterator[Page]:
    api = AsyncClient(transport=ASGITransport(app=application), base_url="http://testserver")
    viewers = Viewers("http://testserver", api)
    yield Page(Guard(webserver, viewers, public_url=ORIGIN, log_in_url=LOG_IN), application)
    await viewers.close()
