"""A database in which only the test seals transfers; in others a background loop does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from api.kernel.db import Database
from cli.local import databases, postgres
from tests.factories.warehouse import database_of_its_own

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from settings import Settings


@pytest.fixture(scope="session")
def quiet_database(server: Settings, worker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of a newly migrated database that no application uses."""
    with database_of_its_own(server, f"chain_{worker}", tmp_path_factory.mktemp("chain")) as settings:
        yield settings


@pytest.fixture(scope="session")
def quiet_admin_url(server: Settings, quiet_database: Settings) -> str:
    """The URL of the quiet database, with the server's superuser."""
    name = databases.database_name(str(quiet_database.database.url))
    return databases.with_database(postgres.admin_url(server), name)


@pytest_asyncio.fixture(scope="session")
async def quiet_db(quiet_database: Settings) -> AsyncIterator[Database]:
    """Sessions on the quiet database, as in the application."""
    db = Database(quiet_database.database)
    yield db
    await db.close()
