"""Dagster's definitions of an installation: `dagster ... -m orchestration.definitions`.

The definitions are built when Dagster loads them, from the settings and from the manifest of
`orchestration.refresh.prepare_manifest`. All steps of a run share one process, which holds the build lock; the work
runs in PostgreSQL, a dbt process and DuckDB.
"""

from __future__ import annotations

from pathlib import Path

import dagster as dg

import settings as configuration
from orchestration import resources
from orchestration.defs import dbt, exports, failures, maintenance, reports
from orchestration.refresh import prepare_manifest, state_dir
from settings import Settings

EVERYTHING = dg.define_asset_job(
    "everything", selection=dg.AssetSelection.all(), description="Build, test, publish, report, and clean up."
)
MONTHLY_REPORTS = dg.define_asset_job(
    "monthly_reports",
    selection=dg.AssetSelection.assets(reports.campaign_reports),
    description="The reports of the month for every own campaign, from the published data.",
)
SCHEDULES = [
    dg.ScheduleDefinition(
        name="daily", job=EVERYTHING, cron_schedule="0 4 * * *", default_status=dg.DefaultScheduleStatus.RUNNING
    ),
    dg.ScheduleDefinition(
        name="monthly", job=MONTHLY_REPORTS, cron_schedule="0 6 1 * *", default_status=dg.DefaultScheduleStatus.RUNNING
    ),
]


def build(settings: Settings, manifest: Path) -> dg.Definitions:
    """The definitions of one installation."""
    return dg.Definitions(
        assets=[
            dbt.models(manifest),
            exports.snapshot(),
            reports.campaign_reports,
            maintenance.event_partitions,
        ],
        jobs=[EVERYTHING, MONTHLY_REPORTS],
        schedules=SCHEDULES,
        sensors=[failures.failed_runs([EVERYTHING, MONTHLY_REPORTS])],
        resources={"settings": settings, "dbt": resources.dbt(), "build_lock": resources.build_lock},
        executor=dg.in_process_executor,
    )


@dg.definitions
def definitions() -> dg.Definitions:
    """The definitions that Dagster loads."""
    settings = configuration.load()
    manifest = state_dir(settings) / "manifest.json"
    return build(settings, manifest if manifest.is_file() else prepare_manifest(settings))
