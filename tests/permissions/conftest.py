"""A separate application with the actors and campaigns of the matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio

from tests.factories.campaigns import further_application
from tests.permissions.worlds import World, make_world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest

    from settings import Settings


@pytest_asyncio.fixture(scope="session")
async def world(database: Settings, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """Its data folder has no published data."""
    settings = database.with_(data_dir=tmp_path_factory.mktemp("matrix"), registration="open")
    async with further_application(settings) as (app, client):
        yield await make_world(app, client)
