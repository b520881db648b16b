"""Access to the PostgreSQL server of this installation: the embedded server, or an external one.

`ensure` returns settings with a `database_url` that can be connected to. `running` does the same for the length of a
command and stops the embedded server when no other process uses it.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

from pydantic import PostgresDsn

from cli.local import databases, postmaster, system_user
from cli.local.cluster import SUPERUSER, Cluster, ServerError, programs
from cli.local.ports import HOST
from settings import PREFIX, Environment, Settings, SettingsError

__all__ = ["HOST", "ServerError"]

DATABASE = "ideamint"

# Test databases need not survive a crash of the machine.
_TEST_OPTIONS = {"fsync": "off", "full_page_writes": "off"}


def ensure(settings: Settings, *, keep: bool = False) -> Settings:
    """Settings whose `database_url` points to a prepared server: roles and databases exist, tables may be missing.

    Starts the embedded server if it is configured and not running; several processes may call it at once. With `keep`
    that server runs until :func:`stop`. The `database_url` of the embedded server contains no log-in (see
    :func:`admin_url`). An external URL keeps its log-in; without a log-in the server is assumed to be prepared.

    Raises:
        ServerError: the embedded server does not start.
        SettingsError: the external server cannot be reached, is older than 16, or refuses the preparation.
    """
    if settings.database.url is None:
        cluster = Cluster(settings.paths.data_dir)
        system_user.make_folder(settings.paths.data_dir)
        with cluster.lock():
            port = cluster.running_port() or _start(cluster, settings)
            if keep:
                cluster.update_state(keep=True)
        settings = settings.with_(database_url=PostgresDsn(f"postgresql://{HOST}:{port}/{DATABASE}"))
    elif urlsplit(str(settings.database.url)).username is None:
        return settings
    databases.prepare(admin_url(settings), settings)
    return settings


def is_lost(settings: Settings) -> bool:
    """Whether the embedded server of `ensure(settings)` died, without an explicit stop."""
    cluster = Cluster(settings.paths.data_dir)
    return postmaster.find(cluster.folder) is None and not cluster.state().get("stopped")


def restart_lost(settings: Settings) -> bool:
    """Restart the server of `ensure(settings)` at the same address if it is lost; returns whether it was.

    Raises:
        ServerError: it does not start, or was started at another address meanwhile.
    """
    cluster = Cluster(settings.paths.data_dir)
    (host,) = PostgresDsn(str(settings.database.url)).hosts()
    with cluster.lock():
        was_lost = is_lost(settings)
        if was_lost:
            _start(cluster, settings, host["port"])
        elif cluster.state().get("port") != host["port"]:
            msg = (
                f"PostgreSQL was restarted at port {cluster.state().get('port')}; it was at port {host['port']} before"
            )
            raise ServerError(msg)
    return was_lost


@contextmanager
def running(settings: Settings) -> Iterator[Settings]:
    """:func:`ensure` for the length of a command: the embedded server stops with its last user, unless `keep` is set."""
    if settings.database.url is not None:
        yield ensure(settings)
        return
    cluster = Cluster(settings.paths.data_dir)
    system_user.make_folder(settings.paths.data_dir)
    # Shared locks count the users; the kernel releases them even after kill -9. The last user can make its lock exclusive;
    # filelock has no lock that can be upgraded.
    with (cluster.data_dir / "postgres.users").open("a") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        try:
            yield ensure(settings)
        finally:
            if not cluster.state().get("keep"):
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    stop(settings)


def is_behind(settings: Settings) -> bool:
    """Whether migrations are pending."""
    return databases.is_behind(admin_url(settings))


def migrate(settings: Settings) -> int:
    """Bring the schema `app` of `ensure(settings)` to this version; returns its revision."""
    return databases.migrate(admin_url(settings))


def reset(settings: Settings) -> int:
    """Empty the schema `app` of `ensure(settings)` and bring it to this version; returns its revision."""
    return databases.reset(admin_url(settings))


def refuse_unmigrated(settings: Settings) -> None:
    """Check that an external server has the tables that this version needs.

    Raises:
        SettingsError: it is at another version, or cannot be reached.
    """
    databases.refuse_unmigrated(settings.database.role_url("app"))


def admin_url(settings: Settings) -> str:
    """URL in libpq's format with the administrator's log-in, for preparation and migrations.

    Raises:
        SettingsError: no server is running, or the URL of an external server contains no log-in.
    """
    if settings.database.url is None:
        msg = "the embedded PostgreSQL is not running; `ideamint db start` starts it"
        raise SettingsError(msg)
    parts = urlsplit(str(settings.database.url))
    if parts.username is not None:
        return parts.geturl()
    if (parts.hostname, parts.port) != (HOST, Cluster(settings.paths.data_dir).state().get("port")):
        msg = f"{PREFIX}DATABASE_URL contains no user and password; this command needs them to prepare the database"
        raise SettingsError(msg)
    password = Cluster(settings.paths.data_dir).password()
    return parts._replace(netloc=f"{SUPERUSER}:{quote(password, safe='')}@{parts.netloc}").geturl()


def program(name: str) -> Path:
    """Path of one of the embedded server's programs (`psql`, `pgbench`, `pg_dump`, ...)."""
    return programs() / name


def is_running(settings: Settings) -> bool:
    """Whether the embedded server of this data folder accepts connections."""
    return settings.paths.data_dir.is_dir() and Cluster(settings.paths.data_dir).running_port() is not None


def stop(settings: Settings) -> bool:
    """Stop the embedded server, ending its connections; False if it was not running.

    Raises:
        ServerError: the server does not stop within 60 s.
    """
    if not settings.paths.data_dir.is_dir():
        return False
    cluster = Cluster(settings.paths.data_dir)
    with cluster.lock():
        cluster.update_state(keep=False, stopped=True)
        return cluster.stop()


def _start(cluster: Cluster, settings: Settings, port: int | None = None) -> int:
    is_test = settings.installation.environment is Environment.TEST
    return cluster.start(_TEST_OPTIONS if is_test else {}, sync=not is_test, port=port)
