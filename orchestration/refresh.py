"""The data platform's daily work without Dagster: build, stage, check, publish.

The same functions run as Dagster's assets (`orchestration.defs`); this is what `ideamint refresh` and `ideamint export`
call. Whoever builds, holds the lock of `pipelines.turns.one_build_at_a_time` from the first model to the symlink.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipelines import exports, quality, turns, warehouse
from settings import Settings


class Progress(Protocol):
    """Told how far a refresh is."""

    def say(self, text: str) -> None:
        """A line for people: what begins, or what is waited for."""

    def advance(self, done: int, total: int) -> None:
        """`done` of `total` steps of what was said last."""


@dataclass(frozen=True)
class RefreshResult:
    """What was published. `models` and `tests` are 0 for an export, which builds nothing; `seconds` is wall time."""

    snapshot: str
    folder: Path
    models: int
    tests: int
    warnings: tuple[str, ...]
    checks: int
    rows: dict[str, int]
    pruned: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class Silent:
    """Progress that nobody looks at."""

    def say(self, text: str) -> None:
        """Say nothing."""

    def advance(self, done: int, total: int) -> None:
        """Show nothing."""


def state_dir(settings: Settings) -> Path:
    """Folder of dbt's artifacts and logs."""
    return settings.paths.data_dir / "dbt"


def exports_dir(settings: Settings) -> Path:
    """Folder of the snapshots and of `current`."""
    return settings.paths.data_dir / "exports"


def prepare_manifest(settings: Settings) -> Path:
    """Write dbt's manifest, which Dagster's definitions are made of; needs no database.

    Raises:
        BuildFailed: the dbt project has an error.
    """
    return warehouse.parse(state_dir(settings))


def refresh(settings: Settings, progress: Progress | None = None) -> RefreshResult:
    """Build every model, and publish the marts if everything about them holds.

    Waits while another build is under way, and says so.

    Raises:
        BuildFailed: a model could not be built, or a test failed: conservation among them. Nothing was published.
        SnapshotRefused: the staged files are not what they must be. Nothing was published.
    """
    return _publish(settings, progress or Silent(), who="ideamint refresh", builds=True)


def export(settings: Settings, progress: Progress | None = None) -> RefreshResult:
    """Publish the marts as the last build left them.

    Raises:
        SnapshotRefused: the staged files are not what they must be. Nothing was published.
        psycopg.errors.UndefinedTable: nothing was built yet.
    """
    return _publish(settings, progress or Silent(), who="ideamint export", builds=False)


def build(settings: Settings, progress: Progress) -> warehouse.BuildResult:
    """Build and test every model; a failure is noted for those who wonder why the published data is old."""
    try:
        return warehouse.build(settings.database.role_url("dbt"), state_dir(settings), progress=progress.advance)
    except warehouse.BuildFailed as failure:
        exports.note_refusal(exports_dir(settings), failure.failures)
        raise


def stage(settings: Settings, manifest: Path, progress: Progress) -> exports.Staged:
    """Write the marts' present state where no reader looks; the log-in can read the marts and nothing else."""
    tables = warehouse.marts(manifest)
    return exports.stage(settings.database.role_url("reader"), tables, exports_dir(settings), progress.advance)


def inspect(settings: Settings, staged: exports.Staged, progress: Progress) -> quality.QualityReport:
    """Check the staged files; what cannot be checked is discarded, and a refusal noted."""
    try:
        report = quality.check(staged.folder, progress.advance)
    except BaseException:
        exports.discard(staged)
        raise
    if not report.passed:
        exports.note_refusal(exports_dir(settings), str(quality.SnapshotRefused(report)).splitlines())
    return report


def publish(
    settings: Settings, staged: exports.Staged, report: quality.QualityReport, lock: turns.BuildLock
) -> tuple[Path, list[str]]:
    """Publish what passed; gives the snapshot's folder, and the old snapshots that were removed.

    Raises:
        SnapshotRefused: it did not pass.
        BuildLockLost: another build may have begun meanwhile.
    """
    try:
        if not report.passed:
            raise quality.SnapshotRefused(report)
        lock.confirm()
        folder = exports.publish(staged)
    except BaseException:
        exports.discard(staged)
        raise
    return folder, exports.prune(exports_dir(settings))


def _publish(settings: Settings, progress: Progress, *, who: str, builds: bool) -> RefreshResult:
    started_at = time.monotonic()
    url = settings.database.role_url("dbt")
    with turns.one_build_at_a_time(url, who, progress.say) as lock:
        built = None
        if builds:
            progress.say("building and testing the models")
            built = build(settings, progress)
        manifest = built.manifest if built else prepare_manifest(settings)
        progress.say("writing the snapshot")
        staged = stage(settings, manifest, progress)
        progress.say("checking the snapshot")
        report = inspect(settings, staged, progress)
        folder, pruned = publish(settings, staged, report, lock)
    return RefreshResult(
        snapshot=staged.manifest.snapshot,
        folder=folder,
        models=built.models if built else 0,
        tests=built.tests if built else 0,
        warnings=built.warnings if built else (),
        checks=len(report.results),
        rows={name: table.rows for name, table in staged.manifest.tables.items()},
        pruned=tuple(pruned),
        seconds=time.monotonic() - started_at,
    )
