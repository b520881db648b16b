"""The worker: what it runs for which domains, in this process and as a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import text

from api.coins import service as coins
from api.coins.commands import settlements
from api.container import make_container
from api.domains import select_domains
from api.kernel.heartbeats import degraded
from api.main import create_app
from api.worker import make_loops
from tests.databases import running
from tests.factories.clocks import GIVE_UP_AFTER_S, TRIES
from tests.factories.containers import parts
from tests.factories.ledgers import make_ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.kernel.db import Database
    from settings import Settings

COINS_LOOPS = {"coins-settle", "coins-aggregate", "coins-seal"}


async def names_of_loops(settings: Settings, *services: str) -> set[str]:
    container = make_container(settings)
    names = [loop.name for loop in make_loops(container, select_domains(services))]
    await container.close()
    assert len(names) == len(set(names))
    return set(names)


class TestMakeLoops:
    async def test_of_all_domains(self, database: Settings) -> None:
        assert await names_of_loops(database) >= {"heartbeat", "jobs", "jobs-stalled"} | COINS_LOOPS

    async def test_of_some_domains(self, database: Settings) -> None:
        """Heartbeat and the kernel's jobs are those of every worker."""
        found = await names_of_loops(database, "auth")
        assert found >= {"heartbeat", "jobs"}
        assert found.isdisjoint(COINS_LOOPS)


class TestApi:
    async def test_runs_no_loops(self, database: Settings) -> None:
        loops = await names_of_loops(database)
        app = create_app(database)
        async with running(app):
            assert {task.get_name() for task in asyncio.all_tasks()}.isdisjoint(loops)
            assert parts(app).database.connect_args["application_name"] == "ideamint-api"


class TestWorking:
    @pytest.mark.usefixtures("running_worker")
    async def test_settles_and_is_seen(self, db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(settlements, "SETTLE_INLINE_MAX", 1)
        async with db.session() as session:
            ledger = await make_ledger(session, members=9)
            await coins.move_coins(session, [ledger.move(1, member=n, target=1) for n in range(1, 9)])
            await coins.close_targets(session, ledger.campaign_id, [ledger.ideas[1]], kind="return", actor_id=None)
        unfinished = text("SELECT count(*) FROM app.coin_settlements WHERE campaign_id = :id AND finished_at IS NULL")
        for _ in range(TRIES):
            async with db.engine.connect() as connection:
                left = await connection.scalar(unfinished, {"id": ledger.campaign_id})
                if left == 0 and await degraded(connection) == {}:
                    return
            await asyncio.sleep(0.02)
        pytest.fail("the worker did not settle, or was not seen")


@pytest.fixture
def process(database: Settings) -> Iterator[subprocess.Popen[str]]:
    process = start(database)
    yield process
    process.kill()
    process.communicate()


def start(settings: Settings, **variables: str) -> subprocess.Popen[str]:
    assert settings.database.app_password is not None
    assert settings.auth.jwt_secret is not None
    own = {
        "IDEAMINT_ENV": "test",
        "IDEAMINT_DATA_DIR": str(settings.paths.data_dir),
        "IDEAMINT_DATABASE_URL": str(settings.database.url),
        "IDEAMINT_APP_PASSWORD": settings.database.app_password.get_secret_value(),
        "IDEAMINT_JWT_SECRET": settings.auth.jwt_secret.get_secret_value(),
        "IDEAMINT_LOG_FORMAT": "json",
    }
    command = [sys.executable, "-m", "api.worker"]
    environment = {**os.environ, **own, **variables}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


class TestProcess:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
    def test_stops_cleanly(
        self, process: subprocess.Popen[str], database: Settings, admin_url: str, number: signal.Signals
    ) -> None:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if '"start_job"' in line or "Starting worker" in line:
                break
        with psycopg.connect(admin_url, autocommit=True) as connection:
            names = connection.execute("SELECT DISTINCT application_name FROM pg_stat_activity").fetchall()
            assert ("ideamint-worker",) in names
        process.send_signal(number)
        _, rest = process.communicate(timeout=GIVE_UP_AFTER_S)
        assert process.returncode == 0, said + rest
        assert "worker stopped" in rest
        assert "Traceback" not in said + rest

    def test_names_a_wrong_setting(self, database: Settings) -> None:
        process = start(database, IDEAMINT_SERVICES="nonsense")
        _, said = process.communicate(timeout=GIVE_UP_AFTER_S)
        assert process.returncode == 1
        assert "IDEAMINT_SERVICES: there is no domain 'nonsense'" in said
        assert "Traceback" not in said
