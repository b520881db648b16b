"""Only the marts of one passed build can be published."""

from __future__ import annotations

import psycopg
import pytest

from pipelines.builds import BuildLock, NotPublishable, hold_build_lock, publishable
from tests.pipelines.builds.conftest import model

MARTS = ("dim_ideas", "fct_coin_conservation")


def build(url: str, lock: BuildLock, *marts: str, is_partial: bool = False) -> int:
    with lock.begin(is_partial=is_partial) as current:
        for mart in marts:
            with model(url, current.build_id, mart):
                pass
    return current.build_id


class TestPublishable:
    def test_is_the_newest_build_if_every_mart_is_of_it(self, url: str) -> None:
        with hold_build_lock(url, "tests", print) as lock:
            build(url, lock, *MARTS)
            newest = build(url, lock, *MARTS)

        assert publishable(url, MARTS) == newest

    def test_refuses_a_database_without_builds(self, url: str) -> None:
        with pytest.raises(NotPublishable, match="there is no build yet"):
            publishable(url, MARTS)
        with hold_build_lock(url, "tests", print), pytest.raises(NotPublishable, match="there is no build yet"):
            publishable(url, MARTS)

    def test_refuses_marts_of_several_builds(self, url: str) -> None:
        with hold_build_lock(url, "tests", print) as lock:
            first = build(url, lock, *MARTS)
            build(url, lock, "fct_coin_conservation")

        with pytest.raises(NotPublishable, match=rf"not all of build \d+ .*: dim_ideas \(build {first}\)"):
            publishable(url, MARTS)

    def test_refuses_a_mart_without_a_build(self, url: str) -> None:
        with hold_build_lock(url, "tests", print) as lock:
            build(url, lock, "dim_ideas")

        with pytest.raises(NotPublishable, match=r"fct_coin_conservation \(build unknown\)"):
            publishable(url, MARTS)

    def test_refuses_a_partial_build_even_of_every_mart(self, url: str) -> None:
        with hold_build_lock(url, "tests", print) as lock:
            build(url, lock, *MARTS)
            build(url, lock, *MARTS, is_partial=True)

        with pytest.raises(NotPublishable, match="built only a part of the models"):
            publishable(url, MARTS)

    def test_refuses_after_a_failed_build_that_replaced_nothing(self, url: str) -> None:
        with hold_build_lock(url, "tests", print) as lock:
            build(url, lock, *MARTS)
            with pytest.raises(ZeroDivisionError), lock.begin():
                raise ZeroDivisionError

        with pytest.raises(NotPublishable, match=r"build \d+ \(tests, .* UTC\) failed"):
            publishable(url, MARTS)

    def test_refuses_after_a_killed_build(self, url: str) -> None:
        with hold_build_lock(url, "tests", print) as lock:
            build(url, lock, *MARTS)
            lock.connection.execute("INSERT INTO builds.builds (holder) VALUES ('the killed')")
        with hold_build_lock(url, "tests", print):
            pass

        with pytest.raises(NotPublishable, match=r"build \d+ \(the killed, .* UTC\) was killed"):
            publishable(url, MARTS)

    def test_names_the_marts_of_the_project_only_once(self, url: str) -> None:
        with hold_build_lock(url, "tests", print) as lock:
            build(url, lock, *MARTS)
            build(url, lock, *MARTS)
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM builds.marts").fetchone() == (2,)
