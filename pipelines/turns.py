"""One build at a time on a database, whoever started it: the command line, a schedule, or a person on Dagster's page."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg

_LOCK_KEY = 0x1DEA_B01D  # ours alone in this database: "idea build"
_LOCK_POLL_S = 1.0
_LOCK_REPEAT_S = 30.0

Say = Callable[[str], None]


class BuildLockLost(Exception):
    """The database ended the connection that held the lock, so that another build may be under way."""


@dataclass(frozen=True)
class BuildLock:
    """The right to build and publish; held as long as its connection lives."""

    connection: psycopg.Connection

    def confirm(self) -> None:
        """See that the lock is still held; to be called before anything irreversible.

        Raises:
            BuildLockLost: it is not.
        """
        try:
            self.connection.execute("SELECT 1")
        except psycopg.Error as error:
            msg = "the connection that held the build's lock ended; nothing was published"
            raise BuildLockLost(msg) from error


@contextmanager
def one_build_at_a_time(url: str, who: str, say: Say) -> Iterator[BuildLock]:
    """Wait until no other build is under way on this database, whoever started it, and keep others waiting.

    Args:
        url: libpq URL of a log-in as ideamint_dbt.
        who: what those who wait are told, e.g. `ideamint refresh`.
        say: told that another build is under way when there is one, and again every 30 s.
    """
    name = f"{who} (build)"[:63]
    with psycopg.connect(url, autocommit=True, application_name=name, keepalives_idle=30) as connection:
        said_at: float | None = None
        # Not pg_advisory_lock: a statement that waits for hours keeps vacuum from its work as long.
        while not _try_lock(connection):
            if said_at is None or time.monotonic() - said_at > _LOCK_REPEAT_S:
                said_at = time.monotonic()
                say(f"another build is under way: {_holder(connection)}; waiting for it to end")
            time.sleep(_LOCK_POLL_S)
        yield BuildLock(connection)
        with contextlib.suppress(psycopg.Error):
            connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK_KEY,))


def _try_lock(connection: psycopg.Connection) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK_KEY,)).fetchone()
    return row is not None and bool(row[0])


def _holder(connection: psycopg.Connection) -> str:
    row = connection.execute(
        "SELECT a.application_name, a.backend_start FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid "
        "WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.classid = 0 AND l.objid = %s "
        "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        (_LOCK_KEY,),
    ).fetchone()
    if row is None:
        return "just ending"
    started_at: datetime = row[1]
    return f"{row[0]}, since {started_at.astimezone(UTC):%H:%M:%S} UTC"
