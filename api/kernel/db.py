"""The database: one engine per process, and sessions that commit only at the end of their block."""

from __future__ import annotations

import asyncio
import select
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, ClassVar
from uuid import UUID

import orjson
import psycopg
from psycopg.rows import dict_row
from sqlalchemy import CursorResult, DateTime, MetaData, Text, any_, event, literal, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from api.kernel import clock
from api.kernel.ids import uuid7

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from sqlalchemy import ColumnElement, TextClause

    from settings.database import DatabaseSettings

SCHEMA = "app"
NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

PrimaryKey = Annotated[UUID, mapped_column(primary_key=True, default=uuid7)]


class Model(DeclarativeBase):
    """A table in the schema `app`."""

    metadata = MetaData(schema=SCHEMA, naming_convention=NAMING_CONVENTION)
    type_annotation_map: ClassVar = {
        datetime: DateTime(timezone=True),
        str: Text(),
        list[str]: ARRAY(Text()),
        dict[str, Any]: JSONB(),
    }


class Edited:
    """Who created a row and who last changed it. `None` is the system, or a person who registered."""

    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    created_by: Mapped[UUID | None]
    updated_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)
    updated_by: Mapped[UUID | None]


# SQL may omit the schema of names; the functions of the job queue require this path
SEARCH_PATH = "app,jobs"
_DELETED_AT_ONCE = 5000
_SIGNALS = "signals"


class Database:
    """The connection pool of one process, logged in as `ideamint_app`."""

    def __init__(
        self,
        settings: DatabaseSettings,
        *,
        application_name: str = "ideamint-api",
        pool_size: int | None = None,
        pool_overflow: int | None = None,
    ) -> None:
        """The default pool sizes are those of the settings. No connection is opened before the first statement."""
        options = (
            f"-c search_path={SEARCH_PATH} -c timezone=UTC -c statement_timeout={settings.statement_timeout_ms} "
            f"-c lock_timeout={settings.lock_timeout_ms} -c idle_in_transaction_session_timeout=60000"
        )
        self.url = settings.role_url("app")
        self.connect_args: dict[str, Any] = {
            "options": options,
            "application_name": application_name,
            "connect_timeout": 10,
        }
        self.engine = create_async_engine(
            self.url.replace("postgresql://", "postgresql+psycopg://", 1),
            pool_size=settings.pool_size if pool_size is None else pool_size,
            max_overflow=settings.pool_overflow if pool_overflow is None else pool_overflow,
            hide_parameters=True,  # errors are logged, and parameters contain personal data and hashes
            connect_args=self.connect_args,
            json_serializer=lambda value: orjson.dumps(value).decode(),
            json_deserializer=orjson.loads,
        )
        event.listen(self.engine.sync_engine, "checkout", _replace_closed)
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False, autoflush=False)
        autocommit = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._readings = async_sessionmaker(autocommit, expire_on_commit=False, autoflush=False)
        self._on_commit: dict[str, list[Callable[[], None]]] = {}

    @asynccontextmanager
    async def session(self, *, statement_timeout_ms: int | None = None) -> AsyncIterator[AsyncSession]:
        """A session that commits when the block ends and rolls back when it raises.

        `statement_timeout_ms` replaces the setting for this transaction; 0 is no limit (imports, the demo).
        """
        async with self._sessions() as session:
            if statement_timeout_ms is not None:
                await session.execute(text(f"SET LOCAL statement_timeout = {statement_timeout_ms}"))
            try:
                yield session
            except BaseException:
                await session.rollback()
                raise
            await session.commit()
            for signal in session.info.get(_SIGNALS, ()):
                for call in self._on_commit.get(signal, ()):
                    call()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A session for reading in autocommit mode: each statement reads the rows of its own moment.

        It saves the round trips of BEGIN and COMMIT. :func:`begin_snapshot` begins a transaction where several statements
        must agree.
        """
        session = self._readings()
        try:
            yield session
        finally:
            if session.in_transaction():  # an unused one has nothing to close, which takes a quarter of a millisecond
                await asyncio.shield(session.close())

    @asynccontextmanager
    async def statements(self) -> AsyncIterator[Statements]:
        """Prepared statements in autocommit mode on one connection, for routes that are called very often.

        A statement of a session takes about a millisecond of the process; this takes a third of it
        (`benchmarks.routes`).
        """
        async with self.engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            yield await _statements(connection)

    def on_commit(self, signal: str, call: Callable[[], None]) -> None:
        """Call a function after each commit in this process for which :func:`signal_commit` named the signal."""
        self._on_commit.setdefault(signal, []).append(call)

    @asynccontextmanager
    async def dry_run(self) -> AsyncIterator[AsyncSession]:
        """A session that is rolled back after all checks of a commit, deferred constraints included."""
        async with self._sessions() as session:
            yield session
            await session.flush()
            await session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
            await session.rollback()

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncSession]:
        """A read-only session that reads one snapshot of the database."""
        async with self._sessions() as session:
            await begin_snapshot(session)
            yield session

    async def run_alone(self, statement: TextClause, *, statement_timeout_ms: int, **values: Any) -> Any:
        """Execute one statement in autocommit mode and return its only value.

        The server ends the transaction itself. A process that is paused between a statement and its COMMIT would keep
        the transaction open, and with it hold back the watermark of the whole server.
        """
        async with self.engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            try:
                await connection.execute(text(f"SET statement_timeout = {statement_timeout_ms}"))
                value = await connection.scalar(statement, values)
                await connection.execute(text("RESET statement_timeout"))
            except BaseException:
                await connection.invalidate()  # it may still have this timeout and must not return to the pool
                raise
        return value

    async def delete_in_parts(self, statement: TextClause, **values: Any) -> int:
        """Repeat a DELETE of at most `:rows_max` rows, each in its own transaction; returns the number of deleted rows.

        One long transaction would hold back the watermark, and with it all consumers of events.
        """
        total = 0
        while True:
            async with self.session() as session:
                result = await session.execute(statement, {**values, "rows_max": _DELETED_AT_ONCE})
                assert isinstance(result, CursorResult)
                total += result.rowcount
            if result.rowcount < _DELETED_AT_ONCE:
                return total

    async def close(self) -> None:
        """Close every pooled connection."""
        await self.engine.dispose()


class Statements:
    """Statements on a connection, whose parameters are written as `%(name)s`."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """`connection` is in autocommit mode."""
        self._connection = connection

    async def fetch(self, statement: str, **values: Any) -> list[dict[str, Any]]:
        """The rows of a statement, which the server prepares once per connection."""
        cursor = self._connection.cursor(binary=True, row_factory=dict_row)
        await cursor.execute(statement.encode(), values, prepare=True)
        return await cursor.fetchall()

    async def scalar(self, statement: str, **values: Any) -> Any:
        """The only column of the only row."""
        [row] = await self.fetch(statement, **values)
        [value] = row.values()
        return value


async def statements_of(session: AsyncSession) -> Statements:
    """Prepared statements on the connection, and in the transaction, of a session. What it has not flushed is not seen."""
    return await _statements(await session.connection())


async def _statements(connection: AsyncConnection) -> Statements:
    driver_connection = (await connection.get_raw_connection()).driver_connection
    assert isinstance(driver_connection, psycopg.AsyncConnection)
    return Statements(driver_connection)


def signal_commit(session: AsyncSession, signal: str) -> None:
    """Name a signal that this process receives when the session has committed, before the response is sent."""
    session.info.setdefault(_SIGNALS, set()).add(signal)


def is_among(column: Any, values: Iterable[Any]) -> ColumnElement[bool]:
    """Whether a column has one of the values, which are one parameter: a statement has at most 65,535 of them."""
    condition: ColumnElement[bool] = column == any_(literal(list(values), ARRAY(column.type)))
    return condition


async def begin_snapshot(session: AsyncSession) -> None:
    """End the session's transaction and begin a read-only one that reads one snapshot.

    For a route that has made its checks on this session. A second session would need a second connection, and requests
    that hold one connection while they wait for another can deadlock on the pool.
    """
    await session.commit()
    await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    await session.execute(text("SET TRANSACTION READ ONLY"))


def _replace_closed(dbapi_connection: Any, *_: Any) -> None:
    """Have the pool replace a connection that its server has closed.

    Nothing is to be read from an idle connection, except that it was closed. So a look at the socket replaces a round trip
    to the server for each request.

    Raises:
        DisconnectionError: the connection was closed; the pool opens a new one.
    """
    socket = dbapi_connection.driver_connection.pgconn.socket
    poll = select.poll()
    poll.register(socket, select.POLLIN)
    if poll.poll(0):
        raise DisconnectionError
