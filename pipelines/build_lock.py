"""The build lock: one build at a time on a database, started from the command line, by a schedule or in Dagster."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg

_LOCK_KEY = 0x1DEA_B01D  # "idea build"; unique among the advisory locks of this database
_POLL_S = 1.0
_REPORT_INTERVAL_S = 30.0

Report = Callable[[str], None]


class BuildLockLost(Exception):
    """The database closed the connection that held the lock; another build may be running."""


@dataclass(frozen=True)
class BuildLock:
    """The right to build and publish, held as long as its connection is open."""

    connection: psycopg.Connection

    def confirm(self) -> None:
        """Check that the lock is still held; call it before every step that cannot be undone.

        Raises:
            BuildLockLost: the lock is not held any more.
        """
        try:
            self.connection.execute("SELECT 1")
        except psycopg.Error as error:
            msg = "the connection that held the build lock was closed; nothing was published"
            raise BuildLockLost(msg) from error


@contextmanager
def hold_build_lock(url: str, holder: str, report: Report) -> Iterator[BuildLock]:
    """Wait until no other build runs on this database, then hold the lock until the block ends.

    Args:
        url: libpq URL of a log-in as ideamint_dbt.
        holder: name that waiting builds report, e.g. `ideamint refresh`.
        report: called with a message when another build is running, and again every 30 s while it runs.
    """
    name = f"{holder} (build)"[:63]
    with psycopg.connect(url, autocommit=True, application_name=name, keepalives_idle=30) as connection:
        reported_at: float | None = None
        # Not pg_advisory_lock: a statement that waits for hours keeps vacuum from removing rows for as long.
        while not _try_lock(connection):
            if reported_at is None or time.monotonic() - reported_at > _REPORT_INTERVAL_S:
                reported_at = time.monotonic()
                report(f"another build is running: {_holder(connection)}; waiting for it to end")
            time.sleep(_POLL_S)
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
        return "about to end"
    started_at: datetime = row[1]
    return f"{row[0]}, since {started_at.astimezone(UTC):%H:%M:%S} UTC"
