"""The way from the ledger to the published files, on the demo's company."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

import duckdb
import psycopg
import pytest

from orchestration import monthly, refresh
from pipelines import exports, marts, warehouse
from pipelines.builds import NotPublishable
from tests.factories.warehouse import without_a_coin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.orchestration.refresh.conftest import Company


def superuser(url: str) -> psycopg.Connection:
    """A connection that no trigger and no right holds back."""
    connection = psycopg.connect(url, autocommit=True)
    connection.execute("SET session_replication_role = replica")
    return connection


def texts(folder: Path) -> Iterator[tuple[str, str]]:
    """Every text in every file of a snapshot, with the place where it stands."""
    yield "manifest", (folder / "manifest.json").read_text()
    with duckdb.connect(str(folder / exports.DATABASE_FILE), read_only=True) as connection:
        tables = [row[0] for row in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        sources = {table: table for table in tables} | {
            path.name: f"read_parquet('{path}')" for path in folder.glob("*.parquet")
        }
        for name, source in sources.items():
            for row in connection.execute(f"SELECT COLUMNS(*)::VARCHAR FROM {source}").fetchall():
                for cell in row:
                    if cell:
                        yield name, cell


class TestRefresh:
    def test_publishes_the_snapshot_that_it_reports(self, company: Company) -> None:
        assert company.published == company.result["snapshot"]
        assert company.result["warnings"] == []
        assert company.result["rows"] == {
            name: table["rows"]
            for name, table in json.loads((company.folder / "manifest.json").read_text())["tables"].items()
        }
        assert exports.find_refusal(refresh.exports_dir(company.settings)) is None

    def test_is_consistent_while_people_use_the_platform(self, company: Company) -> None:
        with psycopg.connect(company.settings.database.role_url("app")) as connection:
            row = connection.execute("SELECT count(*) FROM app.campaigns WHERE slug LIKE 'meanwhile-%'").fetchone()

        assert row is not None
        assert row[0] > 1
        assert company.rounds > 20
        assert 4 <= company.result["rows"]["dim_campaigns"] <= 4 + row[0]

    def test_lets_every_own_campaign_be_reported(self, company: Company) -> None:
        made = monthly.write_monthly_reports(company.settings, "2025-04", made_at=dt.datetime.now(dt.UTC))

        with marts.open_snapshot(company.data_dir, marts.Scope.ALL) as reader:
            assert {file.stem for file in made.files} == {campaign.slug for campaign in reader.campaigns()}
        assert len(made.files) >= 8
        assert sorted(made.folder.iterdir()) == sorted(made.files)
        assert all(file.stat().st_size > 5000 for file in made.files)

    def test_publishes_no_name_or_address_of_a_person(self, company: Company) -> None:
        with superuser(company.admin_url) as connection:
            people = connection.execute("SELECT lower(email), lower(display_name) FROM app.users").fetchall()
        secrets = {text for person in people for text in person if text}
        assert len(people) >= 200
        assert len(secrets) >= 2 * 200

        everything = {text.lower() for _, text in texts(marts.published(company.data_dir).folder)}
        blob = "\x00".join(everything)

        assert len(everything) > 1000
        assert [secret for secret in secrets if secret in blob] == []

    def test_carries_no_quasi_identifier_of_a_person(self, company: Company) -> None:
        with duckdb.connect(
            str(marts.published(company.data_dir).folder / exports.DATABASE_FILE), read_only=True
        ) as connection:
            columns = {
                row[0]
                for row in connection.execute("SELECT column_name FROM duckdb_columns() WHERE NOT internal").fetchall()
            }
            groups = connection.execute(
                "SELECT min(members) FROM fct_participation_by_group WHERE NOT is_suppressed"
            ).fetchone()

        assert (
            columns & {"age", "age_band", "sex", "district", "department", "attributes", "email", "display_name"}
            == set()
        )
        assert groups is not None
        assert groups[0] >= 5

    def test_a_missing_coin_stops_the_publication(self, company: Company) -> None:
        published = marts.published(company.data_dir).id
        snapshots = exports.snapshots(refresh.exports_dir(company.settings))
        with without_a_coin(company.admin_url) as campaign:
            with pytest.raises(warehouse.BuildFailed, match="conservation_holds") as refused:
                refresh.refresh(company.settings)
            with pytest.raises(NotPublishable, match="failed, so nothing was published"):
                refresh.export(company.settings)
            made = monthly.write_monthly_reports(company.settings, "2025-05", made_at=dt.datetime.now(dt.UTC))

        assert refused.value.conservation_broke
        assert marts.published(company.data_dir).id == published
        assert exports.snapshots(refresh.exports_dir(company.settings)) == snapshots
        assert made.files == ()
        assert "The reports for 2025-05 were not made." in (made.folder / monthly.NOTICE_FILE).read_text()
        refusal = exports.find_refusal(refresh.exports_dir(company.settings))
        assert refusal is not None
        assert refusal.reasons[0].startswith(f"{campaign}: 1 coin missing (")
        assert "1 balance differs from the postings of the account" in refusal.reasons[0]
        assert refusal.reasons[0] in (made.folder / monthly.NOTICE_FILE).read_text()
