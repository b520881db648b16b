"""A separate installation for a proof, run by the product's supervisor, with a ledger for its clients."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import httpx2
import psycopg
import uvicorn
from fastapi import FastAPI
from pydantic import PostgresDsn
from starlette.types import ASGIApp

import settings as configuration
from api.kernel.db import Database
from api.main import create_app
from benchmarks.log_ins import issue_tokens
from cli.local import postgres, services
from cli.local.cluster import Cluster
from cli.local.database_watchdog import DatabaseWatchdog
from cli.local.ports import free_port
from cli.local.supervisor import Service, Supervisor
from settings import Settings
from tests.factories.clocks import GIVE_UP_AFTER_S
from tests.factories.ledgers import Ledger, make_ledger

# Settings of all processes of a proof, apart from the database.
API_SETTINGS: Mapping[str, str] = {
    "IDEAMINT_LOG_LEVEL": "WARNING",
    "IDEAMINT_COIN_COMMANDS_PER_MEMBER": "off",
    "IDEAMINT_COIN_COMMANDS_PER_CAMPAIGN": "off",
    "IDEAMINT_REQUESTS_PER_CALLER": "off",
    "IDEAMINT_SEARCHES_PER_CALLER": "off",
    "IDEAMINT_FIGURES_PER_CALLER": "off",
    "IDEAMINT_LOG_INS_PER_ADDRESS": "off",
}


@dataclass(frozen=True)
class Account:
    """A member's wallet and access token."""

    user_id: UUID
    token: str


@dataclass(frozen=True)
class Campaign:
    """A ledger whose members allocate to its one hot idea."""

    settings: Settings
    ledger: Ledger
    accounts: list[Account]

    @property
    def path(self) -> str:
        """Path of the allocation route."""
        return f"/api/v1/campaigns/{self.ledger.campaign_id}/coins/allocate"

    @property
    def idea_id(self) -> UUID:
        """The hot idea."""
        return self.ledger.ideas[1]

    def query(self, statement: str) -> list[tuple[object, ...]]:
        """Rows of a query with the campaign's id as its parameter."""
        with psycopg.connect(self.settings.database.role_url("app"), autocommit=True, connect_timeout=10) as connection:
            return connection.execute(statement.encode(), {"campaign": self.ledger.campaign_id}).fetchall()


async def make_campaign(settings: Settings, *, members: int, coins_per_member: int) -> Campaign:
    """Create a campaign in the database of `settings`."""
    database = Database(settings.database)
    try:
        async with database.session() as session:
            ledger = await make_ledger(session, members=members, ideas=2, coins_per_member=coins_per_member)
        tokens = await issue_tokens(settings, database, ledger.members)
    finally:
        await database.close()
    accounts = [Account(user_id, token) for user_id, token in zip(ledger.members, tokens, strict=True)]
    return Campaign(settings, ledger, accounts)


@dataclass(frozen=True)
class Installation:
    """Running PostgreSQL and API processes, and the supervisor's messages."""

    settings: Settings
    supervisor: Supervisor
    api_urls: list[str]
    messages: list[str]

    @property
    def cluster(self) -> Cluster:
        """The embedded server."""
        return Cluster(self.settings.paths.data_dir)

    def api_pid(self, number: int) -> int | None:
        """Current process id of an API; None while it is restarting."""
        return self._pid(f"api-{number}")

    @property
    def worker_pid(self) -> int | None:
        """Current process id of the worker; None while it is restarting."""
        return self._pid("worker")

    def _pid(self, name: str) -> int | None:
        child = self.supervisor._children.get(name)
        return child.process.pid if child else None


@contextmanager
def installed() -> Iterator[Settings]:
    """Settings of a new migrated installation whose embedded PostgreSQL runs with fsync on.

    Not in tmp_path, since the account of the server cannot enter it if root runs the tests.
    """
    with tempfile.TemporaryDirectory(prefix="ideamint-test-") as folder:
        Path(folder).chmod(0o711)
        loaded = configuration.load(
            env_file=None, env="development", data_dir=Path(folder) / "data", access_token_ttl_s=3600
        )
        try:
            settings = postgres.ensure(loaded)
            postgres.migrate(settings)
            yield settings
        finally:
            postgres.stop(loaded)


@asynccontextmanager
async def supervised(settings: Settings, *, apis: int) -> AsyncIterator[Installation]:
    """Run API processes, a worker and the database of `settings` under the supervisor, as `ideamint up` does."""
    messages: list[str] = []
    supervisor = Supervisor(settings.paths.data_dir / "logs", settings.paths.data_dir / "up.json", messages.append)
    ports = [free_port() for _ in range(apis)]
    ready = asyncio.Event()
    running = asyncio.create_task(
        supervisor.run(
            [
                *(api_service(settings, port, f"api-{number}") for number, port in enumerate(ports)),
                worker_service(settings),
            ],
            ready.set,
            [DatabaseWatchdog(settings, messages.append).run],
        )
    )
    try:
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait({running, waiting}, timeout=GIVE_UP_AFTER_S, return_when=asyncio.FIRST_COMPLETED)
        assert ready.is_set(), messages
        yield Installation(settings, supervisor, [f"http://127.0.0.1:{port}" for port in ports], messages)
        assert not running.done(), messages
    finally:
        waiting.cancel()
        supervisor.stop()
        await running


def api_service(settings: Settings, port: int, name: str) -> Service:
    """An API process as `ideamint up` starts it, on its own port, independent of a developer's .env."""
    (service,) = services.services(settings.with_(api_port=port), ["api"])
    return _independent(settings, replace(service, name=name))


def worker_service(settings: Settings) -> Service:
    """A worker process as `ideamint up` starts it, independent of a developer's .env."""
    (service,) = services.services(settings, ["worker"])
    return _independent(settings, service)


def _independent(settings: Settings, service: Service) -> Service:
    secrets = {
        f"{configuration.PREFIX}{name.upper()}": value.get_secret_value()
        for name, value in (("jwt_secret", settings.auth.jwt_secret), ("app_password", settings.database.app_password))
        if value is not None
    }
    own = {f"{configuration.PREFIX}ENV": settings.installation.environment.value, **secrets, **API_SETTINGS}
    return replace(service, environment={**service.environment, **own})


def through_port(settings: Settings, port: int) -> Settings:
    """The same database through another port and without encryption, so that a proxy can read the traffic."""
    parts = urlsplit(str(settings.database.url))
    url = parts._replace(netloc=f"127.0.0.1:{port}", query="sslmode=disable&gssencmode=disable").geturl()
    return settings.with_(database_url=PostgresDsn(url))


@asynccontextmanager
async def served(
    settings: Settings, around: Callable[[ASGIApp], ASGIApp] = lambda app: app
) -> AsyncIterator[tuple[FastAPI, str]]:
    """Serve the API on a real socket in this process; yields it with its URL. `around` wraps the application."""
    app = create_app(settings)
    server = uvicorn.Server(
        uvicorn.Config(
            around(app), host="127.0.0.1", port=0, access_log=False, server_header=False, log_level="warning"
        )
    )
    # not serve(), which replaces the signal handlers of pytest
    serving = asyncio.create_task(server._serve())
    try:
        await until(lambda: server.started or serving.done(), "the API")
        port: int = server.servers[0].sockets[0].getsockname()[1]
        yield app, f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await serving


async def until(condition: Callable[[], bool], what: str) -> None:
    """Poll a condition for a bounded time."""
    for _ in range(GIVE_UP_AFTER_S * 50):
        if condition():
            return
        await asyncio.sleep(0.02)
    msg = f"timed out waiting for {what}"
    raise AssertionError(msg)


async def until_ready(http: httpx2.AsyncClient, url: str) -> None:
    """Wait until an API is ready, for a bounded time."""
    async with asyncio.timeout(GIVE_UP_AFTER_S):
        while True:
            with contextlib.suppress(httpx2.TransportError):
                if (await http.get(f"{url}/health/ready")).status_code == 200:
                    return
            await asyncio.sleep(0.02)
