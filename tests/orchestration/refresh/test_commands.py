"""`ideamint refresh`, `export` and `report` on the company of the demo."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import openpyxl
import pytest

from cli.local import dagster_home
from orchestration import refresh
from orchestration.defs.quality import SNAPSHOT
from orchestration.resources import environment_variables
from pipelines import exports, marts
from pipelines.quality import SUITES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.orchestration.refresh.conftest import Company

CAMPAIGN = "waste-less"


class TestRefresh:
    def test_prints_the_result_and_reports_its_progress(self, company: Company) -> None:
        assert company.result["rows"]["dim_campaigns"] >= 4
        assert company.result["models"] > 20
        assert company.result["tests"] > 100
        assert "sealing the ledger" in company.refreshed.err
        assert "building and testing the models" in company.refreshed.err


class TestDagster:
    def test_shows_what_the_command_built_checked_and_published(self, company: Company) -> None:
        import dagster as dg

        home = company.data_dir / "dagster"
        variables = dagster_home.environment(company.settings)
        with environment_variables(variables), dg.DagsterInstance.from_config(str(home)) as instance:
            for asset in ("staging/stg_app__ideas", "intermediate/figures", "marts/fct_figures", "exports/snapshot"):
                assert instance.get_latest_materialization_event(dg.AssetKey(asset.split("/"))) is not None, asset
            published = instance.get_latest_materialization_event(SNAPSHOT)
            assert published is not None
            assert published.asset_materialization is not None
            assert published.asset_materialization.metadata["snapshot"].value == company.result["snapshot"]
            conservation = dg.AssetCheckKey(dg.AssetKey(["marts", "fct_coin_conservation"]), "conservation_holds")
            keys = [conservation, *(dg.AssetCheckKey(SNAPSHOT, suite.name) for suite in SUITES)]
            records = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
            assert {key: records[key].status.value for key in keys} == dict.fromkeys(keys, "SUCCEEDED")


class TestExport:
    def test_publishes_the_last_build_again(self, company: Company) -> None:
        exported = company.ideamint("export", "--json")

        assert exported.code == 0, exported.err
        assert (exported.json["models"], exported.json["rows"]) == (0, company.result["rows"])
        assert marts.published(company.data_dir).id == exported.json["snapshot"]
        assert exports.snapshots(refresh.exports_dir(company.settings)) == [
            company.published,
            exported.json["snapshot"],
        ]


class TestReport:
    @pytest.mark.parametrize(("suffix", "first_bytes"), [("pdf", b"%PDF-"), ("xlsx", b"PK")])
    def test_writes_a_file(self, company: Company, tmp_path: Path, suffix: str, first_bytes: bytes) -> None:
        out = tmp_path / "new" / f"report.{suffix}"
        done = company.ideamint("report", "--campaign", CAMPAIGN, "--format", suffix, "--out", str(out), "--json")

        assert done.code == 0, done.err
        assert done.json["bytes"] == out.stat().st_size
        assert out.read_bytes().startswith(first_bytes)

    def test_shows_a_ledger_head_that_verification_accepts(self, company: Company, tmp_path: Path) -> None:
        out = tmp_path / "report.xlsx"
        assert company.ideamint("report", "--campaign", CAMPAIGN, "--format", "xlsx", "--out", str(out)).code == 0
        summary = openpyxl.load_workbook(out)["Summary"]
        shown = dict(summary.iter_rows(min_row=2, max_col=2, values_only=True))["Ledger head"]

        found = re.match(r"block (\d+), ([0-9a-f]{64}), sealed ", str(shown))
        assert found, shown
        verified = company.ideamint("verify", "--campaign", CAMPAIGN, "--head", f"{found[1]}:{found[2]}")
        assert verified.code == 0, verified.err

    def test_of_an_unknown_campaign_lists_the_known_ones(self, company: Company, tmp_path: Path) -> None:
        out = tmp_path / "x.pdf"
        unknown = company.ideamint("report", "--campaign", "nowhere", "--format", "pdf", "--out", str(out))

        assert unknown.code == 1
        assert CAMPAIGN in unknown.err
        assert not out.exists()
