"""Periodic maintenance of the database and the data folder."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass

import psycopg

from orchestration.refresh import state_dir
from pipelines import warehouse
from settings import Settings

PARTITIONS_AHEAD_MONTHS = 12
RUNS_KEPT_S = 14 * 86400
REPLIES_KEPT_DAYS = 7
# after their end, so that the reuse of an old refresh token is still detected
SESSIONS_KEPT_DAYS = 30


@dataclass(frozen=True)
class MaintenanceResult:
    """Counts of created partitions and of removed rows and folders, and the age of the sources."""

    partitions_made: int
    replies_removed: int
    sessions_removed: int
    runs_removed: int
    sources: tuple[warehouse.SourceAge, ...]


def maintain(settings: Settings) -> MaintenanceResult:
    """Create partitions for the coming months of events, and remove expired responses, sessions and dbt runs."""
    with psycopg.connect(settings.database.role_url("app"), autocommit=True) as connection:
        row = connection.execute("SELECT app.prepare_event_partitions(%s)", (PARTITIONS_AHEAD_MONTHS,)).fetchone()
        replies = connection.execute(
            "DELETE FROM app.idempotent_responses WHERE created_at < now() - make_interval(days => %s)",
            (REPLIES_KEPT_DAYS,),
        )
        sessions = connection.execute(
            "DELETE FROM app.sessions WHERE greatest(expires_at, revoked_at) < now() - make_interval(days => %s)",
            (SESSIONS_KEPT_DAYS,),
        )
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
        replies_removed=replies.rowcount,
        sessions_removed=sessions.rowcount,
        runs_removed=len(old),
        sources=warehouse.freshness(settings.database.role_url("dbt"), state_dir(settings) / "freshness"),
    )
