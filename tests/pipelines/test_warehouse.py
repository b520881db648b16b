"""Builds with dbt: one at a time, with the reason of a failure."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import psycopg
import pytest

from pipelines import warehouse
from pipelines.build_lock import BuildLockLost, hold_build_lock
from tests.factories.clocks import GIVE_UP_AFTER_S

if TYPE_CHECKING:
    from pathlib import Path

    from settings import Settings


class TestEnvironment:
    def test_contains_every_part_of_the_log_in(self) -> None:
        found = warehouse.environment("postgresql://ideamint_dbt:s%2Fecret@db.example:6543/ideas?sslmode=require")

        assert found["IDEAMINT_WAREHOUSE_HOST"] == "db.example"
        assert found["IDEAMINT_WAREHOUSE_PORT"] == "6543"
        assert found["IDEAMINT_WAREHOUSE_USER"] == "ideamint_dbt"
        assert found[warehouse.PASSWORD_VARIABLE] == "s/ecret"
        assert found["IDEAMINT_WAREHOUSE_DATABASE"] == "ideas"
        assert found["IDEAMINT_WAREHOUSE_SSLMODE"] == "require"


class TestOneBuildAtATime:
    def test_a_second_one_waits_and_reports_the_first(self, database: Settings) -> None:
        url = database.database.role_url("dbt")
        reports: list[str] = []
        entered = threading.Event()

        def second() -> None:
            with hold_build_lock(url, "the second", reports.append):
                entered.set()

        with hold_build_lock(url, "the first", reports.append):
            waiting = threading.Thread(target=second)
            waiting.start()
            deadline = time.monotonic() + GIVE_UP_AFTER_S
            while not reports and time.monotonic() < deadline:
                time.sleep(0.05)
            assert not entered.is_set()
        waiting.join(GIVE_UP_AFTER_S)

        assert entered.is_set()
        assert len(reports) == 1
        assert reports[0].startswith("another build is running: the first (build), since ")
        assert reports[0].endswith(" UTC; waiting for it to end")

    def test_ends_with_its_block_even_after_an_error(self, database: Settings) -> None:
        url = database.database.role_url("dbt")
        reports: list[str] = []

        with pytest.raises(ZeroDivisionError), hold_build_lock(url, "one that fails", reports.append):
            raise ZeroDivisionError
        with hold_build_lock(url, "the next", reports.append) as lock:
            lock.confirm()

        assert reports == []

    def test_a_lock_is_lost_with_its_connection(self, database: Settings, admin_url: str) -> None:
        with hold_build_lock(database.database.role_url("dbt"), "one", print) as lock:
            with psycopg.connect(admin_url, autocommit=True) as connection:
                connection.execute("SELECT pg_terminate_backend(%s)", (lock.connection.info.backend_pid,))

            with pytest.raises(BuildLockLost, match="nothing was published"):
                lock.confirm()


class TestParse:
    def test_needs_no_database(self, manifest: Path) -> None:
        assert manifest.name == "manifest.json"
        assert "fct_coin_conservation" in warehouse.marts(manifest)
        assert not any(name.startswith(("stg_", "int_")) for name in warehouse.marts(manifest))
        assert [path.name for path in manifest.parent.iterdir()] == ["manifest.json"]
