"""The daily refresh without Dagster: build, stage, check, publish.

Dagster's assets (`orchestration.defs`) call the same functions as `ideamint refresh` and `ideamint export`. A refresh
holds the build lock (`pipelines.builds`) from the first model to the replacement of the symlink.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipelines import builds, exports, quality, warehouse
from pipelines.builds import BuildLock
from settings import Settings


class Progress(Protocol):
    """Receives the progress of a refresh."""

    def say(self, text: str) -> None:
        """Receive a message: the step that begins, or the reason for waiting."""

    def advance(self, done: int, total: int) -> None:
        """`done` of `total` steps of the current message are finished."""


class Records(Protocol):
    """Receives the results of each step, to show them elsewhere."""

    def built(self, target: Path) -> None:
        """The process of dbt has ended; this folder has its artifacts, as far as it wrote any."""

    def checked(self, report: quality.QualityReport) -> None:
        """The staged files were checked."""

    def published(self, manifest: exports.Manifest, folder: Path) -> None:
        """A snapshot was published."""


@dataclass(frozen=True)
class RefreshResult:
    """The published snapshot. `models` and `tests` are 0 for an export, which builds nothing; `seconds` is wall time."""

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
    """Ignores progress."""

    def say(self, text: str) -> None:
        """Do nothing."""

    def advance(self, done: int, total: int) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class Unrecorded:
    """Results that are recorded nowhere else."""

    def built(self, target: Path) -> None:
        """Do nothing."""

    def checked(self, report: quality.QualityReport) -> None:
        """Do nothing."""

    def published(self, manifest: exports.Manifest, folder: Path) -> None:
        """Do nothing."""


def state_dir(settings: Settings) -> Path:
    """Folder of dbt's artifacts and logs."""
    return settings.paths.data_dir / "dbt"


def exports_dir(settings: Settings) -> Path:
    """Folder of the snapshots and of `current`."""
    return settings.paths.data_dir / "exports"


def prepare_manifest(settings: Settings) -> Path:
    """Write dbt's manifest, from which Dagster's definitions are built; needs no database.

    Raises:
        BuildFailed: the dbt project has an error.
    """
    return warehouse.parse(state_dir(settings))


def refresh(settings: Settings, progress: Progress | None = None, records: Records | None = None) -> RefreshResult:
    """Build every model, and publish the marts if all tests and checks pass.

    While another build is running, it waits and reports this.

    Raises:
        BuildFailed: a model could not be built, or a test failed. Nothing was published.
        SnapshotRefused: the staged files failed their checks. Nothing was published.
    """
    return _publish(settings, progress or Silent(), records or Unrecorded(), holder="ideamint refresh", with_build=True)


def export(settings: Settings, progress: Progress | None = None, records: Records | None = None) -> RefreshResult:
    """Publish the marts of the last build.

    Raises:
        NotPublishable: the marts are not all of the newest build, or it did not pass. Nothing was published.
        SnapshotRefused: the staged files failed their checks. Nothing was published.
    """
    return _publish(settings, progress or Silent(), records or Unrecorded(), holder="ideamint export", with_build=False)


@contextmanager
def hold_build_lock(settings: Settings, holder: str, report: builds.Report) -> Iterator[BuildLock]:
    """Hold the build lock; builds that were killed before are recorded as the reason for old published data."""
    with builds.hold_build_lock(settings.database.role_url("dbt"), holder, report) as lock:
        if lock.killed:
            exports.note_refusal(exports_dir(settings), [f"{build} was killed" for build in lock.killed])
        yield lock


def build(settings: Settings, lock: BuildLock, progress: Progress, records: Records) -> warehouse.BuildResult:
    """Build and test every model; a failure is recorded as the reason for old published data.

    Raises:
        BuildFailed: the reasons begin with the campaigns whose coins do not add up, if there are any.
    """
    url = settings.database.role_url("dbt")
    try:
        with lock.begin() as current:
            try:
                return warehouse.build(url, state_dir(settings), current.build_id, progress=progress.advance)
            finally:
                records.built(state_dir(settings) / "target")
    except warehouse.BuildFailed as failure:
        reasons = refuse(settings, failure.failures, conservation_broke=failure.conservation_broke)
        raise warehouse.BuildFailed(reasons, conservation_broke=failure.conservation_broke) from failure


def refuse(settings: Settings, failures: Sequence[str], *, conservation_broke: bool) -> list[str]:
    """Record why a build failed, and return the reasons: wrong campaigns first, then the failures of dbt."""
    differences = builds.describe_differences(settings.database.role_url("dbt")) if conservation_broke else ()
    reasons = [*differences, *failures]
    exports.note_refusal(exports_dir(settings), reasons)
    return reasons


def stage(settings: Settings, progress: Progress) -> exports.Staged:
    """Write the marts' current state into a staging folder, with a log-in that can read only the marts.

    Raises:
        NotPublishable: the marts are not all of the newest build, or it did not pass.
    """
    tables = warehouse.marts()
    build_id = builds.publishable(settings.database.role_url("dbt"), tables)
    return exports.stage(
        settings.database.role_url("reader"), tables, exports_dir(settings), build_id, progress.advance
    )


def inspect(settings: Settings, staged: exports.Staged, progress: Progress) -> quality.QualityReport:
    """Check the staged files; failures are recorded, and files that cannot be checked are removed."""
    try:
        report = quality.check(staged.folder, progress.advance)
    except BaseException:
        exports.discard(staged)
        raise
    if not report.passed:
        exports.note_refusal(exports_dir(settings), str(quality.SnapshotRefused(report)).splitlines())
    return report


def publish(
    settings: Settings, staged: exports.Staged, report: quality.QualityReport, lock: BuildLock
) -> tuple[Path, list[str]]:
    """Publish a checked snapshot; return its folder and the names of removed old snapshots.

    Raises:
        SnapshotRefused: the checks failed.
        BuildLockLost: another build may have started.
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


def _publish(
    settings: Settings, progress: Progress, records: Records, *, holder: str, with_build: bool
) -> RefreshResult:
    started_at = time.monotonic()
    with hold_build_lock(settings, holder, progress.say) as lock:
        built = None
        if with_build:
            progress.say("building and testing the models")
            built = build(settings, lock, progress, records)
        progress.say("writing the snapshot")
        staged = stage(settings, progress)
        progress.say("checking the snapshot")
        report = inspect(settings, staged, progress)
        records.checked(report)
        folder, pruned = publish(settings, staged, report, lock)
        records.published(staged.manifest, folder)
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
