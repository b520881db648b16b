"""Kinds of tests and groups of tests, by folder and file.

A kind is a marker that says what a test needs. `make test` leaves out the kind `deep`; `make test-fast` leaves out
every kind in `NOT_FAST` as well. Neither even imports the files whose tests it leaves out.

A group is the tests that run on one worker, because they share a database, a build or an installation. By default a
group is a file. xdist hands groups out in the order of collection, so the groups that take longest come first.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

DEEP = frozenset({"deep", "proof", "browser", "upgrade", "volume", "installation"})
NOT_FAST = DEEP | {"cli", "dagster", "dbt", "demo", "rendering", "slow"}
TESTS = Path(__file__).parent


@dataclass(frozen=True)
class Place:
    """A folder or file of tests: its kinds, and whether the whole folder is one group."""

    path: str
    kinds: tuple[str, ...] = ()
    is_group: bool = False


# The longest first. Of several places that hold a test, the first one counts.
PLACES = (
    Place("browser", ("browser",), is_group=True),
    Place("benchmarks", ("proof",), is_group=True),
    Place("proofs", ("proof",)),
    Place("contracts", ("deep",)),
    Place("upgrade", ("upgrade",)),
    Place("orchestration/defs/test_runs.py", ("dagster", "dbt", "deep")),
    Place("orchestration/refresh", ("dbt", "demo", "deep"), is_group=True),
    Place("orchestration/test_empty_installation.py", ("dbt", "deep")),
    Place("orchestration/test_killed_builds.py", ("dbt", "deep")),
    Place("orchestration/test_run_launcher.py", ("dagster", "deep")),
    Place("dbt_project", ("dbt",), is_group=True),
    Place("cli/test_up.py", ("installation",)),
    Place("permissions/test_matrix.py", ("deep",)),
    Place("cli/commands", ("cli",), is_group=True),
    Place("orchestration/defs", ("dagster", "dbt")),
    Place("orchestration/web", ("dagster",)),
    Place("imports/test_real_elections.py", ("volume",)),
    Place("coins/test_plans.py", ("volume",)),
    Place("ideas/lists/test_plans.py", ("volume",)),
    Place("cli/demo", ("demo",), is_group=True),
    Place("cli/local/test_database_watchdog.py", ("installation",)),
    Place("cli/local/test_postgres.py", ("installation",)),
    Place("cli/local/test_supervisor.py", ("installation",)),
    Place("sso", ("slow",), is_group=True),
    Place("pipelines/test_warehouse.py", ("dbt",)),
    Place("pipelines/reports", ("rendering",)),
    Place("dashboards", ("rendering",)),
    Place("analytics", ("rendering",)),
    *(
        Place(path, ("slow",))
        for path in (
            "migrations",
            "pipelines/quality",
            "coins/test_rates.py",
            "auth/test_dependencies.py",
            "cli/local",
            "auth/test_routes.py",
            "auth/test_api_tokens.py",
            "audit",
            "scans",
            "test_worker.py",
            "test_server.py",
            "attachments",
            "sharing",
            "kernel/test_storage.py",
            "kernel/test_request_rates.py",
            "kernel/test_response_headers.py",
            "kernel/test_representations.py",
            "coins/test_tampering.py",
            "coins/test_ledger_export.py",
            "campaigns/test_lifecycle.py",
            "kernel/test_jobs.py",
            "pipelines/test_marts.py",
            "web",
            "coins/test_bulk.py",
            "coins/test_chain_rights.py",
            "coins/test_chain.py",
            "campaigns/test_coin_events.py",
            "coins/test_balances.py",
            "campaigns/test_dates.py",
            "ideas/test_steps.py",
            "coins/test_routes.py",
            "events/test_following.py",
            "kernel/test_http_limits.py",
            "campaigns/test_coin_routes.py",
            "imports/test_properties.py",
            "pipelines/builds",
            "imports/test_export.py",
            "coins/test_background.py",
            "events/test_operations.py",
            "events/test_every_kind.py",
            "kernel/test_shared_rates.py",
            "coins/test_concurrency.py",
        )
    ),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fast", action="store_true", help="run the tests of the inner loop (make test-fast)")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    found = place_of(collection_path)
    return True if found is not None and not left_out(config).isdisjoint(found.kinds) else None


class GroupScheduling(LoadScopeScheduling):  # type: ignore[misc] # xdist has no types
    """Gives whole groups to workers. xdist's own `loadgroup` writes the group into the test's id, which pytest 9.2 ignores."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(TESTS.parent / nodeid.partition("::")[0])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> GroupScheduling:
    return GroupScheduling(config, log)


def pytest_itemcollected(item: pytest.Item) -> None:
    found = place_of(item.path)
    for kind in found.kinds if found else ():
        item.add_marker(kind)
    if is_of(item, DEEP):
        item.add_marker("deep")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order the groups, and select the tests of the inner loop."""
    ranks = {place: rank for rank, place in enumerate(PLACES)}
    items.sort(key=lambda item: ranks.get(place_of(item.path), len(PLACES)))  # type: ignore[arg-type]
    if config.getoption("--fast"):
        config.hook.pytest_deselected(items=[item for item in items if is_of(item, NOT_FAST)])
        items[:] = [item for item in items if not is_of(item, NOT_FAST)]


def left_out(config: pytest.Config) -> frozenset[str]:
    """The kinds that this run leaves out by file."""
    if config.getoption("--fast"):
        return NOT_FAST
    return DEEP if config.getoption("markexpr") == "not deep" else frozenset()


@cache  # asked for each of thousands of tests
def place_of(path: Path) -> Place | None:
    """The first place that holds a file or folder."""
    inside = within_tests(path)
    return next((place for place in PLACES if inside.is_relative_to(place.path)), None)


def group_of(path: Path) -> str:
    """The group of the tests in a file."""
    found = place_of(path)
    return found.path if found and found.is_group else str(within_tests(path))


def within_tests(path: Path) -> PurePosixPath:
    return PurePosixPath(path.relative_to(TESTS)) if path.is_relative_to(TESTS) else PurePosixPath(path.name)


def is_of(item: pytest.Item, kinds: frozenset[str]) -> bool:
    return any(mark.name in kinds for mark in item.iter_markers())
