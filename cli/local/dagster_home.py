"""Dagster's folder under the data folder: its configuration, and where it finds the code server."""

from __future__ import annotations

from pathlib import Path

from settings import Settings
from settings.files import replace_file

DATABASE_VARIABLE = "IDEAMINT_DAGSTER_STORAGE_URL"
CODE_LOCATION = "ideamint"
RUN_TIMEOUT_S = 6 * 3600

_DAGSTER_YAML = f"""\
# Generated at every start of `ideamint up`.
storage:
  postgres:
    postgres_url:
      env: {DATABASE_VARIABLE}
run_coordinator:
  module: dagster.core.run_coordinator
  class: QueuedRunCoordinator
  # A run that is dequeued while the code server restarts is launched later.
  config:
    max_user_code_failure_retries: 10
    user_code_failure_retry_delay: 15
run_launcher:
  module: orchestration.run_launcher
  class: CodeServerRunLauncher
  config:
    port: {{code_port}}
concurrency:
  runs:
    max_concurrent_runs: 1 # one build at a time; the next one is queued
# A run without a process, or one that takes too long, must not block the queue.
run_monitoring:
  enabled: true
  poll_interval_seconds: 10
  start_timeout_seconds: 180
  cancel_timeout_seconds: 180
  max_runtime_seconds: {RUN_TIMEOUT_S}
  max_resume_run_attempts: 0
# A run whose process was killed runs once more; one whose data was refused does not.
run_retries:
  enabled: true
  max_retries: 1
  retry_on_asset_or_op_failure: false
telemetry:
  enabled: false
nux:
  enabled: false
"""

# Schedules, sensors and the history of jobs belong to the name of the code location, which Dagster would otherwise derive
# from the port.
_WORKSPACE_YAML = f"""\
# Generated at every start of `ideamint up`.
load_from:
  - grpc_server:
      host: 127.0.0.1
      port: {{code_port}}
      location_name: {CODE_LOCATION}
"""


def environment(settings: Settings) -> dict[str, str]:
    """Environment variables of every process that uses Dagster; `settings` points to a running database."""
    url = settings.database.role_url("dagster", settings.database.dagster_name)
    return {
        DATABASE_VARIABLE: url.replace("postgresql://", "postgresql+psycopg2://", 1),
        "DAGSTER_HOME": str(folder(settings)),
    }


def folder(settings: Settings) -> Path:
    """Dagster's folder under the data folder."""
    return settings.paths.data_dir / "dagster"


def find(settings: Settings) -> Path:
    """Dagster's folder; its configuration is written if it is missing, as before the first start of `ideamint up`."""
    home = folder(settings)
    return home if (home / "dagster.yaml").is_file() else write(settings, code_port=0)


def write(settings: Settings, code_port: int) -> Path:
    """Write the configuration of Dagster and return its folder; the code server listens on `code_port`."""
    home = folder(settings)
    home.mkdir(parents=True, exist_ok=True)
    replace_file(home / "dagster.yaml", _DAGSTER_YAML.format(code_port=code_port))
    replace_file(home / "workspace.yaml", _WORKSPACE_YAML.format(code_port=code_port))
    return home
