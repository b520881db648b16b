"""Each suite accepts valid snapshots and reports invalid ones."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import duckdb
import pytest

from pipelines import quality
from pipelines.exports import DATABASE_FILE, Manifest, TableFile

if TYPE_CHECKING:
    from pathlib import Path

# Marts of two campaigns, with the columns that the suites read.
TABLES = {
    "fct_coin_conservation": "VALUES ('c1', true, 100, 0, 60, 0, 30, 10, 0, 0, 0, 0), "
    "('c2', true, 50, 5, 50, 5, 0, 0, 0, 0, 0, 0), ('c4', true, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) "
    "AS t (campaign_id, is_balanced, issued_coins, carried_in_coins, wallet_coins, held_coins, staked_coins, expired_coins, "
    "carried_out_coins, difference_coins, wrong_balances, unbalanced_transfers)",
    "dim_campaigns": "VALUES ('c1', 'one', 'One', 'native', 6, 5, 2, false), "
    "('c2', 'two', 'Two', 'imported', 5, 0, 0, false), ('c4', 'four', 'Four', 'native', NULL, NULL, 1, true) "
    "AS t (campaign_id, slug, title, origin, members, participants, ideas, is_suppressed)",
    "dim_ideas": "VALUES ('i1', 'c1', 'A', 40, 6, 1, 'accepted'), ('i2', 'c1', 'B', 0, 0, NULL, 'pending'), "
    "('i4', 'c4', 'D', NULL, NULL, NULL, 'competing') "
    "AS t (idea_id, campaign_id, title, coins, backers, rank_in_campaign, status)",
    "fct_idea_status": "VALUES ('i1', 'competing', false), ('i1', 'accepted', true), ('i2', 'pending', true), ('i4', 'competing', true) "
    "AS t (idea_id, status, is_current)",
    "fct_allocations": "VALUES ('i1', 'c1', 'u1', 40, false, NULL), ('i1', 'c1', 'u1', -10, true, 'expire') "
    "AS t (idea_id, campaign_id, user_id, coins, is_settlement, settlement)",
    "dim_members": "VALUES ('m1', 'c1', 'u1', 100, 40), ('m2', 'c2', 'u1', 50, 0) "
    "AS t (member_id, campaign_id, user_id, granted_coins, staked_coins)",
    "fct_figures": "VALUES ('campaign', 'c1', 'to_date', 'backed', 1, 2, 0.5, 1.0, NULL), "
    "('campaign', 'c1', 'to_date', 'roi', NULL, NULL, NULL, NULL, 'nothing to count'), "
    "('campaign', 'c1', 'to_date', 'overdue', 4, 0, 4, 1.0, NULL), "
    "('campaign', 'c1', 'to_date', 'difference', 0, 100, 0, 1.0, NULL), "
    "('campaign', 'c1', 'to_date', 'at_work', 40, 100, 0.4, 1.0, NULL), "
    "('campaign', 'c2', 'to_date', 'at_work', NULL, NULL, NULL, NULL, 'fewer than 5 people') "
    "AS t (scope_kind, scope_id, period, figure, numerator, denominator, value, coverage, unknown_reason)",
    "fct_participation_by_group": "VALUES ('sex', 5, 3, 10, false), ('sex', NULL::INTEGER, NULL::INTEGER, NULL::INTEGER, true) "
    "AS t (attribute, members, participants, coins, is_suppressed)",
    "fct_member_cohorts": "VALUES (6, 5), (NULL::INTEGER, NULL::INTEGER) AS t (members, active_members)",
    "fct_member_activity": "VALUES ('c1', 'u1') AS t (campaign_id, user_id)",
    "fct_campaign_engagement_daily": "VALUES ('c1', 0, 6), ('c1', NULL, NULL) AS t (campaign_id, active_members, members)",
}


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("valid")
    with duckdb.connect(str(folder / DATABASE_FILE)) as connection:
        for name, rows in TABLES.items():
            connection.execute(f"CREATE TABLE {name} AS SELECT * FROM ({rows.replace(' AS t (', ') AS t (', 1)}")
    return with_manifest(folder)


def with_manifest(folder: Path) -> Path:
    """Write the Parquet files and the manifest for the tables in the DuckDB file."""
    from pipelines.exports.staging import _sha256

    files = {}
    with duckdb.connect(str(folder / DATABASE_FILE), read_only=True) as connection:
        for name in TABLES:
            path = folder / f"{name}.parquet"
            connection.execute(f"COPY {name} TO '{path}' (FORMAT parquet)")
            rows = connection.execute(f"SELECT count(*) FROM {name}").fetchone()
            assert rows is not None
            files[name] = TableFile(path.name, rows[0], _sha256(path))
    Manifest("s", datetime.now(UTC), 1, TableFile(DATABASE_FILE, 0, ""), files).write(folder)
    return folder


class TestCheck:
    def test_accepts_a_valid_snapshot(self, valid: Path) -> None:
        report = quality.check(valid)

        assert report.passed
        assert [result.name for result in report.results] == [suite.name for suite in quality.SUITES]
        assert {result.name: result.rows for result in report.results}["files"] == len(TABLES)

    def test_accepts_an_empty_installation(self, valid: Path, tmp_path: Path) -> None:
        folder = shutil.copytree(valid, tmp_path / "empty")
        with duckdb.connect(str(folder / DATABASE_FILE)) as connection:
            for name in TABLES:
                connection.execute(f"DELETE FROM {name}")

        assert quality.check(with_manifest(folder)).passed

    @pytest.mark.parametrize(
        ("suite", "column", "change"),
        [
            (
                "conservation",
                "difference_coins",
                (
                    "UPDATE fct_coin_conservation SET difference_coins = 1 WHERE campaign_id = 'c1'; "
                    "UPDATE fct_figures SET numerator = 1 WHERE figure = 'difference'"
                ),
            ),
            (
                "conservation",
                "found_coins",
                "UPDATE fct_coin_conservation SET wallet_coins = 59 WHERE campaign_id = 'c1'",
            ),
            (
                "conservation",
                "wrong_balances",
                "UPDATE fct_coin_conservation SET wrong_balances = 2 WHERE campaign_id = 'c2'",
            ),
            (
                "campaigns",
                "verified_id",
                "INSERT INTO dim_campaigns VALUES ('c3', 'three', 'Three', 'native', 0, 0, 0, false)",
            ),
            ("campaigns", "slug", "UPDATE dim_campaigns SET slug = 'one'"),
            ("ideas", "allocated_coins", "UPDATE dim_ideas SET coins = 41 WHERE idea_id = 'i1'"),
            ("ideas", "present_statuses", "UPDATE fct_idea_status SET is_current = true WHERE idea_id = 'i1'"),
            ("ideas", "present_status", "UPDATE dim_ideas SET status = 'competing' WHERE idea_id = 'i2'"),
            ("members", "allocated_coins", "UPDATE dim_members SET staked_coins = 39 WHERE member_id = 'm1'"),
            ("members", "unstaked_coins", "UPDATE dim_members SET granted_coins = 39 WHERE member_id = 'm1'"),
            (
                "agreement",
                "figure_difference_coins",
                "UPDATE fct_figures SET numerator = 1 WHERE figure = 'difference'",
            ),
            (
                "agreement",
                "figure_at_work_coins",
                "UPDATE fct_figures SET numerator = 39 WHERE figure = 'at_work' AND scope_id = 'c1'",
            ),
            (
                "agreement",
                "figure_made_coins",
                "UPDATE fct_coin_conservation SET issued_coins = 101, wallet_coins = 61 WHERE campaign_id = 'c1'",
            ),
            (
                "agreement",
                "allocated_coins",
                "UPDATE fct_coin_conservation SET staked_coins = 1, held_coins = 4 WHERE campaign_id = 'c2'",
            ),
            ("figures", "has_value_or_reason", "UPDATE fct_figures SET unknown_reason = NULL WHERE figure = 'roi'"),
            ("figures", "share", "UPDATE fct_figures SET value = 1.5 WHERE figure = 'backed'"),
            ("small_groups", "members", "UPDATE fct_participation_by_group SET members = 4 WHERE NOT is_suppressed"),
            ("small_groups", "hidden", "UPDATE fct_participation_by_group SET coins = 7 WHERE is_suppressed"),
            ("small_groups", "members", "UPDATE fct_member_cohorts SET members = 4 WHERE members = 6"),
            ("small_groups", "members", "UPDATE fct_member_cohorts SET active_members = 4 WHERE members = 6"),
            ("small_groups", "members", "UPDATE dim_campaigns SET members = 4 WHERE slug = 'four'"),
            ("small_groups", "members", "UPDATE dim_campaigns SET participants = 1 WHERE slug = 'one'"),
            ("small_groups", "members", "UPDATE dim_ideas SET backers = 4 WHERE idea_id = 'i1'"),
            (
                "small_groups",
                "members",
                "UPDATE fct_campaign_engagement_daily SET active_members = 2 WHERE members = 6",
            ),
            ("small_groups", "hidden", "INSERT INTO dim_members VALUES ('m4', 'c4', 'u4', 0, 0)"),
            ("small_groups", "hidden", "INSERT INTO fct_member_activity VALUES ('c4', 'u4')"),
            ("small_groups", "hidden", "INSERT INTO fct_campaign_engagement_daily VALUES ('c4', 0, 0)"),
            ("small_groups", "hidden", "UPDATE dim_ideas SET rank_in_campaign = 1 WHERE campaign_id = 'c4'"),
            (
                "small_groups",
                "hidden",
                "INSERT INTO fct_figures VALUES ('campaign', 'c4', 'to_date', 'at_work', 0, 400, 0, 1, NULL)",
            ),
            ("small_groups", "hidden", "UPDATE fct_coin_conservation SET issued_coins = 400 WHERE campaign_id = 'c4'"),
            (
                "conservation",
                "is_balanced",
                "UPDATE fct_coin_conservation SET is_balanced = false WHERE campaign_id = 'c4'",
            ),
        ],
    )
    def test_reports_invalid_data(self, valid: Path, tmp_path: Path, suite: str, column: str, change: str) -> None:
        folder = shutil.copytree(valid, tmp_path / "wrong")
        with duckdb.connect(str(folder / DATABASE_FILE)) as connection:
            connection.execute(change)

        # only the suite `files` compares the manifest and the Parquet files with the tables
        report = quality.check(folder, suites=[each for each in quality.SUITES if each.name == suite])

        assert [result.name for result in report.failed] == [suite]
        assert any(f"'{column}'" in failure for failure in report.failed[0].failures)
        assert suite in str(quality.SnapshotRefused(report))

    def test_names_the_campaign_and_the_amount(self, valid: Path, tmp_path: Path) -> None:
        folder = shutil.copytree(valid, tmp_path / "wrong")
        with duckdb.connect(str(folder / DATABASE_FILE)) as connection:
            connection.execute("UPDATE fct_coin_conservation SET wrong_balances = 2 WHERE campaign_id = 'c2'")

        (failed,) = quality.check(with_manifest(folder)).failed

        assert [
            failure.endswith("1 unexpected, such as wrong_balances=2, slug=two") for failure in failed.failures
        ] == [True]

    def test_reports_a_file_that_differs_from_the_manifest(self, valid: Path, tmp_path: Path) -> None:
        folder = shutil.copytree(valid, tmp_path / "changed")
        with duckdb.connect() as connection:
            connection.execute(f"COPY (SELECT 'm1' AS member_id) TO '{folder}/dim_members.parquet' (FORMAT parquet)")

        report = quality.check(folder)

        assert [result.name for result in report.failed] == ["files"]
        assert len(report.failed[0].failures) == 2  # its number of rows and its hash
