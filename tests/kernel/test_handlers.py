"""Periodic jobs: they delete only expired rows, and prepare partitions."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio

from api.auth.handlers import delete_ended_sessions
from api.container import Container, make_container
from api.domains import DOMAINS, FOUNDATION
from api.events.handlers import prepare_partitions
from api.kernel import db as kernel_db
from api.kernel.handlers import delete_expired_responses, delete_finished_jobs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from settings import Settings


@pytest_asyncio.fixture
async def container(database: Settings) -> AsyncIterator[Container]:
    container = make_container(database)
    yield container
    await container.close()


@pytest.fixture
def connection(admin_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(admin_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_db, "_DELETED_AT_ONCE", 2)


def left(connection: psycopg.Connection, statement: str, value: object) -> list[object]:
    return [row[0] for row in connection.execute(statement.encode(), (value,)).fetchall()]


@pytest.mark.usefixtures("few_at_once")
async def test_responses_are_deleted_after_seven_days(container: Container, connection: psycopg.Connection) -> None:
    user = uuid4()
    for key, age in (("a", "8 days"), ("b", "7 days 1 minute"), ("c", "30 days"), ("kept", "6 days 23 hours")):
        connection.execute(
            "INSERT INTO app.idempotent_responses "
            "(user_id, route, key, request_hash, status_code, headers, body, created_at) "
            "VALUES (%s, 'POST /x', %s, '', 201, '{}', '', now() - %s::interval)",
            (user, key, age),
        )
    assert await delete_expired_responses(container) >= 3
    assert left(connection, "SELECT key FROM app.idempotent_responses WHERE user_id = %s", user) == ["kept"]


@pytest.mark.usefixtures("few_at_once")
async def test_finished_jobs_are_deleted_after_seven_days(container: Container, connection: psycopg.Connection) -> None:
    name = f"job-{uuid4().hex}"
    for status, age, queue in (
        ("succeeded", "8 days", "old"), ("failed", "8 days", "old"), ("aborted", "8 days", "old"),
        ("succeeded", "6 days", "kept"), ("failed", "6 days", "kept"), ("todo", "30 days", "kept"),
        ("doing", "30 days", "kept"),
    ):  # fmt: skip
        row = connection.execute(
            "INSERT INTO jobs.procrastinate_jobs (queue_name, task_name, status) VALUES (%s, %s, %s) RETURNING id",
            (queue, name, status),
        )  # fmt: skip
        (job_id,) = row.fetchone() or (0,)
        connection.execute("SET search_path = jobs")
        connection.execute("DELETE FROM procrastinate_events WHERE job_id = %s", (job_id,))
        connection.execute(
            "INSERT INTO procrastinate_events (job_id, type, at) VALUES (%s, 'started', now() - %s::interval)",
            (job_id, age),
        )
    assert await delete_finished_jobs(container) >= 3
    statement = "SELECT queue_name FROM jobs.procrastinate_jobs WHERE task_name = %s"
    assert left(connection, statement, name) == ["kept"] * 4


@pytest.mark.usefixtures("few_at_once")
async def test_sessions_are_deleted_thirty_days_after_their_end(
    container: Container, connection: psycopg.Connection
) -> None:
    (user,) = connection.execute("INSERT INTO app.users (display_name) VALUES ('Ada') RETURNING id").fetchone() or (0,)
    for kind, expires, revoked in (
        ("browser", "31 days", None), ("browser", "40 days", "60 days"), ("browser", "90 days", "31 days"),
        ("token", "29 days", None), ("token", "60 days", "2 days"), ("token", "-10 days", "60 days"),
    ):  # fmt: skip
        connection.execute(
            "INSERT INTO app.sessions (user_id, kind, expires_at, revoked_at) "
            "VALUES (%s, %s, now() - %s::interval, now() - %s::interval)",
            (user, kind, expires, revoked),
        )
    assert await delete_ended_sessions(container) >= 3
    assert left(connection, "SELECT kind FROM app.sessions WHERE user_id = %s", user) == ["token"] * 3


async def test_missing_partitions_of_events_are_created(container: Container, connection: psycopg.Connection) -> None:
    newest = "SELECT max(relname::text) FROM pg_class WHERE relname ~ %s"
    (name,) = left(connection, newest, r"^events_\d{6}$")
    connection.execute(f"DROP TABLE app.{name}".encode())
    assert await prepare_partitions(container) == 1
    assert left(connection, newest, r"^events_\d{6}$") == [name]
    assert await prepare_partitions(container) == 0


def test_names_of_jobs_and_loops_are_unique() -> None:
    domains = (*FOUNDATION, *DOMAINS)
    for names in (
        [job.name for domain in domains for job in domain.jobs],
        [loop.name for domain in domains for loop in domain.background],
        [consumer.name for domain in domains for consumer in domain.consumers],
    ):
        assert len(names) == len(set(names))
    assert "delete_finished_jobs" in {job.name for domain in domains for job in domain.jobs}
