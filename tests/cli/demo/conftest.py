"""A separate database for the demo, since tests of the demo and other tests count all rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from api.kernel.db import Database
from cli.demo.run import DemoResult, make_demo
from cli.local import postgres
from tests.factories.demos import TODAY
from tests.factories.warehouse import create_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from settings import Settings


@pytest.fixture(scope="session")
def new_database(server: Settings, worker: str) -> Callable[..., Settings]:
    """Creates a migrated database on the server of this run, as a copy of an empty one or of another template."""

    def make(name: str, template: str = postgres.DATABASE) -> Settings:
        name = f"demo_{name}_{worker}"
        return create_database(server, name, template=template, dagster_database=f"dagster_{name}")

    return make


@pytest_asyncio.fixture(scope="session")
async def demo_database(new_database: Callable[..., Settings]) -> AsyncIterator[Database]:
    """The database of the demo, which is created once for all its tests."""
    database = Database(new_database("planned").database)
    yield database
    await database.close()


@pytest.fixture(scope="session")
def progress() -> list[tuple[int, int]]:
    """Finished and all steps, as reported while the demo was created."""
    return []


@pytest_asyncio.fixture(scope="session")
async def demo(demo_database: Database, progress: list[tuple[int, int]]) -> DemoResult:
    """The demo, created for a fixed day."""
    return await make_demo(demo_database, today=TODAY, progress=lambda done, total: progress.append((done, total)))
