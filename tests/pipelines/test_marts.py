from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pytest
import yaml

from pipelines import marts
from pipelines.marts import Period, Scope
from tests.factories.marts import CREATED_AT, write_snapshot
from tests.factories.marts_tables import TABLES
from tests.factories.marts_world import HOSTILE_TITLE, campaign_id, rows

if TYPE_CHECKING:
    from collections.abc import Iterator

GREENER = campaign_id("greener-offices")
FASTER = campaign_id("faster-deliveries")
LODZ = campaign_id("lodz-2020")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("marts")
    write_snapshot(folder)
    return folder


@pytest.fixture(scope="module")
def reader(data_dir: Path) -> Iterator[marts.Marts]:
    with marts.open_snapshot(data_dir, Scope.ALL) as reader:
        yield reader


@pytest.fixture(scope="module")
def managers(data_dir: Path) -> Iterator[marts.Marts]:
    """A reader in the scope of a manager of one campaign and one imported election."""
    with marts.open_snapshot(data_dir, Scope.of([GREENER, LODZ])) as reader:
        yield reader


def changed(table: str, **columns: Any) -> dict[str, list[dict[str, Any]]]:
    """The rows of a table with changed columns."""
    return {table: [{**row, **columns} for row in rows()[table]]}


class TestPublished:
    def test_returns_the_snapshot_and_its_time(self, data_dir: Path) -> None:
        snapshot = marts.published(data_dir)
        assert snapshot.id == "20260630T040000Z"
        assert snapshot.created_at == CREATED_AT
        assert snapshot.created_at.tzinfo is UTC

    def test_the_database_is_in_the_folder_of_the_snapshot(self, data_dir: Path) -> None:
        assert marts.published(data_dir).database == data_dir / "exports" / "20260630T040000Z" / "marts.duckdb"

    def test_is_an_error_if_nothing_is_published(self, tmp_path: Path) -> None:
        with pytest.raises(marts.NoSnapshot, match="ideamint refresh"):
            marts.published(tmp_path)

    @pytest.mark.parametrize("manifest", ["", "{", "[]", "{}", '{"snapshot": "x", "created_at": "yesterday"}'])
    def test_an_unreadable_manifest_is_an_error(self, tmp_path: Path, manifest: str) -> None:
        folder = write_snapshot(tmp_path)
        (folder / "manifest.json").write_text(manifest)
        with pytest.raises(marts.NoSnapshot, match="manifest"):
            marts.published(tmp_path)

    def test_a_missing_database_is_an_error(self, tmp_path: Path) -> None:
        (write_snapshot(tmp_path) / "marts.duckdb").unlink()
        with pytest.raises(marts.NoSnapshot, match="missing"):
            marts.published(tmp_path)


class TestOpenSnapshot:
    def test_a_reader_keeps_its_snapshot_if_a_newer_one_is_published_and_the_old_one_removed(
        self, tmp_path: Path
    ) -> None:
        old = write_snapshot(tmp_path, "old")
        newer = changed("dim_campaigns", title="Renamed")
        with marts.open_snapshot(tmp_path, Scope.ALL) as reader:
            write_snapshot(tmp_path, "new", changes=newer)
            shutil.rmtree(old)
            assert reader.campaign("greener-offices").title == "Greener offices"
            assert reader.snapshot().id == "old"
            assert reader.conservation().height == 6
        with marts.open_snapshot(tmp_path, Scope.ALL) as reader:
            assert reader.campaign("greener-offices").title == "Renamed"
            assert reader.snapshot().id == "new"

    def test_a_given_snapshot_is_opened_even_if_a_newer_one_is_published(self, tmp_path: Path) -> None:
        write_snapshot(tmp_path, "old")
        old = marts.published(tmp_path)
        write_snapshot(tmp_path, "new", changes=changed("dim_campaigns", title="Renamed"))
        with marts.open_snapshot(old, Scope.ALL) as reader:
            assert reader.campaign("greener-offices").title == "Greener offices"

    def test_a_removed_snapshot_is_an_error(self, tmp_path: Path) -> None:
        folder = write_snapshot(tmp_path)
        snapshot = marts.published(tmp_path)
        shutil.rmtree(folder)
        with pytest.raises(marts.NoSnapshot), marts.open_snapshot(snapshot, Scope.ALL):
            pass

    def test_a_file_that_is_not_a_database_is_an_error(self, tmp_path: Path) -> None:
        (write_snapshot(tmp_path) / "marts.duckdb").write_bytes(b"no database" * 1000)
        with pytest.raises(marts.NoSnapshot, match="cannot be opened"), marts.open_snapshot(tmp_path, Scope.ALL):
            pass

    def test_the_published_file_is_read_only(self, data_dir: Path) -> None:
        before = marts.published(data_dir).database.read_bytes()
        with marts.open_snapshot(data_dir, Scope.ALL) as reader, pytest.raises(duckdb.Error, match="read-only"):
            reader._connection.execute("DELETE FROM snapshot.main.dim_ideas")
        assert marts.published(data_dir).database.read_bytes() == before

    def test_a_folder_with_a_quote_in_its_name_can_be_opened(self, tmp_path: Path) -> None:
        write_snapshot(tmp_path / "plain")
        folder = shutil.copytree(tmp_path / "plain", tmp_path / "it's here", symlinks=True)
        with marts.open_snapshot(folder, Scope.ALL) as reader:
            assert len(reader.campaigns()) == 6


class TestScope:
    def test_all_contains_every_campaign(self, reader: marts.Marts) -> None:
        assert len(reader.campaigns()) == 6

    def test_a_manager_sees_only_managed_campaigns(self, managers: marts.Marts) -> None:
        assert {campaign.campaign_id for campaign in managers.campaigns()} == {GREENER, LODZ}
        assert set(managers.conservation()["campaign_id"]) == {GREENER, LODZ}
        assert set(managers.roi(None, include_imported=True)["campaign_id"]) == {GREENER}

    @pytest.mark.parametrize("requested", [FASTER, "faster-deliveries"])
    def test_a_campaign_outside_has_the_same_error_as_an_unknown_one(
        self, managers: marts.Marts, requested: str
    ) -> None:
        with pytest.raises(marts.UnknownCampaign):
            managers.campaign(requested)
        with pytest.raises(marts.UnknownCampaign):
            managers.campaign("no-such-campaign")

    def test_a_campaign_outside_has_no_data(self, managers: marts.Marts) -> None:
        assert managers.figures(FASTER) == ()
        assert managers.ideas(FASTER).is_empty()
        assert managers.coins_over_time(FASTER).is_empty()
        assert managers.participation_by_group(FASTER).is_empty()
        assert managers.roi(FASTER).is_empty()

    def test_figures_that_span_campaigns_are_refused(self, managers: marts.Marts) -> None:
        with pytest.raises(marts.OutOfScope):
            managers.figures(None)
        with pytest.raises(marts.OutOfScope):
            managers.cohorts()

    def test_the_organisation_is_not_a_campaign(self, managers: marts.Marts) -> None:
        assert managers.figures("organisation") == ()

    def test_an_empty_scope_has_no_data(self, data_dir: Path) -> None:
        with marts.open_snapshot(data_dir, Scope.of([])) as reader:
            assert reader.campaigns() == ()
            assert reader.conservation().is_empty()

    def test_ids_are_not_executed_as_sql(self, data_dir: Path) -> None:
        with marts.open_snapshot(data_dir, Scope.of(["' OR true --", GREENER])) as reader:
            assert [campaign.campaign_id for campaign in reader.campaigns()] == [GREENER]


class TestCampaigns:
    def test_own_campaigns_come_first_each_newest_first(self, reader: marts.Marts) -> None:
        slugs = [campaign.slug for campaign in reader.campaigns()]
        assert slugs == ["tools-we-miss", "safer-warehouses", "faster-deliveries", "greener-offices", "lodz-2020", "toulouse-2019"]  # fmt: skip

    def test_columns_have_the_values_of_the_mart(self, reader: marts.Marts) -> None:
        campaign = reader.campaign("greener-offices")
        expected = next(row for row in rows()["dim_campaigns"] if row["campaign_id"] == GREENER)
        assert {name: getattr(campaign, name) for name in expected} == expected
        assert isinstance(campaign.budget_amount, Decimal)

    def test_a_campaign_is_found_by_slug_and_by_id(self, reader: marts.Marts) -> None:
        assert reader.campaign("lodz-2020") == reader.campaign(LODZ)

    def test_is_imported(self, reader: marts.Marts) -> None:
        assert reader.campaign("lodz-2020").is_imported
        assert not reader.campaign("greener-offices").is_imported


class TestFigures:
    @pytest.mark.parametrize("scope_id", [None, GREENER, LODZ])
    def test_each_row_of_the_mart_is_a_figure_with_its_definition(
        self, reader: marts.Marts, scope_id: str | None
    ) -> None:
        definitions = {row["figure"]: row for row in rows()["dim_figures"]}
        expected = {
            (row["figure"], row.get("currency")): row
            for row in rows()["fct_figures"]
            if row["scope_id"] == (scope_id or "organisation") and row["period"] == "to_date"
        }
        figures = reader.figures(scope_id)
        assert {(figure.name, figure.currency) for figure in figures} == expected.keys()
        for figure in figures:
            row = expected[figure.name, figure.currency]
            assert figure.now.value == row["value"]
            assert figure.now.unknown_reason == row.get("unknown_reason")
            assert figure.now.coverage == row.get("coverage")
            assert figure.now.ends_on == date(2026, 6, 30)
            assert figure.definition == definitions[figure.name]["definition"]
            assert figure.question == definitions[figure.name]["question"]
            assert figure.before is None

    def test_they_are_in_the_order_of_the_questions(self, reader: marts.Marts) -> None:
        places = [(figure.question_order, figure.figure_order) for figure in reader.figures(None)]
        assert places == sorted(places)

    def test_the_last_30_days_have_the_30_days_before(self, reader: marts.Marts) -> None:
        figures = {figure.name: figure for figure in reader.figures(GREENER, Period.LAST_30_DAYS)}
        participation = figures["participation"]
        assert participation.before is not None
        assert participation.now.value == pytest.approx(19 / 60)
        assert participation.before.value == pytest.approx(14 / 60)
        assert participation.change == pytest.approx(5 / 60)
        assert (participation.before.starts_on, participation.before.ends_on) == (date(2026, 5, 1), date(2026, 5, 31))

    def test_a_change_from_or_to_an_unknown_value_is_unknown(self, reader: marts.Marts) -> None:
        figures = {
            figure.name: figure for figure in reader.figures(campaign_id("safer-warehouses"), Period.LAST_30_DAYS)
        }
        assert figures["breadth"].now.unknown_reason == "outcome unknown"
        assert figures["breadth"].change is None

    def test_returns_are_separate_by_currency(self, reader: marts.Marts) -> None:
        roi = {figure.currency: figure.now.value for figure in reader.figures(None) if figure.name == "roi"}
        assert roi.keys() == {"EUR", "PLN", "USD"}

    def test_an_imported_election_has_no_recent_figures(self, reader: marts.Marts) -> None:
        assert reader.figures(LODZ, Period.LAST_30_DAYS) == ()


class TestIdeas:
    def test_they_are_sorted_by_rank_with_unchanged_titles(self, reader: marts.Marts) -> None:
        ideas = reader.ideas(GREENER)
        assert ideas["rank_in_campaign"].to_list() == list(range(1, 13))
        assert ideas["coins"].to_list() == sorted(ideas["coins"].to_list(), reverse=True)
        assert HOSTILE_TITLE in ideas["title"].to_list()


class TestCoinsOverTime:
    def test_the_running_total_ends_at_the_placed_coins(self, reader: marts.Marts) -> None:
        days = reader.coins_over_time(FASTER)
        placed = sum(row["coins"] for row in rows()["fct_allocations"] if row["campaign_id"] == FASTER)
        assert days["coins_at_work"].to_list()[-1] == placed
        assert days["day"].is_sorted()

    def test_an_imported_election_has_no_rows_even_if_the_mart_has(self, tmp_path: Path) -> None:
        days = [{**row, "campaign_id": LODZ} for row in rows()["fct_campaign_engagement_daily"]]
        write_snapshot(tmp_path, changes={"fct_campaign_engagement_daily": days})
        with marts.open_snapshot(tmp_path, Scope.ALL) as reader:
            assert reader.coins_over_time(LODZ).is_empty()


class TestParticipationByGroup:
    def test_ages_are_sorted_from_young_to_old(self, tmp_path: Path) -> None:
        bands = ["70 and over", "not stated", "18-29", "under 18", "30-39"]
        groups = [
            {"campaign_id": GREENER, "attribute": "age_band", "group_name": band, "members": 9, "participants": 9, "coins": 9,
             "is_suppressed": False}
            for band in bands
        ]  # fmt: skip
        write_snapshot(tmp_path, changes={"fct_participation_by_group": groups})
        with marts.open_snapshot(tmp_path, Scope.ALL) as reader:
            shown = reader.participation_by_group(GREENER)["group_name"].to_list()
        assert shown == ["under 18", "18-29", "30-39", "70 and over", "not stated"]

    def test_suppressed_groups_have_a_name_and_no_figures(self, reader: marts.Marts) -> None:
        hidden = reader.participation_by_group(GREENER).filter("is_suppressed")
        assert hidden["group_name"].to_list() == ["Finance", "Legal"]
        assert hidden.select("members", "participants", "coins").rows() == [(None, None, None)] * 2


class TestConservation:
    def test_each_campaign_has_a_row_that_adds_up(self, reader: marts.Marts) -> None:
        for row in reader.conservation().iter_rows(named=True):
            found = sum(
                row[name]
                for name in ("wallet_coins", "held_coins", "staked_coins", "expired_coins", "carried_out_coins")
            )
            assert row["issued_coins"] + row["carried_in_coins"] - found == row["difference_coins"] == 0

    @pytest.mark.parametrize("fault", ["difference_coins", "wrong_balances", "unbalanced_transfers"])
    def test_campaigns_that_do_not_add_up_come_first(self, tmp_path: Path, fault: str) -> None:
        wrong = [
            {**row, fault: 7 * (row["campaign_id"] == LODZ), "is_balanced": row["campaign_id"] != LODZ}
            for row in rows()["fct_coin_conservation"]
        ]
        write_snapshot(tmp_path, changes={"fct_coin_conservation": wrong})
        with marts.open_snapshot(tmp_path, Scope.ALL) as reader:
            assert reader.conservation()[fault].to_list() == [7, 0, 0, 0, 0, 0]


class TestCohorts:
    def test_a_cohort_under_five_and_one_to_four_active_members_are_hidden(self, reader: marts.Marts) -> None:
        cohorts = reader.cohorts()
        small = cohorts.filter(pl.col("cohort_month") == date(2026, 3, 1))
        assert small.select("members", "active_members", "retention").null_count().row(0) == (small.height,) * 3
        shown = cohorts["active_members"].drop_nulls()
        assert shown.filter((shown > 0) & (shown < 5)).is_empty()

    def test_retention_equals_the_mart(self, reader: marts.Marts) -> None:
        first = reader.cohorts().row(0, named=True)
        assert first == {
            "cohort_month": date(2025, 10, 1),
            "months_since": 0,
            "members": 60,
            "active_members": 48,
            "retention": 0.8,
        }


class TestRoi:
    def test_imported_campaigns_are_included_only_on_request(self, tmp_path: Path) -> None:
        idea = next(row for row in rows()["dim_ideas"] if row["campaign_id"] == LODZ)
        outcome = {**rows()["fct_idea_roi"][0], "idea_id": idea["idea_id"], "campaign_id": LODZ}
        write_snapshot(tmp_path, changes={"fct_idea_roi": [*rows()["fct_idea_roi"], outcome]})
        with marts.open_snapshot(tmp_path, Scope.ALL) as reader:
            assert LODZ not in reader.roi(None)["campaign_id"].to_list()
            assert LODZ in reader.roi(None, include_imported=True)["campaign_id"].to_list()
            assert reader.roi(LODZ).height == 1

    def test_ideas_without_a_valuation_have_no_row(self, tmp_path: Path) -> None:
        write_snapshot(tmp_path, changes=changed("fct_idea_roi", currency=None))
        with marts.open_snapshot(tmp_path, Scope.ALL) as reader:
            assert reader.roi(None).is_empty()

    def test_rows_are_sorted_by_currency_and_known_outcomes_first(self, reader: marts.Marts) -> None:
        outcomes = reader.roi(None)
        assert outcomes["currency"].is_sorted()
        for part in outcomes.partition_by("currency"):
            assert part["has_both"].to_list() == sorted(part["has_both"].to_list(), reverse=True)
        assert isinstance(outcomes["realised_cost"][0], Decimal)


class TestContract:
    """The small snapshot has the columns of dbt's contracts, so tests with it apply to real snapshots."""

    @pytest.mark.parametrize("table", TABLES)
    def test_columns_equal_those_of_the_model(self, table: str) -> None:
        file = Path(__file__).parents[2] / "dbt_project" / "models" / "marts" / f"{table}.yml"
        model = yaml.safe_load(file.read_text(encoding="utf-8"))["models"][0]
        assert model["name"] == table
        assert {column["name"] for column in model["columns"]} == TABLES[table].keys()

    def test_it_contains_every_mart(self) -> None:
        folder = Path(__file__).parents[2] / "dbt_project" / "models" / "marts"
        assert {file.stem for file in folder.glob("*.sql")} == TABLES.keys()

    def test_the_figures_equal_those_of_the_seed(self) -> None:
        seed = pl.read_csv(Path(__file__).parents[2] / "dbt_project" / "seeds" / "figures.csv")
        assert seed["figure"].to_list() == [row["figure"] for row in rows()["dim_figures"]]
        assert seed["question"].to_list() == [row["question"] for row in rows()["dim_figures"]]


def test_times_are_utc_in_any_time_zone_of_the_machine(reader: marts.Marts) -> None:
    activated_at = reader.campaign("greener-offices").activated_at
    assert activated_at == datetime(2025, 10, 3, tzinfo=UTC)
    assert activated_at is not None
    assert activated_at.utcoffset().total_seconds() == 0  # type: ignore[union-attr]
