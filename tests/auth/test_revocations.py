"""Revocations: that each way to end a token reaches the memory of another process, and what happens while it is old."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import psycopg
import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from api.auth import lifecycle, revocations, sessions
from api.auth.handlers import delete_old_revocations
from api.auth.models import User
from api.auth.revocations import Revocations
from api.auth.tokens import Claims
from api.kernel.db import Database
from settings import Settings
from tests.factories.clocks import TRIES, Clock
from tests.factories.containers import parts
from tests.factories.users import make_user

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI


class Process:
    """The revocations of a second process, which is read when a test says so."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self.clock = Clock()
        self.revocations = Revocations(database, self.clock)
        self.since = 0

    async def read(self, connection: psycopg.AsyncConnection) -> None:
        self.since = await self.revocations.read(connection, self.since)


@pytest_asyncio.fixture
async def connection(db: Database) -> AsyncIterator[psycopg.AsyncConnection]:
    async with await psycopg.AsyncConnection.connect(db.url, autocommit=True) as connection:
        yield connection


@pytest_asyncio.fixture
async def process(db: Database, database: Settings, connection: psycopg.AsyncConnection) -> Process:
    process = Process(db, database)
    await process.read(connection)
    return process


async def log_in(db: Database, settings: Settings, user_id: UUID | None = None) -> Claims:
    async with db.session() as session:
        user = await session.get_one(User, user_id) if user_id else await make_user(session)
        issued = await sessions.start_session(session, settings, user.id, kind="token")
    assert issued is not None
    return Claims(user.id, issued.session_id, frozenset(), frozenset(), issued.user.token_version, 0.0, "kid")


class TestIsRevoked:
    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE app.users SET is_active = false WHERE id = :user",
            "UPDATE app.users SET roles = '{executive}' WHERE id = :user",
            "UPDATE app.users SET permissions = '{create_campaign}' WHERE id = :user",
            "UPDATE app.users SET token_version = token_version + 1 WHERE id = :user",
            "UPDATE app.sessions SET revoked_at = now() WHERE id = :session",
            "DELETE FROM app.sessions WHERE id = :session",
        ],
    )
    async def test_after_each_statement_that_revokes(
        self,
        db: Database,
        database: Settings,
        process: Process,
        connection: psycopg.AsyncConnection,
        statement: str,
    ) -> None:
        claims, other = await log_in(db, database), await log_in(db, database)
        assert not await process.revocations.is_revoked(claims)
        async with db.session() as session:
            await session.execute(text(statement), {"user": claims.user_id, "session": claims.session_id})
        await process.read(connection)
        assert await process.revocations.is_revoked(claims)
        assert not await process.revocations.is_revoked(other)

    @pytest.mark.parametrize("column", ["display_name", "email"])
    async def test_not_after_other_changes(
        self, db: Database, database: Settings, process: Process, connection: psycopg.AsyncConnection, column: str
    ) -> None:
        claims = await log_in(db, database)
        async with db.session() as session:
            statement = text(f"UPDATE app.users SET {column} = 'changed-' || id || '@example.org' WHERE id = :user")
            await session.execute(statement, {"user": claims.user_id})
        await process.read(connection)
        assert not await process.revocations.is_revoked(claims)

    async def test_a_later_log_in_is_valid(
        self, db: Database, database: Settings, process: Process, connection: psycopg.AsyncConnection
    ) -> None:
        earlier = await log_in(db, database)
        async with db.session() as session:
            await lifecycle.end_all_sessions(session, await session.get_one(User, earlier.user_id), actor_id=None)
        later = await log_in(db, database, earlier.user_id)
        await process.read(connection)
        assert [await process.revocations.is_revoked(each) for each in (earlier, later)] == [True, False]

    async def test_finds_what_commits_after_a_later_transaction(
        self, db: Database, database: Settings, process: Process, connection: psycopg.AsyncConnection
    ) -> None:
        slow, quick = await log_in(db, database), await log_in(db, database)
        async with db.session() as waiting:
            await sessions.end_session(waiting, slow.session_id, user_id=slow.user_id)
            async with db.session() as session:
                await sessions.end_session(session, quick.session_id, user_id=quick.user_id)
            await process.read(connection)
            process.revocations._changed_at = 0.0  # only the memory counts here
            assert [await process.revocations.is_revoked(each) for each in (slow, quick)] == [False, True]
        await process.read(connection)
        assert await process.revocations.is_revoked(slow)

    async def test_a_complete_reading_has_the_last_token_lifetime(
        self, db: Database, database: Settings, connection: psycopg.AsyncConnection
    ) -> None:
        claims = await log_in(db, database)
        async with db.session() as session:
            await sessions.end_session(session, claims.session_id, user_id=claims.user_id)
        started = Process(db, database)
        await started.read(connection)
        assert await started.revocations.is_revoked(claims)

    async def test_asks_the_database_while_the_memory_is_old(
        self, db: Database, database: Settings, process: Process
    ) -> None:
        claims = await log_in(db, database)
        process.clock.now_s += revocations.AGE_MAX_S
        assert process.revocations.is_current
        process.clock.now_s += 0.01
        assert not process.revocations.is_current
        assert not await process.revocations.is_revoked(claims)
        async with db.session() as session:
            await sessions.end_session(session, claims.session_id, user_id=claims.user_id)
        assert await process.revocations.is_revoked(claims)

    async def test_fails_if_the_memory_is_old_and_the_database_does_not_answer(self, database: Settings) -> None:
        unreachable = Database(database.with_(database_url="postgresql://127.0.0.1:1/ideamint").database)
        found = Revocations(unreachable)
        with pytest.raises(OperationalError):
            await found.is_revoked(Claims(uuid4(), uuid4(), frozenset(), frozenset(), 0, 0.0, "kid"))
        await unreachable.close()

    async def test_forgets_what_no_valid_token_can_have(
        self, db: Database, database: Settings, process: Process, connection: psycopg.AsyncConnection
    ) -> None:
        claims = await log_in(db, database)
        async with db.session() as session:
            user = await session.get_one(User, claims.user_id)
            await lifecycle.end_all_sessions(session, user, actor_id=None)
        await process.read(connection)
        assert process.revocations._sessions
        assert process.revocations._versions
        process.clock.now_s += revocations.KEPT_S + 1
        process.since = 2**62
        await process.read(connection)
        assert not process.revocations._sessions
        assert not process.revocations._versions


class TestFollowed:
    async def test_reads_again_after_its_connection_was_lost(self, application: FastAPI, admin_url: str) -> None:
        container = parts(application)
        claims = await log_in(container.database, container.settings)
        found = Revocations(container.database)
        async with found.followed():
            await _until_current(found)
            async with await psycopg.AsyncConnection.connect(admin_url, autocommit=True) as connection:
                await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND query LIKE '%token_revocations%' AND pid <> pg_backend_pid()"
                )
                async with container.database.session() as session:
                    await sessions.end_session(session, claims.session_id, user_id=claims.user_id)
            await _until_current(found)
            assert claims.session_id in found._sessions


class TestCommitSignal:
    async def test_the_own_process_refuses_at_once(self, db: Database, database: Settings) -> None:
        found = Revocations(db)
        async with found.followed():
            claims = await log_in(db, database)
            await _until_current(found)
            async with db.session() as session:
                await sessions.end_session(session, claims.session_id, user_id=claims.user_id)
            assert not found.is_current
            assert await found.is_revoked(claims)

    async def test_a_rollback_revokes_nothing(self, db: Database, database: Settings) -> None:
        found = Revocations(db)
        async with found.followed():
            claims = await log_in(db, database)
            await _until_current(found)
            async with db.dry_run() as session:
                await sessions.end_session(session, claims.session_id, user_id=claims.user_id)
            assert not await found.is_revoked(claims)


class TestRights:
    @pytest.mark.parametrize(
        "statement", ["INSERT INTO app.token_revocations (user_id, token_version) VALUES ('{}', 1)"]
    )
    async def test_the_application_adds_none_itself(self, db: Database, statement: str) -> None:
        async with db.engine.connect() as connection:
            with pytest.raises(Exception, match="permission denied"):
                await connection.execute(text(statement.format(uuid4())))


class TestDeleteOldRevocations:
    async def test_keeps_those_of_valid_tokens(self, application: FastAPI, admin_url: str) -> None:
        container = parts(application)
        old, recent = [await log_in(container.database, container.settings) for _ in range(2)]
        async with container.database.session() as session:
            for claims in (old, recent):
                await sessions.end_session(session, claims.session_id, user_id=claims.user_id)
        async with await psycopg.AsyncConnection.connect(admin_url, autocommit=True) as connection:
            await connection.execute(
                "UPDATE app.token_revocations SET revoked_at = revoked_at - interval '1 day' WHERE session_id = %s",
                (old.session_id,),
            )
            await delete_old_revocations(container)
            kept = await (await connection.execute("SELECT session_id FROM app.token_revocations")).fetchall()
        assert (old.session_id,) not in kept
        assert (recent.session_id,) in kept


async def _until_current(found: Revocations) -> None:
    for _ in range(TRIES):
        if found.is_current:
            return
        await asyncio.sleep(0.02)
    pytest.fail("the revocations were not read")
