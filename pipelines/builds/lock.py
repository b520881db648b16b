"""The build lock: one build at a time on a database, started from the command line, by a schedule or in Dagster.

PostgreSQL releases the lock when its holder dies, while a dbt process of that holder may go on. The next holder ends such
a build first (`records.end_orphans`).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg

from pipelines.builds import records
from pipelines.builds.records import Build, Status

_LOCK_KEY = 0x1DEA_B01D  # "idea build"; unique among the advisory locks of this database
_POLL_S = 1.0
_REPORT_INTERVAL_S = 30.0

Report = Callable[[str], None]


class BuildLockLost(Exception):
    """The database closed the connection that held the lock; another build may be running."""


@dataclass(frozen=True)
class BuildLock:
    """The right to build and publish, held as long as its connection is open.

    `killed` are the earlier builds that ended without a result.
    """

    connection: psycopg.Connection
    holder: str
    killed: tuple[Build, ...] = ()

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
    def begin(self, *, is_partial: bool = False) -> Iterator[Build]:
        """A new build. It has passed if the block ends without an error, and is partial if `is_partial`.

        Raises:
            BuildLockLost: the lock is not held any more.
        """
        self.confirm()
        build = records.begin(self.connection, self.holder)
        status = Status.FAILED
        try:
            yield build
            status = Status.PARTIAL if is_partial else Status.PASSED
        finally:
            # without a connection there is no lock either, and the next build records that this one ended
            with contextlib.suppress(psycopg.Error):
                records.end(self.connection, build, status)


@contextmanager
def hold_build_lock(url: str, holder: str, report: Report) -> Iterator[BuildLock]:
    """Wait until no other build runs on this database, then hold the lock until the block ends.

    Orphaned processes of a killed build do not hold the lock; their work is ended here.

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
        records.prepare(connection)
        yield BuildLock(connection, holder, records.end_orphans(connection))
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
