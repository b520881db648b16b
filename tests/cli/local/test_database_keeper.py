"""Bringing the embedded PostgreSQL back, with a real server that is really killed."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio
from pydantic import PostgresDsn

import settings as configuration
from cli.local import cluster, database_keeper, postgres, postmaster
from cli.local.database_keeper import DatabaseKeeper
from cli.local.supervisor import ServiceFailed
from settings import Settings


@pytest.fixture
def serving() -> Iterator[Settings]:
    """Settings of a new installation whose server runs; not under tmp_path, which the server's account may not enter."""
    with tempfile.TemporaryDirectory(prefix="ideamint-test-") as folder:
        Path(folder).chmod(0o711)
        settings = configuration.load(env_file=None, env="test", data_dir=Path(folder) / "data")
        yield postgres.ensure(settings)
        postgres.stop(settings)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_keeper, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(database_keeper, "LOOK_EVERY_S", 0.02)


@pytest_asyncio.fixture
async def keeping(serving: Settings, said: list[str]) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(DatabaseKeeper(serving, said.append).keep())
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
    async with asyncio.timeout(60):
        while not condition():
            assert not keeping.done()
            await asyncio.sleep(0.02)


def times_back(said: list[str]) -> int:
    return sum(line.startswith("PostgreSQL is back after") for line in said)


class TestKeep:
    async def test_brings_a_killed_server_back_at_the_same_address(
        self, serving: Settings, keeping: asyncio.Task[None], said: list[str]
    ) -> None:
        for deaths in (1, 2):
            kill_postmaster(serving)
            await until(lambda deaths=deaths: times_back(said) == deaths, keeping)  # type: ignore[misc]
            assert answers(serving)

        assert said[0].startswith("PostgreSQL died; starting it again. Its log: ")
        assert said[2].startswith("PostgreSQL died; starting it again in ")

    async def test_leaves_down_what_was_stopped_on_purpose_and_keeps_what_was_started_again(
        self, serving: Settings, keeping: asyncio.Task[None], said: list[str]
    ) -> None:
        loaded = serving.with_(database_url=None)
        await asyncio.to_thread(postgres.stop, loaded)
        assert not postgres.is_lost(serving)
        await asyncio.sleep(10 * database_keeper.LOOK_EVERY_S)
        assert said == []

        await asyncio.to_thread(postgres.ensure, loaded)
        kill_postmaster(serving)

        await until(lambda: times_back(said) == 1, keeping)
        assert answers(serving)

    async def test_gives_up_at_the_fifth_death_within_a_minute(
        self, serving: Settings, keeping: asyncio.Task[None], said: list[str]
    ) -> None:
        for deaths in range(1, database_keeper.DEATHS_MAX):
            kill_postmaster(serving)
            await until(lambda deaths=deaths: times_back(said) == deaths, keeping)  # type: ignore[misc]
        kill_postmaster(serving)

        with pytest.raises(ServiceFailed, match="PostgreSQL died 5 times within 60 s"):
            await asyncio.wait_for(keeping, 60)

    async def test_gives_up_with_what_a_server_says_that_does_not_start(
        self, serving: Settings, keeping: asyncio.Task[None]
    ) -> None:
        configuration_file = serving.paths.data_dir / "postgres" / "postgresql.conf"
        whole = configuration_file.read_text()
        configuration_file.write_text(whole + "\nshared_buffers = nonsense\n")
        kill_postmaster(serving)

        with pytest.raises(ServiceFailed, match="PostgreSQL does not start") as failure:
            await asyncio.wait_for(keeping, 60)
        assert "nonsense" in failure.value.last_lines or "shared_buffers" in failure.value.last_lines


class TestBringBack:
    def test_takes_no_other_port_since_the_services_know_this_one(
        self, serving: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cluster, "PATIENCE_S", 1)
        port = PostgresDsn(str(serving.database.url)).hosts()[0]["port"]
        kill_postmaster(serving)
        postmaster.end_orphans(serving.paths.data_dir / "postgres")
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind((postgres.HOST, port))
            taken.listen()

            with pytest.raises(postgres.ServerError, match="in use"):
                postgres.bring_back(serving)

        assert postgres.bring_back(serving)
        assert answers(serving)
        assert not postgres.bring_back(serving)

    def test_says_so_when_the_server_answers_elsewhere_by_now(self, serving: Settings) -> None:
        elsewhere = serving.with_(database_url=PostgresDsn(f"postgresql://{postgres.HOST}:1/ideamint"))

        with pytest.raises(postgres.ServerError, match="was started again at port"):
            postgres.bring_back(elsewhere)
