"""Regular maintenance of the database and the data folder.

The worker deletes expired rows, and also creates partitions of events.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass

import psycopg

from api.events.handlers import PARTITIONS_AHEAD_MONTHS
from orchestration.refresh import state_dir
from pipelines import warehouse
from settings import Settings

RUNS_KEPT_S = 14 * 86400


@dataclass(frozen=True)
class MaintenanceResult:
    """Partitions of events that were created, folders of old dbt runs that were removed, and the age of the sources."""

    partitions_made: int
    runs_removed: int
    sources: tuple[warehouse.SourceAge, ...]


def maintain(settings: Settings) -> MaintenanceResult:
    """Create missing partitions of events, remove folders of old dbt runs, and read the age of the sources."""
    with psycopg.connect(settings.database.role_url("app"), autocommit=True) as connection:
        row = connection.execute("SELECT app.prepare_event_partitions(%s)", (PARTITIONS_AHEAD_MONTHS,)).fetchone()
    runs = state_dir(settings) / "runs"
    old = [
        folder
        for folder in (runs.iterdir() if runs.is_dir() else ())
        if folder.is_dir() and time.time() - folder.stat().st_mtime > RUNS_KEPT_S
    ]
    for folder in old:
        shutil.rmtree(folder, ignore_errors=True)
    return MaintenanceResult(
        partitions_made=int(row[0]) if row else 0,
        runs_removed=len(old),
        sources=warehouse.freshness(settings.database.role_url("dbt"), state_dir(settings) / "freshness"),
    )
