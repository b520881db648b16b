"""A migrated database for each test, and a ledger with movements."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio

from api.coins import service as coins
from api.kernel.db import Database
from cli.local import databases, postgres
from tests.factories.ledgers import Ledger, make_ledger, seal_now
from tests.factories.warehouse import database_of_its_own

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from settings import Settings


@pytest.fixture
def installation(server: Settings, worker: str, tmp_path: Path) -> Iterator[Settings]:
    """Settings of a migrated database for one test."""
    with database_of_its_own(server, f"migrations_{worker}_{uuid4().hex[:8]}", tmp_path) as settings:
        yield settings


@pytest.fixture
def url(server: Settings, installation: Settings) -> str:
    """The URL of the database, with the server's superuser."""
    name = databases.database_name(str(installation.database.url))
    return databases.with_database(postgres.admin_url(server), name)


@pytest.fixture
def connection(url: str) -> Iterator[psycopg.Connection]:
    """A connection in autocommit mode."""
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


@pytest_asyncio.fixture
async def db(installation: Settings) -> AsyncIterator[Database]:
    pool = Database(installation.database)
    yield pool
    await pool.close()


@pytest_asyncio.fixture
async def ledger(db: Database) -> Ledger:
    """A committed and sealed ledger with movements."""
    async with db.session() as session:
        ledger = await make_ledger(session)
        await coins.move_coins(session, [ledger.move(30, target=1, key="a")])
    await seal_now(db)
    return ledger
