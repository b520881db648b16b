"""One build of a known past, which the tests of its figures share."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from cli.local.installation import with_database
from orchestration import refresh
from pipelines import exports, warehouse
from pipelines.builds import hold_build_lock
from tests.factories import warehouse as factory
from tests.factories.ledgers import seal_now
from tests.run_folder import ELECTIONS_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settings import Settings


LARGE_BYTES = 300_000


@dataclass
class Built:
    """A built warehouse, its published snapshot, and the names of what is in it."""

    settings: Settings
    names: factory.Seeder
    snapshot: duckdb.DuckDBPyConnection
    result: warehouse.BuildResult

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return self.snapshot.execute(query, list(values)).fetchall()

    def figures(self, scope: str, period: str) -> dict[str, tuple[Any, ...]]:
        """Numerator, denominator and value by figure; of an unknown figure, the reason."""
        scope_id = str(self.names.campaigns.get(scope, scope))
        rows = self.rows(
            "SELECT figure, currency, numerator::DOUBLE, denominator::DOUBLE, value, unknown_reason FROM fct_figures "
            "WHERE scope_id = ? AND period = ?",
            scope_id,
            period,
        )
        assert len({(row[0], row[1]) for row in rows}) == len(rows)
        return {row[0]: (row[5],) if row[5] else (row[2], row[3], row[4]) for row in rows}


@pytest.fixture(scope="session")
def built(server: Settings, worker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    with factory.database_of_its_own(server, f"warehouse_{worker}", tmp_path_factory.mktemp("warehouse")) as settings:
        names = factory.seed(settings)
        with_database(
            settings, lambda database: factory.import_elections(database, sorted(factory.ELECTIONS.glob("*.pb")))
        )
        if elections := os.environ.get(ELECTIONS_VARIABLE):
            # the large ones are the imports' to check
            real = [path for path in sorted(Path(elections).glob("*.pb")) if path.stat().st_size < LARGE_BYTES]
            with_database(settings, lambda database: factory.import_elections(database, real))
        with_database(settings, seal_now)
        url = settings.database.role_url("dbt")
        with hold_build_lock(url, "tests", print) as lock:
            with lock.begin() as build:
                result = warehouse.build(
                    url, refresh.state_dir(settings), build.build_id, as_of=factory.AS_OF, unit_tests=True
                )
            staged = refresh.stage(settings, refresh.Silent())
        folder = exports.publish(staged)
        with duckdb.connect(str(folder / exports.DATABASE_FILE), read_only=True) as snapshot:
            snapshot.execute("SET TimeZone = 'UTC'")
            yield Built(settings, names, snapshot, result)
