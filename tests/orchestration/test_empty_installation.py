"""The refresh of an installation that no one has used yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from orchestration import refresh
from pipelines import exports, warehouse
from tests.factories.warehouse import database_of_its_own, seed

if TYPE_CHECKING:
    from pathlib import Path

    from settings import Settings


def test_an_empty_installation_publishes_empty_tables(server: Settings, worker: str, tmp_path: Path) -> None:
    with database_of_its_own(server, f"empty_{worker}", tmp_path) as settings:
        result = refresh.refresh(settings)
        assert result.warnings == ()
        assert {name for name, rows in result.rows.items() if rows} == {"dim_figures", "fct_figures"}
        with duckdb.connect(str(result.folder / exports.DATABASE_FILE), read_only=True) as connection:
            known = connection.execute(
                "SELECT scope_kind, figure, value FROM fct_figures WHERE value IS NOT NULL AND period = 'to_date'"
            ).fetchall()
        assert known == [("organisation", "overdue", 0.0)]

        # An unused platform is quiet, which is no failure.
        url = settings.database.role_url("dbt")
        assert warehouse.freshness(url, refresh.state_dir(settings)) == (
            warehouse.SourceAge("app.coin_transfers", None, is_quiet=True),
            warehouse.SourceAge("app.events", None, is_quiet=True),
        )
        seed(settings)
        (transfers, events) = warehouse.freshness(url, refresh.state_dir(settings))
        assert transfers.written_at is not None
        assert not transfers.is_quiet
        assert not events.is_quiet
