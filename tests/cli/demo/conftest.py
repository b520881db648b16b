"""A database of its own: the demo is looked at as a whole, and other tests count what they find in theirs."""

from __future__ import annotations

import fcntl
from datetime import date
from typing import TYPE_CHECKING

import psycopg
import pytest
import pytest_asyncio
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
    """Makes a freshly migrated database on the server of this run."""

    def make(name: str) -> Settings:
        name = f"demo_{name}_{worker}"
        admin_url = databases.with_database(postgres.admin_url(server), name)
        settings = server.with_(
            database_url=PostgresDsn(databases.without_login(admin_url)), dagster_database=f"dagster_{name}"
        )
        with (
            (server.paths.data_dir.parent / "lock").open("a") as file,
            psycopg.connect(databases.with_database(admin_url, "postgres"), autocommit=True) as connection,
        ):
            fcntl.flock(file, fcntl.LOCK_EX)  # the template is copied by one at a time
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
    """Where the demo is made once for all tests of it."""
    database = Database(new_database("told"))
    yield database
    await database.close()


@pytest_asyncio.fixture(scope="session")
async def demo(demo_database: Database) -> DemoResult:
    """The demo as of a fixed day."""
    return await make_demo(demo_database, today=TODAY)
