"""`ideamint up` with real processes: it serves, restarts services, and leaves no processes behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from cli.local.ports import free_port
from tests.factories.clocks import GIVE_UP_AFTER_S
from tests.factories.shells import COMMAND, Shell


class Up:
    """A running `ideamint up` and its output."""

    def __init__(self, shell: Shell, *arguments: str, **variables: str) -> None:
        self.port = free_port()
        self.process = subprocess.Popen(
            [*COMMAND, "up", *arguments],
            env=shell.environment(IDEAMINT_API_PORT=str(self.port), **variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.said = ""
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line

    def until(self, condition: Callable[[], bool]) -> None:
        give_up_at = time.monotonic() + GIVE_UP_AFTER_S
        while not condition():
            assert time.monotonic() < give_up_at, self.said
            assert self.process.poll() is None, self.said
            time.sleep(0.1)

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        code = self.process.wait(GIVE_UP_AFTER_S)
        self._reading.join()
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def answers(self, path: str) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False


def processes_of(shell: Shell) -> list[list[str]]:
    """Command lines of all processes of this data folder."""
    found = []
    for process in psutil.process_iter():
        try:
            knows = process.environ().get("IDEAMINT_DATA_DIR") == str(shell.data_dir)
            if (
                knows or str(shell.data_dir / "postgres") in process.cmdline()
            ) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.cmdline())
        except psutil.Error:
            continue
    return found


def child_pids(shell: Shell, parts: str) -> list[int]:
    """Process ids of the services of `up --only`; `parts` are joined by hyphens."""
    return [int(pid) for pid, _ in json.loads((shell.data_dir / f"up-{parts}.json").read_text())]


def child_pid(shell: Shell) -> int:
    (pid,) = child_pids(shell, "api")
    return pid


def is_alive(pid: int) -> bool:
    """Whether the process runs; an ended one may be a zombie until its new parent waits for it."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def running(up: Up) -> Iterator[Up]:
    try:
        yield up
    finally:
        if up.process.poll() is None:
            up.end(signal.SIGTERM)
        up.wait()


@pytest.fixture(scope="module")
def migrated(ideamint: Shell) -> Shell:
    done = ideamint("db", "migrate")
    assert done.code == 0, done.err
    return ideamint


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_serves_restarts_services_and_leaves_no_processes(number: signal.Signals, migrated: Shell) -> None:
    with running(Up(migrated, "--only", "api")) as up:
        up.until(lambda: up.answers("/health/ready"))
        up.until(lambda: f"http://localhost:{up.port}/docs" in up.said)

        first = child_pid(migrated)
        os.kill(first, signal.SIGKILL)
        up.until(lambda: "api ended (signal SIGKILL); restarting it" in up.said)
        up.until(lambda: up.answers("/health/ready") and child_pid(migrated) != first)

        assert up.end(number) == 0

    assert "stopped" in up.said
    assert processes_of(migrated) == []


def test_supervises_the_worker_and_prints_that_it_is_missing(migrated: Shell) -> None:
    with running(Up(migrated, "--only", "api")) as up:
        up.until(lambda: "degraded: worker: missing" in up.said)
        assert up.end(signal.SIGTERM) == 0

    with running(Up(migrated, "--only", "api", "--only", "worker")) as up:
        up.until(lambda: "worker is ready after" in up.said)
        up.until(lambda: f"http://localhost:{up.port}/docs" in up.said)
        (pid,) = [pid for pid in child_pids(migrated, "api-worker") if "api.worker" in psutil.Process(pid).cmdline()]
        os.kill(pid, signal.SIGKILL)
        up.until(lambda: "worker ended (signal SIGKILL); restarting it" in up.said)
        up.until(lambda: len(child_pids(migrated, "api-worker")) == 2)
        assert up.end(signal.SIGTERM) == 0
    assert processes_of(migrated) == []


def test_restarts_the_database(migrated: Shell) -> None:
    with running(Up(migrated, "--only", "api")) as up:
        up.until(lambda: up.answers("/health/ready"))
        os.kill(int((migrated.data_dir / "postgres" / "postmaster.pid").read_text().splitlines()[0]), signal.SIGKILL)
        up.until(lambda: "PostgreSQL died; restarting it" in up.said)
        up.until(lambda: "PostgreSQL is running again after" in up.said)
        up.until(lambda: up.answers("/health/ready"))
        assert "api ended" not in up.said

    assert processes_of(migrated) == []


def test_ends_with_the_last_log_lines_of_a_failing_service(migrated: Shell) -> None:
    with running(Up(migrated, "--only", "api", IDEAMINT_SERVICES="nonsense")) as up:
        assert up.wait() == 1

    assert "api died 3 times within 60 s; all services were stopped" in up.said
    assert "IDEAMINT_SERVICES" in up.said
    assert processes_of(migrated) == []


def test_names_the_setting_of_a_busy_port(migrated: Shell) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        done = migrated("up", settings={"IDEAMINT_API_PORT": str(port)})

    assert done.code == 2
    assert f"port {port} of 127.0.0.1 is busy: set IDEAMINT_API_PORT" in done.err


def test_refuses_a_second_one_and_cleans_up_after_a_killed_one(migrated: Shell) -> None:
    killed = Up(migrated, "--only", "api")
    killed.until(lambda: killed.answers("/health/live"))
    orphan = child_pid(migrated)

    second = migrated("up", "--only", "api", settings={"IDEAMINT_API_PORT": str(free_port())})
    assert second.code == 2
    assert "is already running" in second.err

    killed.process.kill()
    killed.wait()
    assert is_alive(orphan)

    with running(Up(migrated, "--only", "api")) as up:
        up.until(lambda: up.answers("/health/ready"))
        assert "ended processes that a killed `ideamint up` left running: 1" in up.said
        assert not is_alive(orphan)
    assert processes_of(migrated) == []


def test_stops_started_processes_if_interrupted_during_preparation() -> None:
    with tempfile.TemporaryDirectory(prefix="ideamint-test-") as folder:
        Path(folder).chmod(0o711)
        shell = Shell(Path(folder) / "data")
        ports = {"IDEAMINT_DASHBOARDS_PORT": str(free_port()), "IDEAMINT_DAGSTER_PORT": str(free_port())}
        with running(Up(shell, **ports)) as up:
            up.until(lambda: "creating the demo" in up.said)

            assert up.end(signal.SIGTERM) == 130

        assert "Traceback" not in up.said
        assert processes_of(shell) == []


def test_refuses_to_serve_a_part_on_a_schema_of_another_version() -> None:
    with tempfile.TemporaryDirectory(prefix="ideamint-test-") as folder:
        Path(folder).chmod(0o711)
        shell = Shell(Path(folder) / "data")

        done = shell("up", "--only", "api", settings={"IDEAMINT_API_PORT": str(free_port())})

        assert done.code == 2
        assert "run `ideamint db migrate`" in done.err
        assert processes_of(shell) == []
