"""The plugins of the test suite, and the rule that a run of the checks skips no test."""

from __future__ import annotations

import gc
import os
import sys

import pytest

pytest_plugins = ["tests.selection", "tests.run_folder", "tests.databases", "tests.figures", "tests.responses"]


def pytest_configure() -> None:
    """Collection creates objects that live until the end: the garbage collector would visit them again and again."""
    gc.disable()


def pytest_collection_finish() -> None:
    """The garbage collector does not visit the tests and modules again."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """With CI=true a skipped test counts as failed. A measured worker writes what it covered, since xdist may kill it later."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") == "true" and reporter is not None and reporter.stats.get("skipped"):
        reporter.write_line(f"{len(reporter.stats['skipped'])} tests were skipped, and CI=true allows none", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    if measured := sys.modules.get("measured"):
        measured.write()
