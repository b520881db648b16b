"""The build lock: one build at a time, and no work of a killed build beside the next one."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

import psycopg
import pytest

from pipelines.builds import BuildLockLost, Status, hold_build_lock
from tests.factories.clocks import GIVE_UP_AFTER_S
from tests.pipelines.builds.conftest import model

if TYPE_CHECKING:
    from settings import Settings


class TestOneBuildAtATime:
    def test_a_second_one_waits_and_names_the_holder(self, database: Settings) -> None:
        url = database.database.role_url("dbt")
        said: list[str] = []
        entered = threading.Event()

        def second() -> None:
            with hold_build_lock(url, "the second", said.append):
                entered.set()

        with hold_build_lock(url, "the first", said.append):
            waiting = threading.Thread(target=second)
            waiting.start()
            deadline = time.monotonic() + GIVE_UP_AFTER_S
            while not said and time.monotonic() < deadline:
                time.sleep(0.05)
            assert not entered.is_set()
        waiting.join(GIVE_UP_AFTER_S)

        assert entered.is_set()
        assert len(said) == 1
        assert said[0].startswith("another build is running: the first (build), since ")
        assert said[0].endswith(" UTC; waiting for it to end")

    def test_ends_with_its_block_even_when_that_fails(self, database: Settings) -> None:
        url = database.database.role_url("dbt")
        said: list[str] = []

        with pytest.raises(ZeroDivisionError), hold_build_lock(url, "one that fails", said.append):
            raise ZeroDivisionError
        with hold_build_lock(url, "the next", said.append) as lock:
            lock.confirm()

        assert said == []

    def test_a_lock_whose_connection_ended_is_lost(self, database: Settings, admin_url: str) -> None:
        with hold_build_lock(database.database.role_url("dbt"), "one", print) as lock:
            with psycopg.connect(admin_url, autocommit=True) as connection:
                connection.execute("SELECT pg_terminate_backend(%s)", (lock.connection.info.backend_pid,))

            with pytest.raises(BuildLockLost, match="nothing was published"):
                lock.confirm()


def statuses(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("SELECT status FROM builds.builds ORDER BY build_id")]


class TestBegin:
    def test_records_the_result_of_the_block(self, url: str) -> None:
        with hold_build_lock(url, "tests", print) as lock:
            with lock.begin() as build, model(url, build.build_id, "dim_ideas"):
                assert statuses(url) == ["running"]
            with lock.begin(is_partial=True):
                pass
            with pytest.raises(ZeroDivisionError), lock.begin():
                raise ZeroDivisionError

        assert statuses(url) == [Status.PASSED, Status.PARTIAL, Status.FAILED]

    def test_a_process_without_a_running_build_builds_nothing(self, url: str) -> None:
        with hold_build_lock(url, "tests", print) as lock:
            with lock.begin() as build:
                pass
            for build_id, reason in ((build.build_id, "not running any more"), ("", "hold the build lock")):
                with pytest.raises(psycopg.errors.RaiseException, match=reason), model(url, build_id, "dim_ideas"):
                    pass

            assert lock.connection.execute("SELECT count(*) FROM builds.marts").fetchone() == (0,)


class TestKilledBuild:
    def test_is_ended_before_the_next_one_begins(self, url: str) -> None:
        with (
            contextlib.suppress(psycopg.OperationalError),
            hold_build_lock(url, "the killed", print) as lock,
            lock.begin() as killed,
            model(url, killed.build_id, "dim_ideas") as orphan,
        ):
            orphan.execute("CREATE TABLE builds.of_the_orphan (n int)")
            # The holder dies: PostgreSQL ends its connection and frees the lock.
            with psycopg.connect(url, autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s)", (lock.connection.info.backend_pid,))

            # The orphan is inside a model's transaction, which the next build ends.
            with hold_build_lock(url, "the next", print) as following:
                assert [build.build_id for build in following.killed] == [killed.build_id]
                assert statuses(url) == [Status.KILLED]
                with pytest.raises(psycopg.OperationalError):
                    orphan.execute("SELECT 1")
                refused = pytest.raises(psycopg.errors.RaiseException, match="not running any more")
                with refused, model(url, killed.build_id, "dim_ideas"):
                    pass
                with following.begin() as build, model(url, build.build_id, "dim_ideas"):
                    pass

        with psycopg.connect(url) as connection:
            marts = connection.execute("SELECT mart, build_id FROM builds.marts").fetchall()
            assert marts == [("dim_ideas", build.build_id)]
            assert connection.execute("SELECT to_regclass('builds.of_the_orphan')").fetchone() == (None,)
        assert statuses(url) == [Status.KILLED, Status.PASSED]
