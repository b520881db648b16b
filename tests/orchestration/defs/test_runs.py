"""Dagster's job for everything, run for real on a small past."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from cli.local import postgres
from cli.local.databases import with_database as url_of
from orchestration import definitions, refresh, resources
from pipelines import exports, marts
from pipelines.builds import hold_build_lock
from tests.factories.clocks import GIVE_UP_AFTER_S
from tests.factories.warehouse import database_of_its_own, seed, without_a_coin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from settings import Settings

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@dataclass
class Place:
    """An installation, Dagster's memory of it, and its definitions."""

    settings: Settings
    admin_url: str
    instance: dg.DagsterInstance
    defs: dg.Definitions

    def run(self, job: str, *assets: str) -> dg.ExecuteInProcessResult:
        """Run a job, or only these assets of it, as a person does who selects them on Dagster's page."""
        return self.defs.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            raise_on_error=False,
            asset_selection=[dg.AssetKey(asset.split("/")) for asset in assets] or None,
        )

    def report_failure(self, result: dg.ExecuteInProcessResult) -> None:
        """Evaluate the sensor of failed runs, as Dagster's daemon does after a failed run."""
        context = dg.build_run_status_sensor_context(
            sensor_name="failed_runs",
            dagster_event=result.get_run_failure_event(),
            dagster_instance=self.instance,
            dagster_run=result.dagster_run,
            resources={"settings": self.settings},
        )
        self.defs.get_repository_def().get_sensor_def("failed_runs")(context.for_run_failure())


@pytest.fixture(scope="module")
def place(server: Settings, worker: str, manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    name = f"dagster_runs_{worker}"
    with (
        database_of_its_own(server, name, tmp_path_factory.mktemp("runs")) as settings,
        dg.DagsterInstance.ephemeral() as instance,
    ):
        seed(settings)
        defs = definitions.build(settings, manifest)
        yield Place(settings, url_of(postgres.admin_url(server), name), instance, defs)


def asset_name(event: dg.DagsterEvent) -> str:
    assert event.asset_key is not None
    return event.asset_key.to_user_string()


class TestEverything:
    def test_builds_checks_publishes_and_reports_and_counts_rows(self, place: Place) -> None:
        result = place.run("everything")

        assert result.success
        rows = {
            asset_name(event): event.materialization.metadata["dagster/row_count"].value
            for event in result.get_asset_materialization_events()
        }
        assert set(rows) == {
            key.to_user_string() for key in place.defs.get_repository_def().asset_graph.materializable_asset_keys
        }
        assert rows["marts/dim_ideas"] == 7
        assert rows["marts/dim_campaigns"] == 3
        assert rows["staging/stg_app__users"] == 13
        assert rows["reports/campaigns"] == 6
        checks = result.get_asset_check_evaluations()
        assert all(check.passed for check in checks)
        assert {check.check_name for check in checks} >= {"conservation_holds", "conservation", "files", "small_groups"}
        assert marts.published(place.settings.paths.data_dir).database.is_file()
        month = next((place.settings.paths.data_dir / "reports").iterdir())
        assert {path.name for path in month.iterdir()} == {
            f"{name}.{suffix}" for name in ("orchard", "pond", "shed") for suffix in ("pdf", "xlsx")
        }

    def test_publishes_nothing_while_a_coin_is_missing_and_says_so_in_place_of_reports(self, place: Place) -> None:
        before = exports.snapshots(refresh.exports_dir(place.settings))
        with without_a_coin(place.admin_url) as campaign:
            result = place.run("everything")

        assert not result.success
        failed = {check.check_name for check in result.get_asset_check_evaluations() if not check.passed}
        assert "conservation_holds" in failed
        materialized = {asset_name(event) for event in result.get_asset_materialization_events()}
        assert "exports/snapshot" not in materialized
        assert "marts/fct_coin_conservation" in materialized
        assert exports.snapshots(refresh.exports_dir(place.settings)) == before

        exports_dir = refresh.exports_dir(place.settings)
        month = next((place.settings.paths.data_dir / "reports").iterdir())
        assert not (month / "NOT-MADE.txt").exists()
        place.report_failure(result)
        assert f"{campaign}: 1 coin missing (" in (month / "NOT-MADE.txt").read_text()
        (month / "NOT-MADE.txt").unlink()

        reports = place.run("monthly_reports")

        assert reports.success
        (event,) = reports.get_asset_materialization_events()
        reasons = event.materialization.metadata["not_made_because"].value
        assert isinstance(reasons, list)
        assert str(reasons[0]).startswith(f"{campaign}: 1 coin missing (")
        assert "the check conservation_holds failed" in reasons
        assert f"{campaign}: 1 coin missing (" in (month / "NOT-MADE.txt").read_text()

        # A run that was killed has recorded nothing itself.
        (exports_dir / "refused.json").unlink()
        place.report_failure(result)
        refusal = exports.find_refusal(exports_dir)
        assert refusal is not None
        assert f"the run {result.run_id} of the job everything failed" in refusal.reasons[0]

    def test_publishes_no_assets_that_a_person_selected(self, place: Place) -> None:
        exports_dir = refresh.exports_dir(place.settings)
        before, refusal = exports.snapshots(exports_dir), exports.find_refusal(exports_dir)
        assert refusal is not None

        result = place.run("everything", "marts/dim_ideas", "exports/snapshot")

        materialized = {asset_name(event) for event in result.get_asset_materialization_events()}
        assert materialized == {"marts/dim_ideas"}
        (failure,) = result.get_step_failure_events()
        error = failure.step_failure_data.error
        assert error is not None
        assert "built only a part of the models or ran only a part of the tests" in error.to_string()
        assert exports.snapshots(exports_dir) == before
        assert exports.find_refusal(exports_dir) == refusal


class TestBuildLock:
    def test_a_second_run_waits_and_says_so(self, database: Settings, capsys: pytest.CaptureFixture[str]) -> None:
        ran = threading.Event()
        told = ""

        @dg.asset(required_resource_keys={"build_lock"})
        def something() -> None:
            ran.set()

        def run() -> None:
            dg.materialize([something], resources={"settings": database, "build_lock": resources.build_lock})

        with hold_build_lock(database.database.role_url("dbt"), "ideamint refresh", print):
            running = threading.Thread(target=run)
            running.start()
            deadline = time.monotonic() + GIVE_UP_AFTER_S
            while "another build is running" not in told and time.monotonic() < deadline:
                time.sleep(0.1)
                told += capsys.readouterr().err
            assert "another build is running: ideamint refresh (build), since" in told
            assert not ran.is_set()
        running.join(GIVE_UP_AFTER_S)

        assert ran.is_set()
