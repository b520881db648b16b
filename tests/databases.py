"""Fixtures of the database and of the application on it.

One PostgreSQL server serves a test run, and each worker has a database of its own, copied from a migrated template.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import tempfile
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
import pytest_asyncio
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

import settings as configuration
from cli.local import databases, postgres
from pipelines import warehouse
from tests.factories import redis_servers
from tests.factories.containers import parts, replaced
from tests.factories.redis_servers import RedisServer
from tests.factories.warehouse import create_database
from tests.run_folder import ELECTIONS_VARIABLE, RUN_DIR, exclusive

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from fastapi import FastAPI

    from api.kernel.db import Database
    from settings import Settings

# A test calls as one member more often than people do. Tests of the rate limits make applications that have them.
WITHOUT_RATE_LIMITS = dict.fromkeys(
    (
        "requests_per_caller",
        "searches_per_caller",
        "figures_per_caller",
        "comments_per_caller",
        "uploads_per_caller",
        "log_ins_per_address",
        "coin_commands_per_member",
        "coin_commands_per_campaign",
        "coin_reads_per_member",
        "coin_figures_per_member",
        "registrations_per_address",
        "registrations_per_installation",
        "account_mails_per_address",
    ),
    "off",
)


@pytest.fixture(scope="session")
def worker(request: pytest.FixtureRequest) -> str:
    """Name of this worker: gw0, gw1, ..., or `main` without xdist."""
    workerinput: dict[str, str] = getattr(request.config, "workerinput", {})
    return workerinput.get("workerid", "main")


@pytest.fixture(scope="session")
def elections() -> Path:
    """Folder of the real elections; a test that needs them is skipped where there is none."""
    folder = os.environ.get(ELECTIONS_VARIABLE)
    if not folder:
        pytest.skip(f"{ELECTIONS_VARIABLE} is not set")
    return Path(folder)


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Iterator[Settings]:
    """The embedded PostgreSQL of this run; its database `ideamint` is migrated and serves as the template."""
    run_dir = request.config.stash[RUN_DIR]
    with ExitStack() as until_the_end:
        with exclusive(run_dir, "postgres"):
            server = until_the_end.enter_context(postgres.running(_server_settings(run_dir / "data")))
            postgres.migrate(server)
        yield server


@pytest.fixture(scope="module")
def server_of_its_own(request: pytest.FixtureRequest, worker: str) -> Iterator[Settings]:
    """An embedded PostgreSQL of one module, migrated.

    It is for transactions of minutes: they hold back the watermark of events, which is that of the whole server, and so
    every test that waits for it.
    """
    folder = request.config.stash[RUN_DIR] / f"server-{worker}"
    with postgres.running(_server_settings(folder)) as server:
        postgres.migrate(server)
        yield server


def _server_settings(data_dir: Path) -> Settings:
    return configuration.load(
        env_file=None,
        env="test",
        data_dir=data_dir,
        log_level="WARNING",
        public_hosts="testserver",
        statement_timeout_ms=120_000,  # a statement may take long on a machine that does much else
        **WITHOUT_RATE_LIMITS,
    )


@pytest.fixture(scope="session")
def demo_template(server: Settings) -> str:
    """Name of a database with the demo, to be copied; it is created once in a run."""
    from tests.factories import demos

    return demos.template(server)


@pytest.fixture(scope="session")
def manifest(request: pytest.FixtureRequest) -> Path:
    """The manifest of the dbt project, parsed once in a run."""
    run_dir = request.config.stash[RUN_DIR]
    with exclusive(run_dir, "manifest"):
        parsed = run_dir / "manifest" / "manifest.json"
        return parsed if parsed.exists() else warehouse.parse(parsed.parent)


@pytest.fixture(scope="session")
def database(server: Settings, worker: str, request: pytest.FixtureRequest) -> Settings:
    """Settings that point to this worker's freshly migrated database. What a test commits there stays."""
    data_dir = request.config.stash[RUN_DIR] / worker
    return create_database(server, f"ideamint_{worker}", dagster_database=f"dagster_{worker}", data_dir=data_dir)


@pytest.fixture(scope="session")
def admin_url(server: Settings, database: Settings) -> str:
    """libpq URL of this worker's database with the server's superuser."""
    name = databases.database_name(str(database.database.url))
    return databases.with_database(postgres.admin_url(server), name)


@pytest_asyncio.fixture(scope="session")
async def application(database: Settings) -> AsyncIterator[FastAPI]:
    """The API on this worker's database, started as a server would start it."""
    from api.main import create_app

    app = create_app(database)
    async with running(app):
        yield app


@pytest_asyncio.fixture
async def running_worker(database: Settings, admin_url: str) -> AsyncIterator[None]:
    """A worker on this worker's database in this process, as `ideamint worker` runs one; API processes run no loops.

    It does not run the jobs of earlier tests, which are thousands.
    """
    from api.worker import working

    # the triggers of the queue name its tables without their schema
    with psycopg.connect(admin_url, autocommit=True, options="-c search_path=jobs") as connection:
        connection.execute("DELETE FROM procrastinate_jobs WHERE status = 'todo'")
    async with inside_one_task(working(database)):
        yield


@pytest_asyncio.fixture
async def client(application: FastAPI) -> AsyncIterator[AsyncClient]:
    """An HTTP client of the API; what it writes is committed. Failed log-ins of other tests do not delay its own."""
    from api.auth.throttle import LogInDelays

    transport = ASGITransport(app=application, raise_app_exceptions=False)
    with replaced(application, log_in_delays=LogInDelays(secrets.token_bytes(32))):
        async with AsyncClient(transport=transport, base_url="http://testserver") as client:
            yield client


@pytest_asyncio.fixture
async def db(database: Settings) -> AsyncIterator[Database]:
    """A pool on this worker's database without an application around it; what is written there is committed."""
    from api.kernel.db import Database

    pool = Database(database.database)
    yield pool
    await pool.close()


@pytest_asyncio.fixture
async def session(application: FastAPI) -> AsyncIterator[AsyncSession]:
    """A session whose work is rolled back after the test; commits inside it only release savepoints."""
    async with parts(application).database.engine.connect() as connection:
        transaction = await connection.begin()
        async with AsyncSession(
            connection, expire_on_commit=False, join_transaction_mode="create_savepoint"
        ) as session:
            yield session
            await session.flush()
            # A deferred constraint fires at COMMIT only, which never comes.
            await connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        await transaction.rollback()


@pytest.fixture
def redis_server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """A Redis of the test's own, running; a test that needs one is skipped where it is not installed."""
    if not redis_servers.is_installed():
        pytest.skip(f"{redis_servers.PROGRAM} is not installed")
    with tempfile.TemporaryDirectory(prefix="redis-", dir=request.config.stash[RUN_DIR]) as folder:
        server = RedisServer(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()


def running(app: FastAPI) -> AbstractAsyncContextManager[None]:
    """Start and stop an application."""
    return inside_one_task(app.router.lifespan_context(app))


@asynccontextmanager
async def inside_one_task(context: AbstractAsyncContextManager[object]) -> AsyncIterator[None]:
    """Enter and leave a context inside one task, as task groups demand and as fixtures do not."""
    started, stopping = asyncio.Event(), asyncio.Event()

    async def serve() -> None:
        async with context:
            started.set()
            await stopping.wait()

    serving = asyncio.create_task(serve())
    waiting = asyncio.create_task(started.wait())
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        waiting.cancel()
        await serving
    yield
    stopping.set()
    await serving
