"""What Dagster is told, pinned: a change of it is seen here first, and made by `UPDATE_SNAPSHOTS=1`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from orchestration import definitions
from orchestration.defs.quality import SNAPSHOT
from pipelines.quality import SUITES

if TYPE_CHECKING:
    import dagster as dg

    from settings import Settings

PINNED = Path(__file__).with_name("definitions.json")


@pytest.fixture(scope="module")
def defs(server: Settings, manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    settings = server.with_(data_dir=tmp_path_factory.mktemp("definitions"))
    return definitions.build(settings, manifest)


def told(defs: dg.Definitions) -> dict[str, Any]:
    repository = defs.get_repository_def()
    graph = repository.asset_graph
    return {
        "assets": {
            key.to_user_string(): {
                "group": graph.get(key).group_name,
                "owners": list(graph.get(key).owners),
                "checks": sorted(check.name for check in graph.get(key).check_keys),
            }
            for key in sorted(graph.materializable_asset_keys)
        },
        "jobs": {
            job.name: sorted(key.to_user_string() for key in job.asset_layer.executable_asset_keys)
            for job in sorted(repository.get_all_jobs(), key=lambda job: job.name)
            if not job.name.startswith("__")
        },
        "schedules": {
            schedule.name: {
                "job": schedule.job_name,
                "cron": schedule.cron_schedule,
                "status": schedule.default_status.value,
            }
            for schedule in repository.schedule_defs
        },
        "sensors": {sensor.name: sensor.default_status.value for sensor in repository.sensor_defs},
    }


class TestDefinitions:
    def test_are_those_that_were_agreed(self, defs: dg.Definitions) -> None:
        found = told(defs)
        if os.environ.get("UPDATE_SNAPSHOTS"):
            PINNED.write_text(json.dumps(found, indent=2) + "\n")

        assert found == json.loads(PINNED.read_text())

    def test_give_every_asset_an_owner(self, defs: dg.Definitions) -> None:
        assert [key for key, asset in told(defs)["assets"].items() if asset["owners"] != ["team:data-platform"]] == []

    def test_let_publication_wait_for_conservation(self, defs: dg.Definitions) -> None:
        graph = defs.get_repository_def().asset_graph

        parents = {key.to_user_string() for key in graph.get(SNAPSHOT).parent_keys}
        checks = {check.name for check in graph.get(SNAPSHOT).check_keys}

        assert "marts/fct_coin_conservation" in parents
        assert checks == {suite.name for suite in SUITES}
        conservation = told(defs)["assets"]["marts/fct_coin_conservation"]["checks"]
        assert "conservation_holds" in conservation

    def test_run_in_one_process_that_holds_the_lock(self, defs: dg.Definitions) -> None:
        job = defs.resolve_job_def("everything")

        assert job.executor_def.name == "in_process"
        assert {"build_lock", "settings", "dbt"} <= set(job.resource_defs)
