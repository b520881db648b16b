"""The environment of dbt, its manifest, and the descriptions of its failures."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pipelines import warehouse

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


class TestEnvironment:
    def test_contains_every_part_of_the_log_in(self) -> None:
        found = warehouse.environment("postgresql://ideamint_dbt:s%2Fecret@db.example:6543/ideas?sslmode=require")

        assert found["IDEAMINT_WAREHOUSE_HOST"] == "db.example"
        assert found["IDEAMINT_WAREHOUSE_PORT"] == "6543"
        assert found["IDEAMINT_WAREHOUSE_USER"] == "ideamint_dbt"
        assert found[warehouse.PASSWORD_VARIABLE] == "s/ecret"
        assert found["IDEAMINT_WAREHOUSE_DATABASE"] == "ideas"
        assert found["IDEAMINT_WAREHOUSE_SSLMODE"] == "require"

    def test_has_the_build_as_a_setting_of_each_connection(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PGOPTIONS", "-c lock_timeout=5s")

        found = warehouse.environment("postgresql://ideamint_dbt:secret@db.example/ideas", 7)

        assert found["PGOPTIONS"] == "-c lock_timeout=5s -c ideamint.build_id=7"


class TestDescribeExit:
    def test_names_the_signal_of_a_killed_process(self) -> None:
        assert warehouse.describe_exit(-9) == "dbt was killed (signal SIGKILL)"
        assert warehouse.describe_exit(2) == "dbt exited with status 2"


class TestFailedModels:
    def test_has_a_line_for_each_model_that_was_not_built(self, tmp_path: Path) -> None:
        results = [
            {"unique_id": "model.ideamint.int_ideas", "status": "success", "message": "OK"},
            {"unique_id": "model.ideamint.dim_ideas", "status": "error", "message": "Database Error\n  out of disk"},
            {"unique_id": "test.ideamint.unique_x", "status": "fail", "message": "Got 1 result"},
        ]
        (tmp_path / "run_results.json").write_text(json.dumps({"results": results}))

        assert warehouse.failed_models(tmp_path) == ["dim_ideas: Database Error out of disk"]

    def test_is_empty_if_dbt_wrote_no_results(self, tmp_path: Path) -> None:
        assert warehouse.failed_models(tmp_path) == []


class TestParse:
    def test_needs_no_database(self, manifest: Path) -> None:
        assert manifest.name == "manifest.json"
        nodes = json.loads(manifest.read_text())["nodes"].values()
        models = {node["name"] for node in nodes if node["resource_type"] == "model" and node["schema"] == "marts"}
        assert set(warehouse.marts()) == models
        assert [path.name for path in manifest.parent.iterdir()] == ["manifest.json"]
