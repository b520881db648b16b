"""A separate database for the demo, since tests of the demo and other tests count all rows."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from pydantic import PostgresDsn

from api.kernel.db import Database
from cli.demo.run import DemoResult, make_demo
from cli.local import databases, postgres
from tests.factories.warehouse import copy_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from settings import Settings

TODAY = date(2026, 11, 23)


@pytest.fixture(scope="session")
def new_database(server: Settings, worker: str) -> Callable[[str], Settings]:
    """Creates a migrated database on the server of this run."""

    def make(name: str) -> Settings:
        name = f"demo_{name}_{worker}"
        admin_url = databases.with_database(postgres.admin_url(server), name)
        settings = server.with_(
            database_url=PostgresDsn(databases.without_login(admin_url)), dagster_database=f"dagster_{name}"
        )
        copy_database(server, postgres.DATABASE, name)
        databases.prepare(admin_url, settings)
        return settings

    return make


@pytest_asyncio.fixture(scope="session")
async def demo_database(new_database: Callable[[str], Settings]) -> AsyncIterator[Database]:
    """The database of the demo, which is created once for all its tests."""
    database = Database(new_database("planned").database)
    yield database
    await database.close()


@pytest_asyncio.fixture(scope="session")
async def demo(demo_database: Database) -> DemoResult:
    """The demo, created for a fixed day."""
    return await make_demo(demo_database, today=TODAY)
