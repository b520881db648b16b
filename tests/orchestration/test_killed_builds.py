"""Builds whose processes are killed: what the next build finds, and what it reports."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil
import psycopg
import pytest

from orchestration import refresh
from pipelines import exports, marts, warehouse
from pipelines.builds import NotPublishable
from tests.factories.clocks import GIVE_UP_AFTER_S, until
from tests.factories.shells import COMMAND, Shell
from tests.factories.warehouse import database_of_its_own, seed
from tests.orchestration.refresh.conftest import variables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settings import Settings

BLOCKED = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'ideamint build %' AND wait_event_type = 'Lock'"


@pytest.fixture(scope="module")
def settings(server: Settings, worker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """An installation whose first build has passed, so that every table exists."""
    with database_of_its_own(server, f"killed_{worker}", tmp_path_factory.mktemp("killed")) as settings:
        seed(settings)
        refresh.refresh(settings)
        yield settings


def dbt_of(process: psutil.Process) -> psutil.Process:
    (dbt,) = [child for child in process.children() if "dbt.cli.main" in child.cmdline()]
    return dbt


def builds(settings: Settings) -> list[str]:
    """The status of every build, the oldest first."""
    with psycopg.connect(settings.database.role_url("dbt")) as connection:
        return [row[0] for row in connection.execute("SELECT status FROM builds.builds ORDER BY build_id").fetchall()]


@contextmanager
def blocked_build(settings: Settings) -> Iterator[tuple[subprocess.Popen[str], psutil.Process, psycopg.Connection]]:
    """`ideamint refresh` whose dbt waits inside a transaction for a lock, which the connection holds until it is rolled back."""
    url = settings.database.role_url("dbt")
    shell = Shell(settings.paths.data_dir, variables=variables(settings))
    with psycopg.connect(url) as blocking, psycopg.connect(url, autocommit=True) as watching:
        blocking.execute("LOCK TABLE intermediate.int_ideas IN ACCESS EXCLUSIVE MODE")
        refreshing = subprocess.Popen([*COMMAND, "refresh"], env=shell.environment(), stderr=subprocess.PIPE, text=True)
        until(lambda: watching.execute(BLOCKED).fetchall())
        yield refreshing, dbt_of(psutil.Process(refreshing.pid)), blocking


def test_models_are_not_built_outside_a_build(settings: Settings) -> None:
    query = "SELECT 'intermediate.int_campaigns'::regclass::oid"
    with psycopg.connect(settings.database.role_url("dbt"), autocommit=True) as connection:
        before = connection.execute(query).fetchone()
        with pytest.raises(warehouse.BuildFailed):
            warehouse.build(settings.database.role_url("dbt"), refresh.state_dir(settings), 1)
        assert connection.execute(query).fetchone() == before


def test_a_killed_dbt_is_the_reason_of_the_refusal(settings: Settings) -> None:
    published = marts.published(settings.paths.data_dir).id
    with blocked_build(settings) as (refreshing, dbt, _):
        dbt.kill()
        _, err = refreshing.communicate(timeout=GIVE_UP_AFTER_S)

    assert refreshing.returncode == 1
    assert "dbt was killed (signal SIGKILL)" in err
    refusal = exports.find_refusal(refresh.exports_dir(settings))
    assert refusal is not None
    assert "dbt was killed (signal SIGKILL)" in refusal.reasons

    # An export after it neither publishes nor removes the refusal.
    with pytest.raises(NotPublishable, match=rf"build {len(builds(settings))} \(ideamint refresh, .*\) failed"):
        refresh.export(settings)
    assert exports.find_refusal(refresh.exports_dir(settings)) == refusal
    assert marts.published(settings.paths.data_dir).id == published


def test_an_orphaned_dbt_changes_nothing_once_the_next_build_has_begun(settings: Settings) -> None:
    before = builds(settings)
    orphaned = len(before) + 1
    with (
        blocked_build(settings) as (first, orphan, blocking),
        psycopg.connect(settings.database.role_url("dbt"), autocommit=True) as watching,
    ):
        first.kill()
        first.communicate()
        assert orphan.is_running()

        # The orphan waits for the lock; the next build ends its transaction, and only then waits for the lock itself.
        shell = Shell(settings.paths.data_dir, variables=variables(settings))
        second = subprocess.Popen([*COMMAND, "refresh"], env=shell.environment(), stderr=subprocess.PIPE, text=True)
        until(lambda: builds(settings) == [*before, "killed", "running"])
        until(lambda: watching.execute(BLOCKED).fetchall())
        names = watching.execute("SELECT DISTINCT application_name FROM pg_stat_activity").fetchall()
        assert (f"ideamint build {orphaned}",) not in names
        blocking.rollback()
        _, err = second.communicate(timeout=GIVE_UP_AFTER_S)

        assert second.returncode == 0, err
        orphan.wait(GIVE_UP_AFTER_S)
        assert watching.execute("SELECT DISTINCT build_id FROM builds.marts").fetchall() == [(orphaned + 1,)]
    assert exports.find_refusal(refresh.exports_dir(settings)) is None
