"""The way from the ledger to the published files, on the demo's company."""

from __future__ import annotations

import datetime as dt
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import duckdb
import psycopg
import pytest

from cli.demo.run import make_demo
from cli.local import postgres
from cli.local.databases import with_database as url_of
from cli.local.installation import with_database
from orchestration import monthly, refresh
from pipelines import exports, marts, quality, warehouse
from tests.factories.warehouse import Seeder, database_of_its_own

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from settings import Settings


@dataclass
class Company:
    """The demo, refreshed once after a coin had been missing, and while people went on for some rounds.

    `admin_url` is the superuser's.
    """

    settings: Settings
    admin_url: str
    result: refresh.RefreshResult
    rounds_meanwhile: int

    @property
    def data_dir(self) -> Path:
        return self.settings.paths.data_dir


@pytest.fixture(scope="module")
def company(server: Settings, worker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    name = f"company_{worker}"
    with database_of_its_own(server, name, tmp_path_factory.mktemp("company")) as settings:
        with_database(settings, make_demo)
        exports.note_refusal(refresh.exports_dir(settings), ["a coin was missing"])
        with people_going_on(settings) as done:
            result = refresh.refresh(settings)
        yield Company(settings, url_of(postgres.admin_url(server), name), result, len(done))


@contextmanager
def people_going_on(settings: Settings) -> Iterator[list[int]]:
    """While the block runs: new campaigns, people who join and leave, ideas, coins on them, and what managers decide."""
    ended = threading.Event()
    done: list[int] = []

    def go_on() -> None:
        with psycopg.connect(settings.database.role_url("app"), autocommit=True) as connection:
            seeder = Seeder(connection)
            while not ended.wait(0.2):
                slug = f"meanwhile-{len(done) // 15}"
                if len(done) % 15 == 0:
                    seeder.campaign(slug, "05-01", currency="EUR")
                people = [f"person-{len(done)}-{number}" for number in range(6)]
                ideas = [f"{slug} idea {len(done)}-{number}" for number in range(5)]
                seeder.join(slug, "05-02", *people)
                for title, (author, backer) in zip(ideas, pairwise(people), strict=True):
                    seeder.idea(slug, title, author, "05-03")
                    seeder.move(slug, "05-04", backer, 40, to=title)
                seeder.step(ideas[0], "accepted", "05-05", coins="expire")
                seeder.step(ideas[1], "rejected", "05-05", coins="return")
                seeder.leave(slug, "05-06", people[-1])
                done.append(1)

    with ThreadPoolExecutor(1) as pool:
        going_on = pool.submit(go_on)
        try:
            yield done
        finally:
            ended.set()
            going_on.result()


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
    def test_publishes_what_it_says(self, company: Company) -> None:
        assert marts.published(company.data_dir).id == company.result.snapshot
        assert company.result.warnings == ()
        assert company.result.rows == {
            name: table["rows"]
            for name, table in json.loads((company.result.folder / "manifest.json").read_text())["tables"].items()
        }
        assert exports.find_refusal(refresh.exports_dir(company.settings)) is None

    def test_holds_while_people_go_on(self, company: Company) -> None:
        with psycopg.connect(company.settings.database.role_url("app")) as connection:
            row = connection.execute("SELECT count(*) FROM app.campaigns WHERE slug LIKE 'meanwhile-%'").fetchone()

        assert row is not None
        assert row[0] > 1
        assert company.rounds_meanwhile > 20
        assert 4 <= company.result.rows["dim_campaigns"] <= 4 + row[0]

    def test_lets_every_own_campaign_be_reported(self, company: Company) -> None:
        made = monthly.write_monthly_reports(company.settings, "2025-04", made_at=dt.datetime.now(dt.UTC))

        with marts.open_snapshot(company.data_dir, marts.Scope.ALL) as reader:
            assert {file.stem for file in made.files} == {campaign.slug for campaign in reader.campaigns()}
        assert len(made.files) >= 8
        assert sorted(made.folder.iterdir()) == sorted(made.files)
        assert all(file.stat().st_size > 5000 for file in made.files)

    def test_publishes_nobodys_name_and_address(self, company: Company) -> None:
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
        before = marts.published(company.data_dir).id
        with superuser(company.admin_url) as connection:
            row = connection.execute(
                "UPDATE app.coin_accounts SET balance_coins = balance_coins - 1 WHERE id = "
                "(SELECT min(id) FROM app.coin_accounts WHERE kind = 'wallet' AND balance_coins > 0) RETURNING id"
            ).fetchone()
            assert row is not None
            try:
                with pytest.raises(warehouse.BuildFailed, match="conservation_holds") as refused:
                    refresh.refresh(company.settings)
                with pytest.raises(quality.SnapshotRefused, match="difference_coins"):
                    refresh.export(company.settings)
                made = monthly.write_monthly_reports(company.settings, "2025-05", made_at=dt.datetime.now(dt.UTC))
            finally:
                connection.execute(
                    "UPDATE app.coin_accounts SET balance_coins = balance_coins + 1 WHERE id = %s", (row[0],)
                )

        assert refused.value.conservation_broke
        assert marts.published(company.data_dir).id == before
        assert exports.snapshots(refresh.exports_dir(company.settings)) == [before]
        assert made.files == ()
        assert "The reports for 2025-05 were not made." in (made.folder / monthly.NOTICE_FILE).read_text()
        refusal = exports.find_refusal(refresh.exports_dir(company.settings))
        assert refusal is not None
        assert any("difference_coins" in reason for reason in refusal.reasons)

    def test_of_an_empty_installation_publishes_empty_tables(
        self, server: Settings, worker: str, tmp_path: Path
    ) -> None:
        with database_of_its_own(server, f"nobody_{worker}", tmp_path) as settings:
            result = refresh.refresh(settings)

        assert result.warnings == ()
        assert {name for name, rows in result.rows.items() if rows} == {"dim_figures", "fct_figures"}
        with duckdb.connect(str(result.folder / exports.DATABASE_FILE), read_only=True) as connection:
            known = connection.execute(
                "SELECT scope_kind, figure, value FROM fct_figures WHERE value IS NOT NULL AND period = 'to_date'"
            ).fetchall()
        assert known == [("organisation", "overdue", 0.0)]


class TestMonthOf:
    @pytest.mark.parametrize(
        ("moment", "month"),
        [
            ("2025-12-01T06:00:00+00:00", "2025-11"),
            ("2025-12-02T06:00:00+00:00", "2025-12"),
            ("2026-01-01T01:00:00+02:00", "2025-12"),
        ],
    )
    def test_is_that_of_the_day_before(self, moment: str, month: str) -> None:
        assert monthly.month_of(dt.datetime.fromisoformat(moment)) == month
