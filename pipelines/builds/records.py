"""Records of builds in the schema `builds`: one row for each build, and the build of each mart.

A model of dbt runs only while its build is recorded as running, and a mart's build is written in the transaction that
replaces the mart (`dbt_project/macros/builds.sql`). So a build that was recorded as ended cannot change a table any more,
even if its processes still run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import psycopg

_TERMINATION_TIMEOUT_MS = 5000
_SCHEMA = """
CREATE SCHEMA IF NOT EXISTS builds;

CREATE TABLE IF NOT EXISTS builds.builds (
    build_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    holder text NOT NULL,
    status text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'passed', 'partial', 'failed', 'killed')),
    started_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    CHECK ((status = 'running') = (ended_at IS NULL))
);
CREATE UNIQUE INDEX IF NOT EXISTS builds_one_is_running ON builds.builds (status) WHERE status = 'running';

CREATE TABLE IF NOT EXISTS builds.marts (
    mart text PRIMARY KEY,
    build_id bigint NOT NULL REFERENCES builds.builds (build_id)
);
"""


class Status(StrEnum):
    """Status of a build. The check of the table `builds.builds` names the same values."""

    RUNNING = "running"
    PASSED = "passed"
    """Every model was built, and every test passed."""
    PARTIAL = "partial"
    """A selection of the models was built, or not every test was run."""
    FAILED = "failed"
    KILLED = "killed"
    """Its process ended without recording a result."""


class NotPublishable(Exception):
    """The marts in the warehouse are not those of one passed build."""


@dataclass(frozen=True)
class Build:
    """A build; `holder` is the name under which it holds the lock."""

    build_id: int
    holder: str
    started_at: datetime

    def __str__(self) -> str:
        """The build as messages name it."""
        return f"build {self.build_id} ({self.holder}, {self.started_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC)"


def prepare(connection: psycopg.Connection) -> None:
    """Create the schema `builds` if it is missing. The caller holds the lock."""
    if connection.execute("SELECT to_regclass('builds.marts')").fetchone() == (None,):
        connection.execute(_SCHEMA)


def begin(connection: psycopg.Connection, holder: str) -> Build:
    """Record a new build as running. The caller holds the lock."""
    row = connection.execute(
        "INSERT INTO builds.builds (holder) VALUES (%s) RETURNING build_id, holder, started_at", (holder,)
    ).fetchone()
    assert row is not None
    return Build(*row)


def end(connection: psycopg.Connection, build: Build, status: Status) -> None:
    """Record the result of a build, unless another build has ended it meanwhile. The caller holds the lock.

    Its dbt has ended; a transaction that a killed dbt left behind is ended here.
    """
    _end(connection, status, build.build_id)


def end_orphans(connection: psycopg.Connection) -> tuple[Build, ...]:
    """End the builds whose lock holder died while its dbt goes on; returns them. The caller holds the lock.

    When this returns, no transaction of such a build runs, and none can begin.
    """
    ended = _end(connection, Status.KILLED, None)
    while _terminate_backends(connection):
        pass
    return ended


def _end(connection: psycopg.Connection, status: Status, build_id: int | None) -> tuple[Build, ...]:
    """End a running build, or all of them for None, and the transactions of its models, which lock its row."""
    while True:
        _terminate_backends(connection)
        try:
            with connection.transaction():
                connection.execute("SET LOCAL lock_timeout = '1s'")
                rows = connection.execute(
                    "UPDATE builds.builds SET status = %(status)s, ended_at = now() "
                    "WHERE status = 'running' AND (%(build_id)s::bigint IS NULL OR build_id = %(build_id)s) "
                    "RETURNING build_id, holder, started_at",
                    {"status": status, "build_id": build_id},
                ).fetchall()
        except psycopg.errors.LockNotAvailable:
            continue
        return tuple(Build(*row) for row in rows)


def refuse_without_build(url: str) -> None:
    """Check that a build was begun.

    Raises:
        NotPublishable: there is no build.
    """
    with psycopg.connect(url) as connection:
        _newest(connection)


def publishable(url: str, marts: Sequence[str]) -> int:
    """The id of the build that all these marts are of; it is the newest build and has passed.

    Args:
        url: libpq URL of a log-in as ideamint_dbt.
        marts: names of the marts to publish.

    Raises:
        NotPublishable: there is no build, the newest one did not pass, or a mart is not of it.
    """
    with psycopg.connect(url) as connection:
        build, status = _newest(connection)
        if status is not Status.PASSED:
            msg = f"{build} {_DESCRIPTIONS[status]}, so nothing was published; `ideamint refresh` builds again"
            raise NotPublishable(msg)
        of: dict[str, int] = dict(connection.execute("SELECT mart, build_id FROM builds.marts").fetchall())
    if others := [f"{mart} (build {of.get(mart, 'unknown')})" for mart in marts if of.get(mart) != build.build_id]:
        msg = (
            f"the marts are not all of {build}, so nothing was published: {', '.join(others)}; "
            "`ideamint refresh` builds again"
        )
        raise NotPublishable(msg)
    return build.build_id


_DESCRIPTIONS = {
    Status.RUNNING: "has not ended",
    Status.PARTIAL: "built only a part of the models or ran only a part of the tests",
    Status.FAILED: "failed",
    Status.KILLED: "was killed",
}


def _terminate_backends(connection: psycopg.Connection) -> int:
    """Terminate the connections of dbt that belong to a build of this database; returns how many there were.

    The macro `confirm_build` gives them their name.
    """
    row = connection.execute(
        "SELECT count(pg_terminate_backend(pid, %s)) FROM pg_stat_activity "
        "WHERE application_name LIKE 'ideamint build %%' AND datname = current_database() AND usename = current_user "
        "AND pid <> pg_backend_pid()",
        (_TERMINATION_TIMEOUT_MS,),
    ).fetchone()
    return int(row[0]) if row else 0


def _newest(connection: psycopg.Connection) -> tuple[Build, Status]:
    try:
        row = connection.execute(
            "SELECT build_id, holder, started_at, status FROM builds.builds ORDER BY build_id DESC LIMIT 1"
        ).fetchone()
    except psycopg.errors.UndefinedTable:
        row = None
    if row is None:
        msg = "there is no build yet; `ideamint refresh` builds and publishes"
        raise NotPublishable(msg)
    return Build(*row[:3]), Status(row[3])
