"""Restarting and ending processes, with real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import textwrap
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil
import pytest

from cli.local import supervisor
from cli.local.supervisor import Service, ServiceFailed, Supervisor
from tests.factories.clocks import GIVE_UP_AFTER_S

# Starts a child that ignores SIGTERM, and prints both ids.
FAMILY = """
    import os, signal, subprocess, sys, time
    child = subprocess.Popen([sys.executable, "-c", '''if True:
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("deaf", flush=True)
        time.sleep(600)'''], start_new_session={new_session})
    with open({pids!r}, "a") as file:
        print(os.getpid(), child.pid, file=file, flush=True)
    time.sleep(600)
"""


def service(name: str, program: str, is_ready: Callable[[], Awaitable[bool]] | None = None) -> Service:
    return Service(name, [sys.executable, "-c", textwrap.dedent(program)], os.environ, is_ready)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def watch(tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    monkeypatch.setattr(supervisor, "DEATHS_WINDOW_S", 3600.0)  # a slow machine needs long for three starts
    monkeypatch.setattr(supervisor, "FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr(supervisor, "TIMEOUT_S", 0.5)
    return Supervisor(tmp_path / "logs", tmp_path / "up.json", said.append)


async def until(condition: Callable[[], bool], patience_s: float = GIVE_UP_AFTER_S) -> None:
    async with asyncio.timeout(patience_s):
        while not condition():  # noqa: ASYNC110 - another process cannot set an event
            await asyncio.sleep(0.02)


def is_alive(pid: int) -> bool:
    return bool(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)


def pids_in(file: Path) -> list[int]:
    return [int(word) for word in file.read_text().split()] if file.exists() else []


class TestRun:
    async def test_restarts_a_killed_service(self, watch: Supervisor, tmp_path: Path, said: list[str]) -> None:
        pids = tmp_path / "pids"
        program = FAMILY.format(new_session=False, pids=str(pids))
        running = asyncio.create_task(watch.run([service("family", program)], lambda: None))
        await until(lambda: len(pids_in(pids)) == 2)
        first, its_child = pids_in(pids)

        os.kill(first, signal.SIGKILL)
        await until(lambda: len(pids_in(pids)) == 4)

        assert not is_alive(its_child), "what the dead one left behind would hold its port"
        assert is_alive(pids_in(pids)[2])
        assert any("signal SIGKILL" in line and "family.log" in line for line in said)
        watch.stop()
        await running

    @pytest.mark.parametrize("new_session", [False, True])
    async def test_stop_ends_children_and_grandchildren_that_ignore_signals(
        self, watch: Supervisor, tmp_path: Path, *, new_session: bool
    ) -> None:
        pids = tmp_path / "pids"
        program = FAMILY.format(new_session=new_session, pids=str(pids))
        running = asyncio.create_task(watch.run([service("a", program), service("b", program)], lambda: None))
        await until(lambda: len(pids_in(pids)) == 4)

        watch.stop()
        await asyncio.wait_for(running, GIVE_UP_AFTER_S)

        assert [pid for pid in pids_in(pids) if is_alive(pid)] == []

    async def test_three_deaths_within_the_window_end_all_services(self, watch: Supervisor, tmp_path: Path) -> None:
        pids = tmp_path / "pids"
        healthy = service("healthy", FAMILY.format(new_session=False, pids=str(pids)))
        broken = service("broken", "import os; print('cannot bind', os.getpid(), flush=True); raise SystemExit(3)")

        with pytest.raises(ServiceFailed, match="broken died 3 times within 3600 s") as failure:
            await asyncio.wait_for(watch.run([healthy, broken], lambda: None), GIVE_UP_AFTER_S)

        assert failure.value.last_lines.count("cannot bind") == 3
        assert [pid for pid in pids_in(pids) if is_alive(pid)] == []

    async def test_doubles_the_pause_each_time(
        self, watch: Supervisor, said: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(supervisor, "FIRST_PAUSE_S", 1.0)
        monkeypatch.setattr(supervisor, "DEATHS_MAX", 99)
        running = asyncio.create_task(watch.run([service("brief", "")], lambda: None))
        await until(lambda: len(said) == 3)

        watch.stop()
        await running

        assert [line.partition("restarting it in ")[2].partition(".")[0] for line in said] == ["1 s", "2 s", "4 s"]

    async def test_announces_once_when_all_are_ready(self, watch: Supervisor, tmp_path: Path, said: list[str]) -> None:
        door = tmp_path / "door"

        async def is_ready() -> bool:
            return door.exists()

        ready: list[str] = []
        program = "import time; time.sleep(600)"
        running = asyncio.create_task(
            watch.run([service("slow", program, is_ready), service("other", program)], lambda: ready.append("all"))
        )
        await asyncio.sleep(0.3)
        assert ready == []

        door.touch()
        await until(lambda: bool(ready))

        watch.stop()
        await running
        assert ready == ["all"]
        assert said[0].startswith("slow is ready after")


class TestEndOrphans:
    async def test_ends_only_the_children_of_a_killed_supervisor(self, tmp_path: Path) -> None:
        record, pids = tmp_path / "up.json", tmp_path / "pids"
        program = textwrap.dedent(
            f"""
            import asyncio, os, sys
            from pathlib import Path
            from cli.local.supervisor import Service, Supervisor
            program = {textwrap.dedent(FAMILY.format(new_session=False, pids=str(pids)))!r}
            watch = Supervisor(Path({str(tmp_path)!r}) / "logs", Path({str(record)!r}), print)
            asyncio.run(watch.run([Service("family", [sys.executable, "-c", program], os.environ, None)], lambda: None))
            """
        )
        killed = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
        bystander = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(600)")
        await until(lambda: len(pids_in(pids)) == 2)
        killed.kill()
        await killed.wait()
        assert all(map(is_alive, pids_in(pids)))
        # An id that another process uses meanwhile.
        noted = record.read_text()
        record.write_text(noted.replace("]]", f"], [{bystander.pid}, 1.0]]"))

        assert await supervisor.end_orphans(record) == 1

        assert not any(map(is_alive, pids_in(pids)))
        assert is_alive(bystander.pid)
        assert await supervisor.end_orphans(record) == 0
        bystander.kill()
        await bystander.wait()
