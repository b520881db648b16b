"""What Dagster's assets are handed: the settings, and the right to build."""

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

from pipelines import turns, warehouse
from settings import Settings

OWNERS = ["team:data-platform"]


@dg.resource(
    required_resource_keys={"settings"},
    description="The right to build, held from a run's first step to its last. A second run waits here and says so.",
)
def build_lock(context: dg.InitResourceContext) -> Iterator[turns.BuildLock]:
    """One build at a time on a database, whoever started it: another run, or `ideamint refresh`."""
    settings: Settings = context.resources.settings
    log = context.log

    def say(text: str) -> None:
        if log is not None:
            log.warning(text)

    with turns.one_build_at_a_time(settings.database.role_url("dbt"), "Dagster", say) as lock:
        yield lock


class WarehouseDbt(DbtCliResource):
    """dbt on our project; it knows its version without `dbt --version`, which asks the package index for news."""

    @property
    def _cli_version(self) -> Version:
        return Version(installed_version("dbt-core"))


def dbt() -> WarehouseDbt:
    """The dbt that is installed beside this Python, on the project that stands beside this package."""
    return WarehouseDbt(
        project_dir=str(warehouse.PROJECT_DIR),
        profiles_dir=str(warehouse.PROJECT_DIR),
        dbt_executable=str(Path(executable).with_name("dbt")),
    )


@contextmanager
def exported(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for a while: dagster-dbt hands dbt the environment of its own process."""
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
