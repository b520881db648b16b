"""Builds whose processes are killed: what the next build finds, and what it reports."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import psutil
import psycopg
import pytest

from orchestration import refresh
from pipelines import exports, marts, warehouse
from pipelines.builds import NotPublishable
from tests.factories.clocks import GIVE_UP_AFTER_S
from tests.factories.shells import COMMAND, Shell
from tests.factories.warehouse import database_of_its_own, seed
from tests.orchestration.refresh.conftest import variables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from settings import Settings

BLOCKED = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'ideamint build %' AND wait_event_type = 'Lock'"


@pytest.fixture
def settings(server: Settings, worker: str, tmp_path: Path) -> Iterator[Settings]:
    with database_of_its_own(server, f"killed_{worker}", tmp_path) as settings:
        seed(settings)
        yield settings


def until(condition: Callable[[], object]) -> None:
    give_up_at = time.monotonic() + GIVE_UP_AFTER_S
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.1)


def dbt_of(process: psutil.Process) -> psutil.Process:
    (dbt,) = [child for child in process.children() if "dbt.cli.main" in child.cmdline()]
    return dbt


def test_an_orphaned_dbt_changes_nothing_once_the_next_build_has_begun(settings: Settings) -> None:
    url = settings.database.role_url("dbt")
    shell = Shell(settings.paths.data_dir, variables=variables(settings))
    with psycopg.connect(url, autocommit=True) as watching, psycopg.connect(url) as blocking:
        # A first build creates the tables; then a lock on one of them holds the next build inside a transaction.
        refresh.refresh(settings)
        blocking.execute("LOCK TABLE intermediate.int_ideas IN ACCESS EXCLUSIVE MODE")
        first = subprocess.Popen([*COMMAND, "refresh"], env=shell.environment(), stderr=subprocess.DEVNULL)
        until(lambda: watching.execute(BLOCKED).fetchall())
        orphan = dbt_of(psutil.Process(first.pid))
        first.kill()
        first.wait()
        assert orphan.is_running()

        # The orphan waits for the lock; the next build ends its transaction, and only then waits for the lock itself.
        second = subprocess.Popen([*COMMAND, "refresh"], env=shell.environment(), stderr=subprocess.PIPE, text=True)
        until(
            lambda: (
                watching.execute("SELECT status FROM builds.builds ORDER BY build_id").fetchall()
                == [("passed",), ("killed",), ("running",)]
            )
        )
        until(lambda: watching.execute(BLOCKED).fetchall())
        names = watching.execute("SELECT DISTINCT application_name FROM pg_stat_activity").fetchall()
        assert ("ideamint build 2",) not in names
        blocking.rollback()
        _, err = second.communicate(timeout=GIVE_UP_AFTER_S)

        assert second.returncode == 0, err
        orphan.wait(GIVE_UP_AFTER_S)
        builds = watching.execute("SELECT DISTINCT build_id FROM builds.marts").fetchall()
        assert builds == [(3,)]
    assert exports.find_refusal(refresh.exports_dir(settings)) is None


def test_a_killed_dbt_is_the_reason_of_the_refusal(settings: Settings) -> None:
    url = settings.database.role_url("dbt")
    refresh.refresh(settings)
    published = marts.published(settings.paths.data_dir).id
    with psycopg.connect(url, autocommit=True) as watching, psycopg.connect(url) as blocking:
        blocking.execute("LOCK TABLE intermediate.int_ideas IN ACCESS EXCLUSIVE MODE")
        shell = Shell(settings.paths.data_dir, variables=variables(settings))
        refreshing = subprocess.Popen([*COMMAND, "refresh"], env=shell.environment(), stderr=subprocess.PIPE, text=True)
        until(lambda: watching.execute(BLOCKED).fetchall())
        os.kill(dbt_of(psutil.Process(refreshing.pid)).pid, signal.SIGKILL)
        _, err = refreshing.communicate(timeout=GIVE_UP_AFTER_S)

    assert refreshing.returncode == 1
    assert "dbt was killed (signal SIGKILL)" in err
    refusal = exports.find_refusal(refresh.exports_dir(settings))
    assert refusal is not None
    assert "dbt was killed (signal SIGKILL)" in refusal.reasons

    # An export after it neither publishes nor removes the refusal.
    with pytest.raises(NotPublishable, match=r"build 2 \(ideamint refresh, .*\) failed"):
        refresh.export(settings)
    assert exports.find_refusal(refresh.exports_dir(settings)) == refusal
    assert marts.published(settings.paths.data_dir).id == published


def test_models_are_not_built_outside_a_build(settings: Settings) -> None:
    with pytest.raises(warehouse.BuildFailed):
        warehouse.build(settings.database.role_url("dbt"), refresh.state_dir(settings), 1)

    with psycopg.connect(settings.database.role_url("dbt")) as connection:
        found = connection.execute("SELECT to_regclass('intermediate.int_campaigns')").fetchone()
    assert found == (None,)
