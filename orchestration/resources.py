"""Dagster's resources: the build lock and dbt."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version as installed_version
from pathlib import Path
from sys import executable

import dagster as dg
from dagster_dbt import DbtCliResource
from packaging.version import Version

from orchestration.refresh import hold_build_lock
from pipelines import warehouse
from pipelines.builds import BuildLock
from settings import Settings

OWNERS = ["team:data-platform"]


@dg.resource(
    required_resource_keys={"settings"},
    description="The build lock, held from a run's first step to its last. A second run waits here and logs it.",
)
def build_lock(context: dg.InitResourceContext) -> Iterator[BuildLock]:
    """Hold the build lock: no other run and no `ideamint refresh` builds at the same time."""
    settings: Settings = context.resources.settings
    log = context.log

    def report(text: str) -> None:
        if log is not None:
            log.warning(text)

    with hold_build_lock(settings, "Dagster", report) as lock:
        yield lock


class WarehouseDbt(DbtCliResource):
    """dbt on this project. Its version is read from the package metadata, since `dbt --version` queries the package index."""

    @property
    def _cli_version(self) -> Version:
        return Version(installed_version("dbt-core"))


def dbt() -> WarehouseDbt:
    """The dbt of this Python environment, on the project in this repository."""
    return WarehouseDbt(
        project_dir=str(warehouse.PROJECT_DIR),
        profiles_dir=str(warehouse.PROJECT_DIR),
        dbt_executable=str(Path(executable).with_name("dbt")),
    )


@contextmanager
def environment_variables(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables inside a block, since dagster-dbt runs dbt with the environment of its own process."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
