"""One installation for the commands; its server runs, so that they need not start it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.factories.forks import forking
from tests.factories.shells import ROOT, Shell, installed

if TYPE_CHECKING:
    from collections.abc import Iterator

ELECTIONS = ROOT / "tests" / "imports" / "elections"


@pytest.fixture(scope="session")
def ideamint() -> Iterator[Shell]:
    """The command line of the installation."""
    with forking() as run, installed(run) as shell:
        assert shell("db", "start").code == 0
        yield shell


@pytest.fixture(scope="session")
def admin_url(ideamint: Shell) -> str:
    """URL of the running server with the administrator's log-in."""
    return ideamint("db", "url").out.strip()


@pytest.fixture(scope="session")
def imported(ideamint: Shell) -> str:
    """Slug of an election in the installation."""
    done = ideamint("import", "pabulib", str(ELECTIONS / "cumulative.pb"), "--json")
    assert done.code == 0, done.err
    return str(done.json["imported"][0]["slug"])
