"""Rules of the dbt project that its manifest shows, without a database."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from pipelines import wording
from pipelines.marts import GROUP_SIZE_MIN
from pipelines.warehouse import PROJECT_DIR

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Node = dict[str, Any]

READS = {
    "staging": {"source"},
    "intermediate": {"staging", "intermediate", "seed"},
    # A fact never reads another fact: what two facts share is an intermediate model.
    "marts": {"staging", "intermediate", "seed", "dimension"},
}


@pytest.fixture(scope="session")
def project(manifest: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(manifest.read_text())
    return found


@pytest.fixture(scope="session")
def models(project: dict[str, Any]) -> dict[str, Node]:
    return {key: node for key, node in project["nodes"].items() if node["resource_type"] == "model"}


def kind_of(key: str, models: Mapping[str, Node]) -> str:
    """What a model reads: a source, a seed, or a model by its layer; a mart is a dimension or a fact."""
    if key not in models:
        return key.partition(".")[0]
    layer = str(models[key]["schema"])
    if layer != "marts":
        return layer
    return "dimension" if models[key]["name"].startswith("dim_") else "fact"


def variables() -> dict[str, int]:
    found: dict[str, int] = yaml.safe_load((PROJECT_DIR / "dbt_project.yml").read_text())["vars"]["ideamint"]
    return found


class TestLayers:
    def test_each_layer_reads_only_the_layers_below(self, models: dict[str, Node]) -> None:
        wrong = [
            (node["name"], parent)
            for node in models.values()
            for parent in node["depends_on"]["nodes"]
            if kind_of(parent, models) not in READS[node["schema"]]
        ]
        assert wrong == []

    def test_a_name_shows_the_layer(self, models: dict[str, Node]) -> None:
        prefixes = {"staging": ("stg_app__",), "intermediate": ("int_",), "marts": ("dim_", "fct_")}
        assert [node["name"] for node in models.values() if not node["name"].startswith(prefixes[node["schema"]])] == []


class TestDescriptions:
    def test_every_model_and_seed_states_its_grain(self, project: dict[str, Any]) -> None:
        described = [node for node in project["nodes"].values() if node["resource_type"] in ("model", "seed")]
        assert [node["name"] for node in described if "Grain: " not in node["description"]] == []

    def test_every_column_has_one(self, models: dict[str, Node]) -> None:
        columns = [
            (node["name"], name)
            for node in models.values()
            for name, c in node["columns"].items()
            if not c["description"]
        ]
        assert columns == []


class TestExposures:
    def test_they_read_marts_alone(self, project: dict[str, Any], models: dict[str, Node]) -> None:
        exposures = project["exposures"].values()
        assert len(exposures) >= 7
        read = {parent for exposure in exposures for parent in exposure["depends_on"]["nodes"]}
        assert {models[parent]["schema"] for parent in read} == {"marts"}


class TestSmallestGroup:
    def test_it_is_the_one_of_the_readers(self) -> None:
        assert variables()["group_size_min"] == GROUP_SIZE_MIN

    def test_the_reason_of_a_hidden_figure_is_worded_as_by_the_readers(self, project: dict[str, Any]) -> None:
        description = project["nodes"]["model.ideamint.fct_figures"]["columns"]["unknown_reason"]["description"]
        assert wording.FEWER_PEOPLE in description

    def test_the_definition_of_backed_ideas_names_the_smallest_number_of_backers(self) -> None:
        with (PROJECT_DIR / "seeds" / "figures.csv").open(encoding="utf-8", newline="") as file:
            definitions = {row["figure"]: row["definition"] for row in csv.DictReader(file)}
        assert f"at least {variables()['backers_min']} backers" in definitions["backed"]
