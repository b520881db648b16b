"""Prepares an installation for a command: settings read, database running and migrated."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import settings as configuration
from cli.local import postgres
from settings import Settings

if TYPE_CHECKING:
    from api.kernel.db import Database

Result = TypeVar("Result")


@contextmanager
def ready(settings: Settings | None = None) -> Iterator[Settings]:
    """Settings of a running database whose schema is at this version.

    An external server is migrated only by `ideamint up` and `ideamint db migrate`: the log-in of other commands may lack
    that right, so they raise an error instead.

    Raises:
        SettingsError: a setting is invalid, or the external server cannot be reached or is at another version.
        ServerError: the embedded server does not start.
    """
    settings = settings or configuration.load()
    with postgres.running(settings) as running:
        if settings.database.is_embedded:
            postgres.migrate(running)
        else:
            postgres.refuse_unmigrated(running)
        yield running


def with_database(settings: Settings, work: Callable[[Database], Awaitable[Result]]) -> Result:
    """Run async work on the API's database from a command, outside of any event loop."""
    from api.kernel.db import Database

    async def run() -> Result:
        database = Database(settings.database)
        try:
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(run())
