"""Commands of the data platform: build and publish the marts, and write reports from them."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from cli.console import Steps
    from orchestration.refresh import Records, RefreshResult
    from settings import Settings

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


class ReportFormat(StrEnum):
    """File format of a report."""

    PDF = "pdf"
    XLSX = "xlsx"


def refresh(as_json: AsJson = False) -> None:
    """Build the figures and publish them.

    Runs dbt's models and tests, writes one DuckDB file and Parquet files, checks them, and then publishes them for
    dashboards, reports and exports. Exits with 1 and publishes nothing if a check fails. Waits while another build is
    running.
    """
    from api.coins.background import seal_all
    from cli import console
    from cli.local import installation
    from orchestration import refresh as work

    with installation.ready() as settings, console.steps() as steps:
        # reports show the head of each ledger, and without a running worker new transfers are not sealed yet
        steps.say("sealing the ledger")
        installation.with_database(settings, seal_all)
        with _records(settings, steps) as records:
            result = work.refresh(settings, steps, records)
    _show(result, as_json=as_json)


def export(as_json: AsJson = False) -> None:
    """Publish the figures of the last build.

    Writes the same files as `ideamint refresh` without a build. Exits with 1 if there was no build yet, if the last one
    did not pass or built only a part, or if a check of the files fails.
    """
    from cli import console
    from cli.local import installation
    from orchestration import refresh as work
    from pipelines import builds

    with installation.ready() as settings, console.steps() as steps:
        builds.refuse_without_build(
            settings.database.role_url("dbt")
        )  # before the records import Dagster, which takes 4 s
        with _records(settings, steps) as records:
            result = work.export(settings, steps, records)
    _show(result, as_json=as_json)


def report(
    campaign: Annotated[str, typer.Option(help="The campaign's slug or id.")],
    report_format: Annotated[ReportFormat, typer.Option("--format", help="pdf for executives, xlsx for analysts.")],
    out: Annotated[Path, typer.Option(help="The file to write; an existing file is replaced.", dir_okay=False)],
    as_json: AsJson = False,
) -> None:
    """Write a campaign's report from the published figures.

    Exits with 1 if nothing is published yet, or if the campaign does not exist.
    """
    import settings as configuration
    from cli import console
    from pipelines import reports

    result = reports.write_report(configuration.load().paths.data_dir, campaign, report_format.value, out)
    size = f"{result.pages} pages" if result.pages else f"{result.sheets} sheets"
    line = f"{result.path}: {size}, {result.bytes / 1000:.0f} kB, from the figures of {result.snapshot}"
    console.result(asdict(result), [line], as_json=as_json)


def _records(settings: Settings, steps: Steps) -> AbstractContextManager[Records]:
    """Where the results of a build are recorded, so that Dagster's page shows them."""
    from cli.local import dagster_home
    from orchestration.dagster_records import open_records

    return open_records(dagster_home.find(settings), dagster_home.environment(settings), steps.say)


def _show(result: RefreshResult, *, as_json: bool) -> None:
    from cli import console

    lines = [f"warning: {warning}" for warning in result.warnings]
    if result.models:
        lines.append(f"built {result.models} models, {result.tests} tests passed")
    lines.append(
        f"{result.checks} checks of the files passed; {sum(result.rows.values())} rows in {len(result.rows)} tables"
    )
    lines.append(f"published {result.folder} after {result.seconds:.1f} s")
    console.result(asdict(result), lines, as_json=as_json)
