"""The demo's company, refreshed once by command; the tests of the refresh share it."""

from __future__ import annotations

import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from cli.local import databases, postgres
from cli.local.databases import with_database as url_of
from orchestration import refresh
from pipelines import exports, marts
from tests.factories.shells import Done, Shell
from tests.factories.warehouse import Seeder, database_of_its_own

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what Dagster's packages warn of at import
    import orchestration.dagster_records  # noqa: F401

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settings import Settings

ROUNDS_MAX = 100


@dataclass(frozen=True)
class Company:
    """The demo, refreshed once after an earlier refusal and while people used the platform.

    `admin_url` is the superuser's. `published` is the snapshot that was current after the refresh. `rounds` counts how often
    people did everything while the refresh ran.
    """

    settings: Settings
    admin_url: str
    ideamint: Shell
    refreshed: Done
    published: str
    rounds: int

    @property
    def data_dir(self) -> Path:
        return self.settings.paths.data_dir

    @property
    def result(self) -> Any:
        """What `ideamint refresh --json` printed."""
        return self.refreshed.json

    @property
    def folder(self) -> Path:
        """The published snapshot."""
        return Path(self.result["folder"])


@pytest.fixture(scope="session")
def company(
    server: Settings, worker: str, demo_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Company]:
    name = f"company_{worker}"
    folder = tmp_path_factory.mktemp("company")
    with database_of_its_own(server, name, folder, template=demo_template) as shared:
        settings = shared.with_(dagster_database=f"dagster_{name}")
        databases.prepare(url_of(postgres.admin_url(server), name), settings)
        ideamint = Shell(folder, variables=variables(settings))
        exports.note_refusal(refresh.exports_dir(settings), ["a coin was missing"])
        with people_active(settings) as rounds:
            refreshed = ideamint("refresh", "--json")
        assert refreshed.code == 0, refreshed.err
        yield Company(
            settings,
            url_of(postgres.admin_url(server), name),
            ideamint,
            refreshed,
            marts.published(folder).id,
            len(rounds),
        )


def variables(settings: Settings) -> dict[str, str]:
    """The environment of a process that uses the same database and log-ins."""
    passwords = {
        f"IDEAMINT_{role.upper()}_PASSWORD": settings.database.role_password(role)
        for role in ("app", "dbt", "reader", "dagster")
    }
    return {
        "IDEAMINT_DATABASE_URL": str(settings.database.url),
        "IDEAMINT_DAGSTER_DATABASE": settings.database.dagster_name,
        **passwords,
    }


@contextmanager
def people_active(settings: Settings) -> Iterator[list[int]]:
    """While the block runs: new campaigns, people who join and leave, ideas, coins on them, and decisions of managers."""
    ended = threading.Event()
    rounds: list[int] = []

    def act() -> None:
        with psycopg.connect(settings.database.role_url("app"), autocommit=True) as connection:
            seeder = Seeder(connection)
            # no more than this: each round is also work for the refresh that they accompany
            while not ended.wait(0.2) and len(rounds) < ROUNDS_MAX:
                number = len(rounds)
                slug = f"meanwhile-{number // 15}"
                if number % 15 == 0:
                    seeder.campaign(slug, "05-01", currency="EUR")
                people = [f"person-{number}-{each}" for each in range(6)]
                ideas = [f"{slug} idea {number}-{each}" for each in range(5)]
                seeder.join(slug, "05-02", *people)
                for title, (author, backer) in zip(ideas, pairwise(people), strict=True):
                    seeder.idea(slug, title, author, "05-03")
                    seeder.move(slug, "05-04", backer, 40, to=title)
                seeder.step(ideas[0], "accepted", "05-05", coins="expire")
                seeder.step(ideas[1], "rejected", "05-05", coins="return")
                seeder.leave(slug, "05-06", people[-1])
                rounds.append(number)

    with ThreadPoolExecutor(1) as pool:
        acting = pool.submit(act)
        try:
            yield rounds
        finally:
            ended.set()
            acting.result()
