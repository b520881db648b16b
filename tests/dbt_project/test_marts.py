"""The marts of a known past, against figures worked out by hand. The past is told in tests/factories/warehouse.py."""

from __future__ import annotations

import csv
import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING

import psycopg
import pytest

from orchestration import refresh
from pipelines import warehouse
from tests.dbt_project.conftest import LARGE_BYTES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.dbt_project.conftest import Built

NOTHING = ("nothing to count",)
NOT_IN_FILE = ("not in the file",)


def projects(path: Path) -> dict[str, dict[str, str]]:
    """The PROJECTS section of an election's file, by id."""
    lines = path.read_text(encoding="utf-8").split("PROJECTS\n", 1)[1].split("VOTES\n", 1)[0]
    return {row["project_id"]: row for row in csv.DictReader(lines.splitlines(), delimiter=";")}


class TestBuild:
    def test_has_no_warning(self, built: Built) -> None:
        assert built.result.warnings == ()
        assert built.result.models >= 40
        assert built.result.tests > 100

    def test_reader_sees_marts_and_nothing_else(self, built: Built) -> None:
        with psycopg.connect(built.settings.database.role_url("reader"), autocommit=True) as connection:
            assert connection.execute("SELECT count(*) FROM marts.dim_ideas").fetchone() != (0,)
            for table in ("intermediate.int_members", "staging.stg_app__users", "app.campaigns"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(f"SELECT 1 FROM {table}".encode())

    def test_dbt_cannot_read_personal_data(self, built: Built) -> None:
        with psycopg.connect(built.settings.database.role_url("dbt"), autocommit=True) as connection:
            for column in ("email", "display_name", "password_hash"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(f"SELECT {column} FROM app.users".encode())
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("SELECT data FROM app.events")


class TestPlans:
    def test_no_model_runs_a_subquery_for_each_row(self, built: Built) -> None:
        models = refresh.state_dir(built.settings) / "target" / "compiled" / "ideamint" / "models"
        compiled = {file.stem: file.read_text() for layer in models.iterdir() for file in layer.glob("*.sql")}
        assert len(compiled) >= 40
        with psycopg.connect(built.settings.database.role_url("dbt"), autocommit=True) as connection:
            plans = {
                name: "\n".join(line for (line,) in connection.execute(f"EXPLAIN {query}".encode()))
                for name, query in compiled.items()
            }

        # A hashed one runs once.
        assert [name for name, plan in plans.items() if "SubPlan" in plan.replace("hashed SubPlan", "")] == []


class TestFigures:
    def test_of_a_campaign_under_way(self, built: Built) -> None:
        assert built.figures("orchard", "to_date") == {
            "participation": (10, 12, 10 / 12),
            "reach": (12, 20, 12 / 20),
            "breadth": (6, 11, 6 / 11),
            "backed": (1, 3, 1 / 3),
            "overdue": (1, 2, 1),
            "roi": NOTHING,
            "delivery": NOTHING,
            "coverage": (0, 1, 0),
            "at_work": (390, 1300, 0.3),
            "top_share": (250, 450, 250 / 450),
            "late_share": NOTHING,
            "difference": (0, 1300, 0),
        }

    def test_of_its_last_30_days_and_the_30_before(self, built: Built) -> None:
        assert built.figures("orchard", "last_30_days")["participation"] == (4, 12, 4 / 12)
        before = built.figures("orchard", "previous_30_days")
        assert before["participation"] == (9, 11, 9 / 11)
        assert before["reach"] == (11, 20, 11 / 20)
        assert before["backed"] == (1, 3, 1 / 3)
        assert before["overdue"] == (0, 0, 0)
        assert before["breadth"] == NOTHING
        assert before["at_work"] == (380, 1200, 380 / 1200)
        assert before["top_share"] == (270, 380, 270 / 380)
        assert before["difference"] == NOTHING
        assert before["coverage"] == NOTHING

    def test_of_a_completed_campaign(self, built: Built) -> None:
        assert built.figures("pond", "to_date") == {
            "participation": (6, 6, 1),
            "reach": ("eligible people not known",),
            "breadth": (5, 6, 5 / 6),
            "backed": (1, 2, 0.5),
            "overdue": (0, 0, 0),
            "roi": (600, 400, 1.5),
            "delivery": (1000, 2000, 0.5),
            "coverage": (1, 1, 1),
            "at_work": (540, 600, 0.9),
            "top_share": (460, 540, 460 / 540),
            "late_share": (140, 540, 140 / 540),
            "difference": (0, 600, 0),
        }
        assert built.figures("pond", "last_30_days")["participation"] == NOTHING
        assert built.figures("pond", "previous_30_days")["roi"] == NOTHING

    def test_of_the_organisation_count_each_person_once(self, built: Built) -> None:
        assert built.figures("organisation", "to_date") == {
            "participation": (10, 12, 10 / 12),
            "reach": (12, 20, 12 / 20),
            "breadth": (6, 11, 6 / 11),
            "backed": (2, 5, 0.4),
            "overdue": (1, 2, 1),
            "roi": (600, 400, 1.5),
            "delivery": (1000, 2000, 0.5),
            "coverage": (1, 2, 0.5),
            "at_work": (930, 1900, 930 / 1900),
            "top_share": (710, 990, 710 / 990),
            "late_share": (140, 540, 140 / 540),
            "difference": (0, 1900, 0),
        }
        assert built.figures("organisation", "last_30_days")["participation"] == (4, 12, 4 / 12)
        assert built.figures("organisation", "previous_30_days")["participation"] == (9, 11, 9 / 11)

    def test_say_what_they_were_computed_from(self, built: Built) -> None:
        covered = built.rows(
            "SELECT figure, currency, coverage FROM fct_figures WHERE scope_id = 'organisation' AND period = 'to_date' "
            "AND coverage < 1 ORDER BY figure"
        )
        left_out = ("at_work", "backed", "breadth", "participation", "top_share")  # the campaign of four members
        assert dict(row[::2] for row in covered) == {
            **dict.fromkeys(left_out, pytest.approx(2 / 3)), "late_share": pytest.approx(1 / 3),
            "reach": pytest.approx(1 / 3),
        }  # fmt: skip

    def test_of_an_imported_election_have_one_period_and_no_times(self, built: Built) -> None:
        imported = built.rows(
            "SELECT campaign_id, has_times, ballot_type, country FROM dim_campaigns WHERE origin = 'imported' "
            "AND coalesce(members, 0) < 50"
        )
        assert {row[2] for row in imported} == {"approval", "cumulative", "ordinal", "scoring"}
        assert all(row[3] for row in imported)
        for campaign_id, has_times, *_ in imported:
            assert has_times is False
            figures = built.figures(campaign_id, "to_date")
            assert {figures[name] for name in ("participation", "late_share", "roi", "overdue", "coverage")} == {
                NOT_IN_FILE
            }
            assert built.figures(campaign_id, "last_30_days") == {}


class TestIdeas:
    def test_coins_and_backers_are_those_before_settlement(self, built: Built) -> None:
        rows = built.rows(
            "SELECT title, coins, backers, rank_in_campaign, is_backed FROM dim_ideas WHERE author_id IS NOT NULL ORDER BY 1"
        )
        assert rows == [
            ("A", 250, 6, 1, True),
            ("B", 140, None, 2, False),
            ("C", 60, None, 3, False),
            ("D", 0, 0, None, False),
            ("P", 460, 5, 1, True),
            ("Q", 80, None, 2, False),
        ]

    def test_returns_stand_in_one_currency(self, built: Built) -> None:
        rows = built.rows(
            "SELECT currency, expected_cost, realised_cost, expected_value, realised_value, roi, as_of FROM fct_idea_roi "
            "WHERE idea_id = ?",
            str(built.names.ideas["P"]),
        )
        assert rows == [("GBP", Decimal(500), Decimal(400), Decimal(2000), Decimal(1000), 1.5, dt.date(2025, 6, 15))]

    def test_statuses_are_intervals(self, built: Built) -> None:
        rows = built.rows(
            "SELECT status, entered_at::DATE::VARCHAR, left_at::DATE::VARCHAR, is_current, is_final FROM fct_idea_status "
            "WHERE idea_id = ? ORDER BY entered_at",
            str(built.names.ideas["P"]),
        )
        assert rows == [
            ("competing", "2025-04-02", "2025-04-30", False, False),
            ("accepted", "2025-04-30", "2025-05-05", False, False),
            ("in_progress", "2025-05-05", "2025-06-10", False, False),
            ("complete", "2025-06-10", None, True, True),
        ]

    def test_an_imported_election_has_the_coins_of_its_file(self, built: Built) -> None:
        rows = built.rows(
            "SELECT i.source_ref, i.coins, i.backers, i.tags FROM dim_ideas AS i JOIN dim_campaigns AS c USING (campaign_id) "
            "WHERE c.ballot_type = 'cumulative' AND c.members < 50 ORDER BY 1"
        )
        assert [row[:2] for row in rows] == [("12", 12), ("31", 3), ("7", 9)]
        assert [row[2] for row in rows] == [None, None, None]  # 4, 2 and 3 backers are not shown

    def test_real_elections_have_the_scores_that_were_published(self, built: Built, elections: Path) -> None:
        checked = 0
        for path in elections.glob("*.pb"):
            if path.stat().st_size >= LARGE_BYTES:
                continue
            published = projects(path)
            (campaign,) = (
                row[0]
                for row in built.rows(
                    "SELECT campaign_id FROM dim_ideas GROUP BY 1 HAVING list_sort(list(source_ref)) = ?",
                    sorted(published),
                )
            )
            rows = built.rows("SELECT source_ref, coins, backers FROM dim_ideas WHERE campaign_id = ?", campaign)
            for ref, coins, backers in rows:
                assert coins == int(published[ref].get("score") or coins)
                assert backers == int(published[ref].get("votes") or backers)
                checked += 1

        assert checked > 40


class TestMembers:
    def test_cohorts_keep_who_comes_back(self, built: Built) -> None:
        rows = built.rows(
            "SELECT cohort_month::VARCHAR, months_since, members, active_members, retention FROM fct_member_cohorts ORDER BY 1, 2"
        )
        assert rows == [
            # One person joined in June, so the next smallest cohort is hidden too.
            ("2025-04-01", 0, None, None, None),
            ("2025-04-01", 1, None, None, None),
            ("2025-04-01", 2, None, None, None),
            ("2025-05-01", 0, 6, None, None),
            ("2025-05-01", 1, 6, None, None),
            ("2025-06-01", 0, None, None, None),
        ]

    def test_who_left_and_came_back_has_one_row_and_one_grant(self, built: Built) -> None:
        rows = built.rows(
            "SELECT is_current, left_at, granted_coins, first_joined_at::DATE::VARCHAR FROM dim_members WHERE user_id = ?",
            str(built.names.users["m11"]),
        )
        assert rows == [(True, None, 100, "2025-05-01")]

    def test_returned_coins_are_not_staked_twice(self, built: Built) -> None:
        rows = built.rows(
            "SELECT staked_coins, ideas_backed FROM dim_members WHERE user_id = ?", str(built.names.users["m7"])
        )
        assert rows == [(30, 2)]

    def test_small_groups_are_hidden_together(self, built: Built) -> None:
        rows = built.rows(
            "SELECT attribute, group_name, members, participants, coins, is_suppressed FROM fct_participation_by_group "
            "WHERE campaign_id = ? ORDER BY 2",
            str(built.names.campaigns["orchard"]),
        )
        assert rows == [
            ("department", "Barn", None, None, None, True),
            ("department", "Field", 6, 6, 300, False),
            ("department", "not stated", None, None, None, True),
        ]


class TestDays:
    def test_coins_at_work_and_members_run_through_the_days(self, built: Built) -> None:
        rows = built.rows(
            "SELECT day::VARCHAR, active_members, coins_net, coins_returned, coins_at_work, members FROM fct_campaign_engagement_daily "
            "WHERE campaign_id = ? ORDER BY day",
            str(built.names.campaigns["orchard"]),
        )
        days = {row[0]: row[1:] for row in rows}
        assert len(rows) == 61  # from 1 May to 30 June
        assert days["2025-05-01"] == (0, 0, 0, 0, 12)
        assert days["2025-05-10"] == (8, 360, 0, 360, 12)
        assert days["2025-05-20"] == (0, 0, 0, 380, 11)
        assert days["2025-06-08"] == (None, 0, 0, 420, 11)  # a move between ideas, by one member
        assert days["2025-06-12"] == (0, 0, 60, 360, 12)
        assert days["2025-06-30"] == (0, 0, 0, 390, 12)

    def test_an_imported_election_has_its_last_day_only(self, built: Built) -> None:
        rows = built.rows(
            "SELECT d.day::VARCHAR, d.members, d.coins_at_work, c.participants FROM fct_campaign_engagement_daily AS d "
            "JOIN dim_campaigns AS c USING (campaign_id) WHERE c.ballot_type = 'cumulative' AND c.members < 50"
        )
        assert rows == [("2022-05-15", 5, 24, 5)]


class TestConservation:
    def test_every_coin_is_somewhere(self, built: Built) -> None:
        rows = built.rows(
            "SELECT * EXCLUDE (campaign_id, is_balanced) FROM fct_coin_conservation WHERE campaign_id = ?",
            str(built.names.campaigns["orchard"]),
        )
        issued, staked, expired = 1300, 140, 250
        assert rows == [(issued, 0, issued - staked - expired, 0, staked, expired, 0, 0, 0, 0)]


class TestResults:
    def test_accepted_ideas_cost_a_part_of_the_budget(self, built: Built) -> None:
        assert built.rows(
            "SELECT slug, accepted_ideas, accepted_ideas_with_cost, accepted_cost, budget_amount FROM dim_campaigns "
            "WHERE slug IN ('orchard', 'pond', 'shed') ORDER BY 1"
        ) == [
            ("orchard", 1, 1, Decimal(1000), Decimal(5000)),
            ("pond", 1, 1, Decimal(500), None),
            ("shed", 0, 0, None, None),
        ]

    def test_an_election_without_an_outcome_has_no_result(self, built: Built) -> None:
        assert built.rows(
            "SELECT accepted_ideas, accepted_ideas_with_cost, accepted_cost FROM dim_campaigns "
            "WHERE ballot_type = 'cumulative' AND members < 50"
        ) == [(None, None, None)]

    def test_real_elections_have_the_winners_that_were_published_and_their_cost(
        self, built: Built, elections: Path
    ) -> None:
        checked = 0
        for path in elections.glob("*.pb"):
            published = projects(path)
            if path.stat().st_size >= LARGE_BYTES or not all("selected" in row for row in published.values()):
                continue
            winners = [row for row in published.values() if row["selected"] == "1"]
            (result,) = built.rows(
                "SELECT accepted_ideas, accepted_ideas_with_cost, accepted_cost FROM dim_campaigns WHERE campaign_id IN "
                "(SELECT campaign_id FROM dim_ideas GROUP BY 1 HAVING list_sort(list(source_ref)) = ?)",
                sorted(published),
            )
            assert result == (len(winners), len(winners), sum(Decimal(row["cost"]) for row in winners))
            checked += 1

        assert checked


class TestSmallCampaigns:
    """`shed` has four members with 100 coins each."""

    @pytest.fixture
    def shed(self, built: Built) -> str:
        return str(built.names.campaigns["shed"])

    def test_has_no_number_of_people_or_coins_in_any_mart(self, built: Built, shed: str) -> None:
        assert built.rows(
            "SELECT members, participants, is_suppressed, ideas FROM dim_campaigns WHERE campaign_id = ?", shed
        ) == [(None, None, True, 1)]
        assert built.rows(
            "SELECT coins, backers, rank_in_campaign, author_id, is_backed FROM dim_ideas WHERE campaign_id = ?", shed
        ) == [(None, None, None, None, False)]
        ((is_balanced, *numbers),) = built.rows(
            "SELECT * EXCLUDE (campaign_id) FROM fct_coin_conservation WHERE campaign_id = ?", shed
        )
        assert is_balanced is True
        assert set(numbers) == {None}
        for table in (
            "dim_members", "fct_allocations", "fct_member_activity", "fct_campaign_engagement_daily",
            "fct_participation_by_group",
        ):  # fmt: skip
            assert built.rows(f"SELECT count(*) FROM {table} WHERE campaign_id = ?", shed) == [(0,)]

    def test_has_no_figure_of_people_or_coins(self, built: Built) -> None:
        for period in ("to_date", "last_30_days"):
            figures = built.figures("shed", period)
            people = ("reach", "at_work", "top_share", "backed", "difference")
            assert {figures[name] for name in people} == {("fewer than 5 people",)}
            assert all(len(figures[name]) == 1 for name in ("participation", "breadth", "late_share"))
            assert figures["overdue"] == (0, 0, 0)

    def test_is_not_the_difference_of_the_organisation_and_the_other_campaigns(self, built: Built) -> None:
        whole, *parts = (built.figures(name, "to_date") for name in ("organisation", "pond", "orchard"))
        for figure in ("at_work", "top_share", "difference", "backed"):
            assert whole[figure][1] == sum(part[figure][1] for part in parts)

    def test_an_election_of_four_voters_is_hidden_too(self, built: Built) -> None:
        assert built.rows(
            "SELECT members, is_suppressed FROM dim_campaigns WHERE ballot_type = 'ordinal' AND coalesce(members, 0) < 50"
        ) == [(None, True)]


class TestChains:
    def test_a_campaign_has_the_head_of_its_ledger(self, built: Built) -> None:
        with psycopg.connect(built.settings.database.role_url("app")) as connection:
            heads = connection.execute(
                "SELECT campaign_id::text, height, encode(hash, 'hex'), sealed_at FROM app.coin_chains ORDER BY 1"
            ).fetchall()
        assert len(heads) > 2
        assert heads == built.rows(
            "SELECT campaign_id::text, chain_height, chain_hash, chain_sealed_at FROM dim_campaigns ORDER BY 1"
        )

    def test_dbt_cannot_read_the_key(self, built: Built) -> None:
        with (
            psycopg.connect(built.settings.database.role_url("dbt")) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute("SELECT key FROM app.coin_chains")


class TestEveryColumn:
    def test_is_described_in_the_file(self, built: Built) -> None:
        bare = built.rows("SELECT table_name, column_name FROM duckdb_columns() WHERE comment IS NULL AND NOT internal")
        assert bare == []
        assert warehouse.marts() == tuple(
            row[0] for row in built.rows("SELECT table_name FROM duckdb_tables() ORDER BY 1")
        )
