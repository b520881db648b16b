"""Restarts of the embedded PostgreSQL after a real kill."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable

import psycopg
import pytest
import pytest_asyncio
from pydantic import PostgresDsn

from cli.local import cluster, database_watchdog, postgres, postmaster
from cli.local.database_watchdog import DatabaseWatchdog
from cli.local.supervisor import ServiceFailed
from settings import Settings
from tests.factories.clocks import GIVE_UP_AFTER_S


@pytest.fixture
def serving(installation: Settings) -> Settings:
    """Settings of an installation whose server runs."""
    return postgres.ensure(installation)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_watchdog, "DEATHS_WINDOW_S", 3600.0)  # a slow machine needs long for five starts
    monkeypatch.setattr(database_watchdog, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(database_watchdog, "CHECK_INTERVAL_S", 0.02)


@pytest_asyncio.fixture
async def keeping(serving: Settings, said: list[str]) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(DatabaseWatchdog(serving, said.append).run())
    yield task
    task.cancel()
    await asyncio.wait({task})


def kill_postmaster(settings: Settings) -> None:
    process = postmaster.find(settings.paths.data_dir / "postgres")
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)


def answers(settings: Settings) -> bool:
    try:
        psycopg.connect(settings.database.role_url("app"), connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


async def until(condition: Callable[[], bool], keeping: asyncio.Task[None]) -> None:
    async with asyncio.timeout(GIVE_UP_AFTER_S):
        while not condition():
            assert not keeping.done()
            await asyncio.sleep(0.02)


def times_back(said: list[str]) -> int:
    return sum(line.startswith("PostgreSQL is running again after") for line in said)


class TestRun:
    async def test_restarts_a_killed_server_at_the_same_address(
        self, serving: Settings, keeping: asyncio.Task[None], said: list[str]
    ) -> None:
        for deaths in (1, 2):
            kill_postmaster(serving)
            await until(lambda deaths=deaths: times_back(said) == deaths, keeping)  # type: ignore[misc]
            assert answers(serving)

        assert said[0].startswith("PostgreSQL died; restarting it. Log: ")
        assert said[2].startswith("PostgreSQL died; restarting it in ")

    async def test_ignores_a_stopped_server_until_it_is_started_again(
        self, serving: Settings, keeping: asyncio.Task[None], said: list[str]
    ) -> None:
        loaded = serving.with_(database_url=None)
        await asyncio.to_thread(postgres.stop, loaded)
        assert not postgres.is_lost(serving)
        await asyncio.sleep(10 * database_watchdog.CHECK_INTERVAL_S)
        assert said == []

        await asyncio.to_thread(postgres.ensure, loaded)
        kill_postmaster(serving)

        await until(lambda: times_back(said) == 1, keeping)
        assert answers(serving)

    async def test_gives_up_at_the_fifth_death_within_the_window(
        self, serving: Settings, keeping: asyncio.Task[None], said: list[str]
    ) -> None:
        for deaths in range(1, database_watchdog.DEATHS_MAX):
            kill_postmaster(serving)
            await until(lambda deaths=deaths: times_back(said) == deaths, keeping)  # type: ignore[misc]
        kill_postmaster(serving)

        with pytest.raises(ServiceFailed, match="PostgreSQL died 5 times within 3600 s"):
            await asyncio.wait_for(keeping, GIVE_UP_AFTER_S)

    async def test_fails_with_the_log_of_a_server_that_does_not_start(
        self, serving: Settings, keeping: asyncio.Task[None]
    ) -> None:
        configuration_file = serving.paths.data_dir / "postgres" / "postgresql.conf"
        whole = configuration_file.read_text()
        configuration_file.write_text(whole + "\nshared_buffers = nonsense\n")
        kill_postmaster(serving)

        with pytest.raises(ServiceFailed, match="PostgreSQL does not start") as failure:
            await asyncio.wait_for(keeping, GIVE_UP_AFTER_S)
        assert "nonsense" in failure.value.last_lines or "shared_buffers" in failure.value.last_lines


class TestRestartLost:
    def test_uses_the_port_that_the_services_know(self, serving: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(cluster, "TIMEOUT_S", 1)
        port = PostgresDsn(str(serving.database.url)).hosts()[0]["port"]
        kill_postmaster(serving)
        postmaster.end_orphans(serving.paths.data_dir / "postgres")
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind((postgres.HOST, port))
            taken.listen()

            with pytest.raises(postgres.ServerError, match="in use"):
                postgres.restart_lost(serving)

        assert postgres.restart_lost(serving)
        assert answers(serving)
        assert not postgres.restart_lost(serving)

    def test_reports_a_server_that_runs_at_another_port(self, serving: Settings) -> None:
        elsewhere = serving.with_(database_url=PostgresDsn(f"postgresql://{postgres.HOST}:1/ideamint"))

        with pytest.raises(postgres.ServerError, match="was restarted at port"):
            postgres.restart_lost(elsewhere)
