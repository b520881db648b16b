"""A separate database for the demo, since tests of the demo and other tests count all rows."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import psycopg
import pytest
import pytest_asyncio
from filelock import FileLock
from psycopg import sql
from pydantic import PostgresDsn

from api.kernel.db import Database
from cli.demo.run import DemoResult, make_demo
from cli.local import databases, postgres

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
        settings = server.model_copy(
            update={
                "database_url": PostgresDsn(databases.without_login(admin_url)),
                "dagster_database": f"dagster_{name}",
            }
        )
        with (
            FileLock(server.data_dir.parent / "lock"),  # a template can be copied by one process at a time
            psycopg.connect(databases.with_database(admin_url, "postgres"), autocommit=True) as connection,
        ):
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER ideamint_owner").format(
                    sql.Identifier(name), sql.Identifier(postgres.DATABASE)
                )
            )
        databases.prepare(admin_url, settings)
        return settings

    return make


@pytest_asyncio.fixture(scope="session")
async def demo_database(new_database: Callable[[str], Settings]) -> AsyncIterator[Database]:
    """The database of the demo, which is created once for all its tests."""
    database = Database(new_database("planned"))
    yield database
    await database.close()


@pytest_asyncio.fixture(scope="session")
async def demo(demo_database: Database) -> DemoResult:
    """The demo, created for a fixed day."""
    return await make_demo(demo_database, today=TODAY)
