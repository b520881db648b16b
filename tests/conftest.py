"""One real PostgreSQL a run, a database of its own for each worker, and the application on top of it."""

from __future__ import annotations

import asyncio
import fcntl
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
import pytest_asyncio
from httpx import ASGITransport, AsyncClient
from psycopg import sql
from pydantic import PostgresDsn
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

import settings as configuration
from cli.local import databases, postgres
from tests.factories import redis_servers
from tests.factories.redis_servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from fastapi import FastAPI

    from api.kernel.db import Database
    from settings import Settings

ELECTIONS_VARIABLE = "IDEAMINT_TEST_ELECTIONS"
RUN_DIR = pytest.StashKey[Path]()
# a test calls as one member more often than people do; those of the limits make applications that have them
WITHOUT_RATE_LIMITS = dict.fromkeys(
    ("coin_commands_per_member", "coin_commands_per_campaign", "coin_reads_per_member", "coin_figures_per_member"),
    "off",
)
CARETAKER = pytest.StashKey["subprocess.Popen[bytes]"]()

# Lives as long as the run holds the other end of its stdin, and so outlives even a killed run, to clear up after it.
CARE = """
import contextlib, os, shutil, signal, sys
from pathlib import Path
from tests.factories.containers import parts
sys.stdin.read()
for pid_file in Path(sys.argv[1]).glob("*/redis.pid"):
    with contextlib.suppress(OSError, ValueError):
        os.kill(int(pid_file.read_text()), signal.SIGKILL)
data_dir = Path(sys.argv[1]) / "data"
if (data_dir / "postgres" / "postmaster.pid").exists():
    import settings
    from cli.local import postgres
    postgres.stop(settings.load(env_file=None, env="test", data_dir=data_dir))
shutil.rmtree(sys.argv[1], ignore_errors=True)
"""


class RunFolder:
    """The folder of a test run, made before the workers start and removed after the last has ended."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: pytest.Item) -> None:
        node.workerinput["run_dir"] = str(node.config.stash[RUN_DIR])  # type: ignore[attr-defined]


def pytest_configure(config: pytest.Config) -> None:
    # What the caller has in the environment or in .env is none of a test's business.
    for name in [name for name in os.environ if name.startswith(configuration.PREFIX) and name != ELECTIONS_VARIABLE]:
        del os.environ[name]
    if hasattr(config, "workerinput"):
        config.stash[RUN_DIR] = Path(config.workerinput["run_dir"])
    else:
        config.stash[RUN_DIR] = Path(tempfile.mkdtemp(prefix="ideamint-test-"))
        config.stash[CARETAKER] = subprocess.Popen(
            [sys.executable, "-c", CARE, config.stash[RUN_DIR]],
            stdin=subprocess.PIPE,
            cwd=config.rootpath,
            start_new_session=True,
        )
        # PostgreSQL does not run as root: the account that it runs as has to pass through
        config.stash[RUN_DIR].chmod(0o711)
        config.pluginmanager.register(RunFolder())


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where the checks are run before a change is taken, a skipped test is a failed one."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") == "true" and reporter is not None and reporter.stats.get("skipped"):
        reporter.write_line(f"{len(reporter.stats['skipped'])} tests were skipped, and CI=true allows none", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_unconfigure(config: pytest.Config) -> None:
    if CARETAKER in config.stash:
        config.stash[CARETAKER].communicate()


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
    settings = configuration.load(
        env_file=None, env="test", data_dir=run_dir / "data", log_level="WARNING", **WITHOUT_RATE_LIMITS
    )
    with ExitStack() as until_the_end:
        with _one_at_a_time(run_dir):
            server = until_the_end.enter_context(postgres.running(settings))
            postgres.migrate(server)
        yield server


@pytest.fixture(scope="session")
def database(server: Settings, worker: str, request: pytest.FixtureRequest) -> Settings:
    """Settings that point to this worker's freshly migrated database. What a test commits there stays."""
    name = f"ideamint_{worker}"
    admin_url = databases.with_database(postgres.admin_url(server), name)
    settings = server.with_(
        database_url=PostgresDsn(databases.without_login(admin_url)),
        dagster_database=f"dagster_{worker}",
        data_dir=request.config.stash[RUN_DIR] / worker,
    )
    with (
        _one_at_a_time(request.config.stash[RUN_DIR]),
        psycopg.connect(databases.with_database(admin_url, "postgres"), autocommit=True) as connection,
    ):
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER ideamint_owner").format(
                sql.Identifier(name), sql.Identifier(postgres.DATABASE)
            )
        )
    databases.prepare(admin_url, settings)
    return settings


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
async def client(application: FastAPI) -> AsyncIterator[AsyncClient]:
    """An HTTP client of the API; what it writes is committed."""
    transport = ASGITransport(app=application, raise_app_exceptions=False)
    async with AsyncClient(transport=transport, base_url="http://testserver") as client:
        yield client


@pytest_asyncio.fixture
async def db(database: Settings) -> AsyncIterator[Database]:
    """A pool on this worker's database without an application around it; what is written there is committed."""
    from api.kernel.db import Database

    pool = Database(database)
    yield pool
    await pool.close()


@pytest_asyncio.fixture
async def session(application: FastAPI) -> AsyncIterator[AsyncSession]:
    """A session whose work is rolled back after the test; commits inside it only release savepoints."""
    from tests.factories.containers import parts

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


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[None]:
    """Start and stop an application inside one task, as task groups demand and as fixtures do not."""
    started, stopping = asyncio.Event(), asyncio.Event()

    async def serve() -> None:
        async with app.router.lifespan_context(app):
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


@contextmanager
def _one_at_a_time(run_dir: Path) -> Iterator[None]:
    """Workers take turns: a template can be copied only while nobody is connected to it."""
    with (run_dir / "lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
