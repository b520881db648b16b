"""Heartbeats of workers, and what readiness reports without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio
from sqlalchemy import text

from api.kernel.heartbeats import Heartbeat, degraded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from httpx2 import AsyncClient

    from api.kernel.db import Database


@pytest_asyncio.fixture
async def without_heartbeats(db: Database) -> AsyncIterator[None]:
    """The database as if no worker had ever run; other tests may leave rows."""
    async with db.session() as session:
        await session.execute(text("DELETE FROM app.worker_heartbeats"))
    yield


async def move_back(db: Database, worker: str, seconds: float) -> None:
    async with db.session() as session:
        await session.execute(
            text(
                "UPDATE app.worker_heartbeats SET started_at = started_at - make_interval(secs => :s), "
                "seen_at = seen_at - make_interval(secs => :s) WHERE worker = :w"
            ),
            {"s": seconds, "w": worker},
        )


async def workers(db: Database) -> list[str]:
    async with db.session() as session:
        return list(await session.scalars(text("SELECT worker FROM app.worker_heartbeats ORDER BY worker")))


async def found(db: Database) -> dict[str, str]:
    async with db.engine.connect() as connection:
        return await degraded(connection)


class TestDegraded:
    async def test_reports_that_no_worker_was_ever_seen(self, db: Database, without_heartbeats: None) -> None:
        assert (await found(db))["worker"].startswith("missing: none was seen")

    async def test_reports_since_when_the_last_one_is_missing(
        self, db: Database, client: AsyncClient, without_heartbeats: None
    ) -> None:
        for worker, seconds in (("a:1", 40), ("b:2", 16)):
            await Heartbeat(worker).beat(db)
            await move_back(db, worker, seconds)
        async with db.session() as session:
            newest = await session.scalar(text("SELECT max(seen_at) FROM app.worker_heartbeats"))
        response = await client.get("/health/ready")
        assert (response.status_code, response.json()["status"]) == (200, "degraded")
        assert response.json()["checks"]["worker"]["detail"].startswith(f"missing since {newest:%Y-%m-%dT%H:%M:%SZ}")

    async def test_reports_nothing_while_one_worker_is_seen(self, db: Database, without_heartbeats: None) -> None:
        for worker in ("a:1", "b:2"):
            await Heartbeat(worker).beat(db)
        await move_back(db, "a:1", 3600)
        assert await found(db) == {}


class TestHeartbeat:
    async def test_keeps_the_start_of_its_process(self, db: Database, without_heartbeats: None) -> None:
        """A later process with the same id replaces it."""
        statement = text("SELECT started_at, seen_at FROM app.worker_heartbeats")
        seen = []
        first = Heartbeat("a:1")
        for heartbeat in (first, first, Heartbeat("a:1")):
            await heartbeat.beat(db)
            async with db.session() as session:
                seen.append((await session.execute(statement)).one())
        assert seen[0].started_at == seen[1].started_at < seen[2].started_at
        assert seen[0].seen_at < seen[1].seen_at < seen[2].seen_at

    async def test_removes_rows_of_workers_that_ended_long_ago(self, db: Database, without_heartbeats: None) -> None:
        for worker in ("a:1", "b:2"):
            await Heartbeat(worker).beat(db)
        await move_back(db, "a:1", 86400 + 1)
        await move_back(db, "b:2", 3600)
        await Heartbeat("c:3").beat(db)
        assert await workers(db) == ["b:2", "c:3"]
