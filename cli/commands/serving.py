"""`ideamint up` runs the whole installation on this machine until Ctrl-C, `ideamint worker` one worker process."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from types import FrameType

    from cli.local.supervisor import Service
    from settings import Settings


def up(
    demo: Annotated[bool, typer.Option(help="Load the demo when the database is empty.")] = True,
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="Serve only this part, on a prepared database: api, worker, dashboards or dagster. Repeatable."
        ),
    ] = None,
) -> None:
    """Run everything on this machine, until Ctrl-C.

    Starts PostgreSQL, the API, the worker, the dashboards, and Dagster's web server and daemon, and restarts each if it
    dies. Prints degraded checks of the API's readiness.

    The first start also creates the database, loads a demo and publishes its figures, which takes a minute or two.
    Data is kept in IDEAMINT_DATA_DIR (by default .data), so later starts take seconds. With IDEAMINT_DATABASE_URL set
    it uses that server instead of the embedded one.
    """
    import settings as configuration
    from cli import console
    from cli.local import postgres
    from cli.local.services import PARTS, child_environment, refuse_busy_ports, services
    from cli.local.supervisor import end_orphans

    started_at = time.monotonic()
    settings = configuration.load()
    parts = [part for part in PARTS if not only or part in only]
    if unknown := set(only or ()) - set(PARTS):
        msg = f"no part {', '.join(sorted(unknown))}: choose from {', '.join(PARTS)}"
        raise typer.BadParameter(msg, param_hint="--only")
    record = settings.paths.data_dir / f"up-{'-'.join(only or ['all'])}.json"
    with _interruptible(), _only_one(settings, record.with_suffix(".lock")):
        if orphans := asyncio.run(end_orphans(record)):
            console.say(f"ended processes that a killed `ideamint up` left running: {orphans}")
        refuse_busy_ports(settings, parts)
        with postgres.running(settings) as running:
            if only:
                postgres.refuse_unmigrated(running)
            else:
                is_behind = postgres.is_behind(running)
                postgres.migrate(running)
                console.say(f"database ready after {time.monotonic() - started_at:.1f} s")
                environment = child_environment(running)
                if demo and _is_empty(running):
                    _run_command(environment, "demo")
                # figures of an older version may lack tables or columns of this version
                if is_behind or not _is_published(running):
                    _run_command(environment, "refresh")
            if "dagster" in parts:
                _prepare_manifest(running)
            _serve(running, services(running, parts), record, started_at, is_embedded=settings.database.is_embedded)


def worker() -> None:
    """Run one worker process until Ctrl-C: consumers of events, jobs, and the ledger's background work.

    `ideamint up` starts one. Several workers share the work; IDEAMINT_SERVICES selects the domains of this one.
    """
    from api import worker
    from cli.local import installation

    with installation.ready() as settings:
        worker.run(settings)


def _serve(
    settings: Settings, serving: Sequence[Service], record: Path, started_at: float, *, is_embedded: bool
) -> None:
    from cli import console
    from cli.local.database_watchdog import DatabaseWatchdog
    from cli.local.readiness_watch import ReadinessWatch
    from cli.local.supervisor import ServiceFailed, Supervisor

    logins = _demo_logins(settings)
    names = {service.name for service in serving}

    async def serve() -> None:
        supervisor = Supervisor(settings.paths.data_dir / "logs", record, console.say)
        readiness = ReadinessWatch(settings.addresses.bind_host, settings.addresses.api_port, console.say)

        def announce() -> None:
            _announce(settings, serving, logins, time.monotonic() - started_at)
            readiness.begin()

        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, supervisor.stop)
        await supervisor.run(
            serving,
            announce,
            [
                *([DatabaseWatchdog(settings, console.say).run] if is_embedded else []),
                *([readiness.run] if "api" in names else []),
            ],
        )

    try:
        asyncio.run(serve())
    except ServiceFailed as failure:
        console.fail(f"{failure}; all services were stopped. Last lines of {failure.log}:\n{failure.last_lines}")
        raise typer.Exit(1) from failure
    console.say("stopped")


def _announce(settings: Settings, serving: Sequence[Service], logins: Sequence[str], seconds: float) -> None:
    from cli import console

    addresses = {
        "api": f"API         {settings.addresses.public_api_url}/docs",
        "dashboards": f"Dashboards  {settings.addresses.public_dashboards_url}",
        "dagster": f"Dagster     {settings.addresses.public_dagster_url}",
    }
    console.say(f"\nIdeamint is running after {seconds:.0f} s. Press Ctrl-C to stop.")
    for service in serving:
        if service.name in addresses:
            console.say(f"  {addresses[service.name]}")
    console.say(f"  Logs        {settings.paths.data_dir / 'logs'}")
    if logins:
        console.say("\nLog-ins of the demo")
    for login in logins:
        console.say(f"  {login}")


def _demo_logins(settings: Settings) -> list[str]:
    from cli.demo.run import find_logins
    from cli.local.installation import with_database

    found = with_database(settings, find_logins)
    return [f"{login.role:<14} {login.email}  {login.password}" for login in found]


def _is_empty(settings: Settings) -> bool:
    """Whether there are no campaigns."""
    import psycopg

    with psycopg.connect(settings.database.role_url("app")) as connection:
        return connection.execute("SELECT 1 FROM app.campaigns LIMIT 1").fetchone() is None


def _is_published(settings: Settings) -> bool:
    from pipelines import marts

    try:
        marts.published(settings.paths.data_dir)
    except marts.NoSnapshot:
        return False
    return True


def _prepare_manifest(settings: Settings) -> None:
    """Write dbt's manifest before Dagster starts, unless it is newer than the project."""
    from cli import console
    from orchestration import refresh
    from pipelines import warehouse

    manifest = refresh.state_dir(settings) / "manifest.json"
    written_at = manifest.stat().st_mtime if manifest.is_file() else 0.0
    files = (
        file
        for folder in ("macros", "models", "seeds", "tests")
        for file in (warehouse.PROJECT_DIR / folder).rglob("*")
    )
    if any(file.stat().st_mtime >= written_at for file in (warehouse.PROJECT_DIR / "dbt_project.yml", *files)):
        console.say("preparing the dbt models for Dagster")
        refresh.prepare_manifest(settings)


def _run_command(environment: Mapping[str, str], *command: str) -> None:
    """Run an `ideamint` command in a separate process, so that its imports do not stay in memory."""
    from cli import console

    child = subprocess.Popen([sys.executable, "-m", "cli.main", *command], env=dict(environment))
    try:
        code = child.wait()
    except BaseException:
        child.terminate()
        child.wait()
        raise
    if code != 0:
        console.fail(f"`ideamint {' '.join(command)}` failed with exit code {code}; `ideamint up` continues")


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM and SIGHUP interrupt the preparation like Ctrl-C, so that started processes are stopped."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _only_one(settings: Settings, lock: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    from cli.local import system_user
    from settings import PREFIX, SettingsError

    system_user.make_folder(settings.paths.data_dir)
    try:
        held = FileLock(lock, blocking=False).acquire()
    except Timeout as error:
        msg = f"`ideamint up` is already running on {settings.paths.data_dir}; for a second one set {PREFIX}DATA_DIR and the ports"
        raise SettingsError(msg) from error
    with held:
        yield
