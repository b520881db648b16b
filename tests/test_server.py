"""The API's process: it waits for its database, and finishes what it has begun before it ends."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx2
import psycopg
import pytest

from api.kernel.startup import DatabaseMissing, wait_for_database
from cli.local.ports import HOST, free_port
from cli.local.services import child_environment
from tests.databases import WITHOUT_RATE_LIMITS
from tests.factories.campaigns import make_world
from tests.factories.clocks import GIVE_UP_AFTER_S, until
from tests.factories.containers import forget_failures
from tests.factories.users import PASSWORD, bearer, commit_user

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from fastapi import FastAPI
    from httpx2 import AsyncClient
    from pydantic import PostgresDsn

    from settings import Settings


class Process:
    """A running API and its log."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process, self.port, self._log = process, port, log
        self.url = f"http://{HOST}:{port}"

    def said(self) -> list[dict[str, Any]]:
        """The lines of its log so far."""
        lines = self._log.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def is_listening(self) -> bool:
        with socket.socket() as trial:
            return trial.connect_ex((HOST, self.port)) == 0

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self._log.read_text()
        return self.is_listening() and httpx2.get(f"{self.url}/health/ready").status_code == 200


@contextmanager
def api_process(settings: Settings, folder: Path, **variables: str) -> Iterator[Process]:
    """An API process of these settings, with further variables of its environment; it is killed at the end."""
    port, log = free_port(), folder / "api.log"
    given = {
        **WITHOUT_RATE_LIMITS,
        "jwt_secret": settings.auth.signing_secret.decode(),
        "app_password": settings.database.role_password("app"),
        "log_format": "json",
    }
    environment = {f"IDEAMINT_{name.upper()}": value for name, value in given.items()}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "api.server", "--port", str(port)],
            env={**child_environment(settings), **environment, **variables},
            cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        yield Process(process, port, log)
    finally:
        process.kill()
        process.wait()


def with_port(url: PostgresDsn | None, port: int) -> PostgresDsn:
    """The same database at another port."""
    assert url is not None
    return type(url)(f"postgresql://{HOST}:{port}{url.path}")


class TestStop:
    async def test_finishes_requests_and_coin_commands(
        self, application: FastAPI, client: AsyncClient, database: Settings, admin_url: str, tmp_path: Path
    ) -> None:
        world = await make_world(application, client, members=1)
        idea = await world.submit(world.manager)
        member = world.members[0]
        headers = {**await world.headers(member), "Idempotency-Key": "k"}
        path = f"/api/v1/campaigns/{world.campaign_id}/coins/allocate"
        body = {"idea_id": str(idea), "coins": 3}
        with api_process(database, tmp_path, IDEAMINT_LEDGER_DEADLINE_MS="60000") as api:
            await asyncio.to_thread(until, api.is_ready)
            async with (
                httpx2.AsyncClient(base_url=api.url, timeout=GIVE_UP_AFTER_S) as http,
                await psycopg.AsyncConnection.connect(admin_url) as locking,
            ):
                # the ledger passes over a wallet that is locked, and tries again
                await locking.execute(
                    "SELECT id FROM app.coin_accounts WHERE campaign_id = %s AND user_id = %s FOR UPDATE",
                    (world.campaign_id, member.id),
                )
                (since,) = await (await locking.execute("SELECT clock_timestamp()")).fetchone() or (None,)
                command = asyncio.create_task(http.post(path, headers=headers, json=body))
                await self._until_tried(admin_url, since)
                api.process.send_signal(signal.SIGTERM)
                await asyncio.to_thread(until, lambda: not api.is_listening())
                assert not command.done()
                assert api.process.poll() is None
                await locking.rollback()
                moved = await command
            assert (moved.status_code, moved.headers["connection"]) == (201, "close")
            assert await asyncio.to_thread(api.process.wait, GIVE_UP_AFTER_S) in {0, -signal.SIGTERM}
            assert [line["event"] for line in api.said() if line["level"] == "error"] == []
        assert (await world.balance(member))["wallet_coins"] == 97

    @staticmethod
    async def _until_tried(admin_url: str, since: datetime | None) -> None:
        """Until a batcher that connected after a moment has called the ledger."""
        statement = (
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'ideamint-coins' AND backend_start > %s "
            "AND query LIKE '%%coins_move%%'"
        )
        async with (
            asyncio.timeout(GIVE_UP_AFTER_S),
            await psycopg.AsyncConnection.connect(admin_url, autocommit=True) as watching,
        ):
            while (await (await watching.execute(statement, (since,))).fetchone()) == (0,):  # noqa: ASYNC110 - of another process
                await asyncio.sleep(0.02)


def lines_of(api: Process) -> list[dict[str, Any]]:
    """The lines of its requests, except those of the readiness."""
    return [line for line in api.said() if line["event"] == "request" and line["route"] != "/health/ready"]


class TestLog:
    async def test_has_one_line_for_each_request_and_no_value_of_it(
        self, application: FastAPI, database: Settings, tmp_path: Path
    ) -> None:
        user = await commit_user(application, password=PASSWORD)
        headers = await bearer(application, user)
        await forget_failures(application)
        secret = "a-secret-in-the-query"
        with api_process(database, tmp_path) as api:
            await asyncio.to_thread(until, api.is_ready)
            async with httpx2.AsyncClient(base_url=api.url) as http:
                tokens = (
                    await http.post("/api/v1/auth/login", json={"email": user.email, "password": PASSWORD})
                ).json()
                await http.get(f"/verify-email?token={secret}")
                await http.get(f"/api/v1/campaigns/{uuid4()}?q={secret}", headers=headers | {"X-Request-ID": "mine"})
                await http.get(f"/{secret}")
                await http.head("/api/v1/users/me", headers=headers)
            await asyncio.to_thread(until, lambda: len(lines_of(api)) == 5)  # a line follows its response
            lines = lines_of(api)
            said = (tmp_path / "api.log").read_text()
        assert [(line["method"], line["route"], line["status"]) for line in lines] == [
            ("POST", "/api/v1/auth/login", 200),
            ("GET", "/verify-email", 200),
            ("GET", "/api/v1/campaigns/{campaign_id}", 422),
            ("GET", None, 404),
            ("HEAD", "/api/v1/users/me", 200),
        ]
        assert {line["level"] for line in lines} == {"info"}
        assert all(line["duration_ms"] >= 0 and line["request_id"] for line in lines)
        assert lines[2]["request_id"] == "mine"
        assert [line.get("user_id") for line in lines] == [None, None, None, None, str(user.id)]
        values = (
            secret,
            PASSWORD,
            user.email,
            tokens["access_token"],
            tokens["refresh_token"],
            headers["Authorization"],
        )
        assert [value for value in values if str(value) in said] == []


class TestStart:
    def test_waits_for_the_database(self, database: Settings, tmp_path: Path) -> None:
        """The database appears at its address after the process has begun to wait."""
        port = free_port()
        away = database.with_(database_url=with_port(database.database.url, port))
        with api_process(away, tmp_path, IDEAMINT_DB_WAIT_S="600") as api:
            until(lambda: any(line["event"] == "waiting for the database" for line in api.said()))
            assert not api.is_listening()
            with forwarding(port, database):
                until(api.is_ready)
                waited = next(line for line in api.said() if line["event"] == "waiting for the database")
        assert (waited["level"], waited["gives_up_after_s"]) == ("warning", 600)
        assert "Connection refused" in waited["error"]

    def test_ends_with_the_reason_if_there_is_none(self, database: Settings, tmp_path: Path) -> None:
        away = database.with_(database_url=with_port(database.database.url, free_port()))
        with api_process(away, tmp_path, IDEAMINT_DB_WAIT_S="0") as api:
            assert api.process.wait(GIVE_UP_AFTER_S) == 1
            said = (tmp_path / "api.log").read_text()
        assert "the database accepted no log-in within 0 s: " in said
        assert "Traceback" not in said
        assert database.database.role_password("app") not in said

    def test_does_not_wait_for_one_that_answers(self, database: Settings) -> None:
        wait_for_database(database.with_(db_wait_s=0).database)

    def test_a_wrong_password_is_a_reason(self, database: Settings) -> None:
        with pytest.raises(DatabaseMissing, match="password authentication failed"):
            wait_for_database(database.with_(db_wait_s=0, app_password="wrong" * 8).database)


@contextmanager
def forwarding(port: int, database: Settings) -> Iterator[None]:
    """Connections to the port reach the database."""
    assert database.database.url is not None
    target = database.database.url.hosts()[0]
    code = (
        "import asyncio, sys\n"
        "async def pipe(r, w):\n"
        "    while data := await r.read(65536):\n"
        "        w.write(data)\n"
        "        await w.drain()\n"
        "    w.close()\n"
        "async def serve(r, w):\n"
        "    r2, w2 = await asyncio.open_connection(sys.argv[2], int(sys.argv[3]))\n"
        "    await asyncio.gather(pipe(r, w2), pipe(r2, w))\n"
        "async def main():\n"
        "    async with await asyncio.start_server(serve, '127.0.0.1', int(sys.argv[1])) as server:\n"
        "        await server.serve_forever()\n"
        "asyncio.run(main())\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(port), str(target["host"]), str(target["port"])])
    try:
        yield
    finally:
        process.kill()
        process.wait()
