"""A sensor that reports failed runs where people look for reports."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from orchestration.monthly import leave_notice, month_of
from orchestration.refresh import exports_dir
from pipelines import exports
from settings import Settings


def failed_runs(jobs: Sequence[Any]) -> dg.SensorDefinition:
    """The sensor for these jobs: not a hook, since the process of a killed run cannot report anything."""

    @dg.run_failure_sensor(
        name="failed_runs",
        monitored_jobs=list(jobs),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Leaves a notice in place of the month's reports when a run fails or is killed.",
    )
    def report(context: dg.RunFailureSensorContext, settings: dg.ResourceParam[Settings]) -> None:
        """Record the failure as the reason for old published data, unless the run has recorded one itself."""
        run = context.dagster_run
        record = context.instance.get_run_record_by_id(run.run_id)
        began_at = datetime.fromtimestamp((record and record.start_time) or 0.0, UTC)
        refusal = exports.find_refusal(exports_dir(settings))
        if refusal is None or refusal.refused_at < began_at:
            reason = f"the run {run.run_id} of the job {run.job_name} failed: {context.failure_event.message}"
            refusal = exports.note_refusal(exports_dir(settings), [reason])
        leave_notice(settings, month_of(datetime.now(UTC)), refusal)

    return report
