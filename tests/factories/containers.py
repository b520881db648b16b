"""The objects of an application under test."""

from __future__ import annotations

import dataclasses
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import QueuePool

from api.container import Container
from api.kernel.container import container_of

if TYPE_CHECKING:
    from collections.abc import Iterator

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
