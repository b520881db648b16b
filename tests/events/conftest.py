"""A table for the effects of consumers, and probes that write to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.factories.consumers import EFFECTS, Probe

if TYPE_CHECKING:
    from api.kernel.db import Database


@pytest.fixture
def effects(admin_url: str) -> Iterator[None]:
    """The table that probes write to; their cursors are removed, because readiness would report their lag."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        for statement in EFFECTS.split(";"):
            connection.execute(statement.encode())
        yield
        connection.execute("DELETE FROM app.event_failures WHERE consumer LIKE 'probe%'")
        connection.execute("DELETE FROM app.event_cursors WHERE consumer LIKE 'probe%'")


MakeProbe = Callable[..., Awaitable[Probe]]


@pytest.fixture
def make_probe(db: Database, effects: None) -> MakeProbe:
    """Makes a probe with cursors; options are those of `Consumer`."""

    async def make(**options: Any) -> Probe:
        probe = Probe(db, options)
        await probe.following.register()
        return probe

    return make
