"""`ideamint up`: the whole installation on this machine, until Ctrl-C."""

from __future__ import annotations

import asyncio
import fcntl
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

    from settings import Settings


def up(
    demo: Annotated[bool, typer.Option(help="Load the demo when the database is empty.")] = True,
) -> None:
    """Run everything on this machine: PostgreSQL, API, dashboards and Dagster, until Ctrl-C.

    The first time it also makes the database, loads a demo and publishes its figures, which takes a minute or two.
    Data stays under IDEAMINT_DATA_DIR (by default .data), so that later starts take seconds. With
    IDEAMINT_DATABASE_URL set it uses that server instead of starting one.
    """
    import settings as configuration
    from orchestration import console, postgres
    from orchestration.services import child_environment, refuse_busy_ports
    from orchestration.supervisor import end_left_behind

    started_at = time.monotonic()
    settings = configuration.load()
    with _interruptible(), _only_one(settings):
        left_behind = asyncio.run(end_left_behind(settings.data_dir / "up.json"))
        if left_behind:
            console.say(f"ended {left_behind} processes that an interrupted start had left behind")
        refuse_busy_ports(settings)
        with postgres.running(settings) as running:
            postgres.migrate(running)
            console.say(f"database ready after {time.monotonic() - started_at:.1f} s")
            environment = child_environment(running)
            if demo and _is_empty(running):
                _run_command(environment, "demo")
            if not _is_published(running):
                _run_command(environment, "refresh")
            _serve(running, started_at)


def _serve(settings: Settings, started_at: float) -> None:
    from orchestration import console
    from orchestration.services import services
    from orchestration.supervisor import ServiceFailed, Supervisor

    async def serve() -> None:
        supervisor = Supervisor(settings.data_dir / "logs", settings.data_dir / "up.json", console.say)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, supervisor.stop)
        await supervisor.run(services(settings), lambda: _announce(settings, time.monotonic() - started_at))

    try:
        asyncio.run(serve())
    except ServiceFailed as failure:
        console.fail(f"{failure}; everything was stopped. The last lines of {failure.log}:\n{failure.last_lines}")
        raise typer.Exit(1) from failure
    console.say("stopped")


def _announce(settings: Settings, seconds: float) -> None:
    from orchestration import console

    lines = [
        "",
        f"Ideamint is up after {seconds:.0f} s. Ctrl-C stops it.",
        f"  API         {settings.public_api_url}/docs",
        f"  Dashboards  {settings.public_dashboards_url}",
        f"  Dagster     http://localhost:{settings.dagster_port}",
        f"  Logs        {settings.data_dir / 'logs'}",
        *_demo_logins(settings),
        "",
    ]
    console.say("\n".join(lines))


def _demo_logins(settings: Settings) -> list[str]:
    return []


def _is_empty(settings: Settings) -> bool:
    """Whether there is not one campaign yet."""
    import psycopg

    with psycopg.connect(settings.role_url("app")) as connection:
        return connection.execute("SELECT 1 FROM app.campaigns LIMIT 1").fetchone() is None


def _is_published(settings: Settings) -> bool:
    from pipelines import marts

    try:
        marts.published(settings.data_dir)
    except marts.NoSnapshot:
        return False
    return True


def _run_command(environment: Mapping[str, str], *command: str) -> None:
    """Run one of our own commands as a process of its own: what it imports is gone with it."""
    from orchestration import console

    child = subprocess.Popen([sys.executable, "-m", "orchestration.cli", *command], env=dict(environment))
    try:
        code = child.wait()
    except BaseException:
        child.terminate()
        child.wait()
        raise
    if code != 0:
        console.fail(f"`ideamint {' '.join(command)}` failed with exit code {code}; `ideamint up` goes on without it")


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM ends the preparations as Ctrl-C does, so that whatever was started is stopped again."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _only_one(settings: Settings) -> Iterator[None]:
    from orchestration import system_user
    from settings import PREFIX, SettingsError

    system_user.make_folder(settings.data_dir)
    with (settings.data_dir / "up.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            msg = f"`ideamint up` runs already on {settings.data_dir}; for a second one set {PREFIX}DATA_DIR and the ports"
            raise SettingsError(msg) from error
        yield
