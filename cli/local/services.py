"""Services of `ideamint up`: the API, the worker, the dashboards, and Dagster's code server, web server and daemon."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Collection
from importlib.util import find_spec
from pathlib import Path

import psycopg

from cli.local import dagster_home
from cli.local.databases import without_login
from cli.local.ports import free_port, local_host
from cli.local.supervisor import Service
from settings import PREFIX, Settings, SettingsError

PARTS = ("api", "worker", "dashboards", "dagster")
PARTS_WITH_PORT = ("api", "dashboards", "dagster")
DEFINITIONS = "orchestration.definitions"

# No service sends telemetry or checks for updates.
QUIET = {
    "DAGSTER_DISABLE_TELEMETRY": "1",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "false",
}


def refuse_busy_ports(settings: Settings, parts: Collection[str]) -> None:
    """Check that the ports of these parts are free.

    Raises:
        SettingsError: a port is busy; the message names each one and its setting.
    """
    busy = [
        f"port {port} of {settings.addresses.bind_host} is busy: set {PREFIX}{name.upper()} to a free one, or stop the process that uses it"
        for part in parts
        if part in PARTS_WITH_PORT
        and not _is_free(settings.addresses.bind_host, port := getattr(settings.addresses, name := f"{part}_port"))
    ]
    if busy:
        raise SettingsError("\n".join(busy))


def services(settings: Settings, parts: Collection[str]) -> list[Service]:
    """The processes of these parts with command and environment; `settings` points to a running database."""
    environment = child_environment(settings)
    code_port = free_port()
    workspace = str(dagster_home.write(settings, code_port) / "workspace.yaml")
    host = settings.addresses.bind_host

    def service(name: str, port: int, path: str | None, *command: str) -> Service:
        return Service(name, [sys.executable, "-m", *command], environment, _responds(host, port, path))

    known = [
        service(
            "api", settings.addresses.api_port, "/health/ready",
            "api.server", "--host", host, "--port", str(settings.addresses.api_port),
        ),
        Service("worker", [sys.executable, "-m", "api.worker"], environment, _has_heartbeat(settings)),
        service(
            "dashboards", settings.addresses.dashboards_port, "/_stcore/health",
            "dashboards.server", "--host", host, "--port", str(settings.addresses.dashboards_port),
        ),
        Service(
            "dagster-code",
            [sys.executable, "-m", "dagster", "api", "grpc", "-m", DEFINITIONS, "-h", "127.0.0.1", "-p", str(code_port),
             "--use-python-environment-entry-point"],
            environment,
            _responds("127.0.0.1", code_port, None),
        ),
        service(
            "dagster", settings.addresses.dagster_port, "/health/live",
            "orchestration.web.server", "--host", host, "--port", str(settings.addresses.dagster_port),
            "--workspace", workspace,
        ),
        Service("dagster-daemon", [sys.executable, "-m", "dagster._daemon", "run", "-w", workspace], environment, None),
    ]  # fmt: skip
    return [each for each in known if each.name.partition("-")[0] in parts]


def child_environment(settings: Settings) -> dict[str, str]:
    """Environment of a child process: the caller's, the database URL without log-in, and telemetry off."""
    root = str(_folder("orchestration").parent)
    path = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {
        **os.environ,
        **QUIET,
        f"{PREFIX}DATABASE_URL": without_login(str(settings.database.url)),
        f"{PREFIX}DATABASE_URL_FILE": "",  # its URL is the one above
        f"{PREFIX}DATA_DIR": str(settings.paths.data_dir),
        **dagster_home.environment(settings),
        "PYTHONPATH": os.pathsep.join(path),
        "PYTHONUNBUFFERED": "1",
    }


def _folder(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        msg = f"the package {package} is not installed"
        raise SettingsError(msg)
    return Path(spec.origin).parent


def _is_free(host: str, port: int) -> bool:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # As servers do, so that closed connections of the previous run do not block the port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError:
        return False
    return True


def _has_heartbeat(settings: Settings) -> Callable[[], Awaitable[bool]]:
    """A check whether the database has a recent heartbeat of a worker."""
    url = settings.database.role_url("app")

    async def check() -> bool:
        from api.kernel.heartbeats import IS_SEEN, MISSING_AFTER_S

        try:
            async with await psycopg.AsyncConnection.connect(url, autocommit=True, connect_timeout=10) as connection:
                row = await (await connection.execute(IS_SEEN, (MISSING_AFTER_S,))).fetchone()
        except psycopg.Error:
            return False
        return row is not None and bool(row[0])

    return check


def _responds(host: str, port: int, path: str | None) -> Callable[[], Awaitable[bool]]:
    """A check whether a server responds with 200 on a path or, without a path, accepts connections."""
    host = local_host(host)

    async def check() -> bool:
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection(host, port), timeout=2)
        except (OSError, TimeoutError):
            return False
        try:
            if path is None:
                return True
            writer.write(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
            status = await asyncio.wait_for(reader.readline(), timeout=10)
            return status.split()[1:2] == [b"200"]
        except (OSError, TimeoutError):
            return False
        finally:
            writer.close()

    return check
