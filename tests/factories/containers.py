"""The objects of an application under test."""

from __future__ import annotations

import asyncio
import dataclasses
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import QueuePool, event, text

from api.container import Container
from api.kernel.container import container_of
from api.kernel.db import Statements
from tests.factories.clocks import TRIES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from fastapi import FastAPI


def parts(app: FastAPI) -> Container:
    """The objects of the application."""
    return container_of(app, Container)


def pool_of(app: FastAPI) -> QueuePool:
    """The application's connection pool."""
    pool = parts(app).database.engine.pool
    assert isinstance(pool, QueuePool)
    return pool


def batcher_pid(app: FastAPI) -> int:
    """Process id of the server process of the batcher's connection."""
    connection = parts(app).batcher._connection
    assert connection is not None
    return connection.info.backend_pid


@contextmanager
def replaced(app: FastAPI, **others: Any) -> Iterator[None]:
    """Replace objects of the application inside a block."""
    before = parts(app)
    app.state.container = dataclasses.replace(before, **others)
    try:
        yield
    finally:
        app.state.container = before


@asynccontextmanager
async def current_revocations(app: FastAPI) -> AsyncIterator[None]:
    """Follows the revocations, as in a started application."""
    tokens = parts(app).access_tokens
    async with tokens.followed():
        for _ in range(TRIES):
            if tokens.revocations.is_current:
                break
            await asyncio.sleep(0.01)
        yield


@contextmanager
def statements_of(app: FastAPI) -> Iterator[list[str]]:
    """The statements that the application's connections execute."""
    statements: list[str] = []
    engine = parts(app).database.engine.sync_engine

    def add(*arguments: Any) -> None:
        statements.append(arguments[2])

    event.listen(engine, "before_cursor_execute", add)
    with noted_statements(lambda statement, _: statements.append(statement)):
        yield statements
    event.remove(engine, "before_cursor_execute", add)


@contextmanager
def noted_statements(note: Callable[[str, dict[str, Any]], None]) -> Iterator[None]:
    """Call `note` with each statement that does not pass through SQLAlchemy, and its values."""
    fetch = Statements.fetch

    async def noted(self: Statements, statement: str, **values: Any) -> list[dict[str, Any]]:
        note(statement, values)
        return await fetch(self, statement, **values)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Statements, "fetch", noted)
        yield


async def forget_failures(app: FastAPI) -> None:
    """Remove the counts of failed log-ins, for tests of applications and processes with the installation's own secret."""
    async with parts(app).database.session() as session:
        await session.execute(text("DELETE FROM app.log_in_counts"))
