"""The one way to the PostgreSQL of this installation: the embedded one of a bare machine, or the user's own.

`ensure` gives settings whose `database_url` answers; `running` does the same and stops what it started once nobody
uses it any more.
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
from cli.local.cluster import HOST, SUPERUSER, Cluster, ServerError, programs
from settings import PREFIX, Environment, Settings, SettingsError

__all__ = ["HOST", "ServerError"]

DATABASE = "ideamint"

# A test's database need not outlive the machine.
_TEST_OPTIONS = {"fsync": "off", "full_page_writes": "off"}


def ensure(settings: Settings, *, keep: bool = False) -> Settings:
    """Settings whose `database_url` points to a prepared server: roles and databases are there, tables may not be.

    Starts the embedded server if it is configured and not running; safe to call from many processes at once. With
    `keep` that server stays until :func:`stop`, whoever uses it. The embedded server's `database_url` carries no
    log-in (see :func:`admin_url`). A URL of the user's keeps its log-in; without one it is taken as already prepared.

    Raises:
        ServerError: the embedded server does not start.
        SettingsError: the user's server does not answer, is older than 16, or refuses the preparation.
    """
    if settings.database.url is None:
        cluster = Cluster(settings.paths.data_dir)
        system_user.make_folder(settings.paths.data_dir)
        with cluster.lock():
            port = cluster.running_port() or _start(cluster, settings)
            if keep:
                cluster.note(keep=True)
        settings = settings.with_(database_url=PostgresDsn(f"postgresql://{HOST}:{port}/{DATABASE}"))
    elif urlsplit(str(settings.database.url)).username is None:
        return settings
    databases.prepare(admin_url(settings), settings)
    return settings


def is_lost(settings: Settings) -> bool:
    """Whether the embedded server of `ensure(settings)` is gone without having been asked to stop."""
    cluster = Cluster(settings.paths.data_dir)
    return postmaster.find(cluster.folder) is None and not cluster.noted().get("stopped")


def bring_back(settings: Settings) -> bool:
    """Start the server of `ensure(settings)` again if it is lost, at the address that others know; True if it was.

    Raises:
        ServerError: it does not start, or answers at another address meanwhile.
    """
    cluster = Cluster(settings.paths.data_dir)
    (host,) = PostgresDsn(str(settings.database.url)).hosts()
    with cluster.lock():
        was_lost = is_lost(settings)
        if was_lost:
            _start(cluster, settings, host["port"])
        elif cluster.noted().get("port") != host["port"]:
            msg = (
                f"PostgreSQL was started again at port {cluster.noted().get('port')}, and was at {host['port']} before"
            )
            raise ServerError(msg)
    return was_lost


@contextmanager
def running(settings: Settings) -> Iterator[Settings]:
    """:func:`ensure` for the length of a command: the embedded server stops with its last user, unless asked to stay."""
    if settings.database.url is not None:
        yield ensure(settings)
        return
    cluster = Cluster(settings.paths.data_dir)
    system_user.make_folder(settings.paths.data_dir)
    # A shared lock counts users and cannot outlive them, not even after kill -9.
    with (cluster.data_dir / "postgres.users").open("a") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        try:
            yield ensure(settings)
        finally:
            if not cluster.noted().get("keep"):
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    stop(settings)


def is_behind(settings: Settings) -> bool:
    """Whether :func:`migrate` has something to do."""
    return databases.is_behind(admin_url(settings))


def migrate(settings: Settings) -> str:
    """Bring the schema `app` of `ensure(settings)` to the newest revision, which is returned."""
    return databases.migrate(admin_url(settings))


def refuse_unmigrated(settings: Settings) -> None:
    """See that a server of the user's is at this version.

    Raises:
        SettingsError: it is not, or does not answer.
    """
    databases.refuse_unmigrated(settings.database.role_url("app"))


def admin_url(settings: Settings) -> str:
    """URL, in libpq's form, with the log-in that prepares and migrates.

    Raises:
        SettingsError: no server is known, or its URL carries no log-in and it is not the embedded one.
    """
    if settings.database.url is None:
        msg = "the embedded PostgreSQL is not running; `ideamint db start` starts it"
        raise SettingsError(msg)
    parts = urlsplit(str(settings.database.url))
    if parts.username is not None:
        return parts.geturl()
    if (parts.hostname, parts.port) != (HOST, Cluster(settings.paths.data_dir).noted().get("port")):
        msg = f"{PREFIX}DATABASE_URL carries no user and password, which this command needs to prepare the database"
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
        ServerError: it does not stop within 60 s.
    """
    if not settings.paths.data_dir.is_dir():
        return False
    cluster = Cluster(settings.paths.data_dir)
    with cluster.lock():
        cluster.note(keep=False, stopped=True)
        return cluster.stop()


def _start(cluster: Cluster, settings: Settings, port: int | None = None) -> int:
    is_test = settings.installation.environment is Environment.TEST
    return cluster.start(_TEST_OPTIONS if is_test else {}, sync=not is_test, port=port)
