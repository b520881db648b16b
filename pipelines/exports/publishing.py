"""Publishes a staged snapshot atomically, and removes old ones."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pipelines.exports.staging import MANIFEST_FILE, STAGING_PREFIX, Staged
from pipelines.marts.refusals import REFUSAL_FILE, Refusal, find_refusal
from settings.files import replace_file

CURRENT = "current"
SNAPSHOTS_KEPT = 5


def publish(staged: Staged) -> Path:
    """Rename the staged folder, point `current` to it, and return the folder.

    All files are synced to disk before the symlink is replaced, and the replacement is one rename. A reader sees the
    previous snapshot or this one, even after a crash.
    """
    exports_dir = staged.folder.parent
    for file in staged.folder.iterdir():
        _sync(file)
    _sync(staged.folder)
    folder = exports_dir / staged.manifest.snapshot
    staged.folder.rename(folder)
    link = exports_dir / f".{CURRENT}-{secrets.token_hex(4)}"
    link.symlink_to(folder.name, target_is_directory=True)
    link.replace(exports_dir / CURRENT)
    _sync(exports_dir)
    (exports_dir / REFUSAL_FILE).unlink(missing_ok=True)
    return folder


def discard(staged: Staged) -> None:
    """Remove a staged snapshot without publishing it."""
    shutil.rmtree(staged.folder, ignore_errors=True)


def note_refusal(exports_dir: Path, reasons: Sequence[str]) -> Refusal:
    """Record that newer data could not be published; the next publication removes the record.

    Another refusal keeps the time of the first one.
    """
    exports_dir.mkdir(parents=True, exist_ok=True)
    now, earlier = datetime.now(UTC), find_refusal(exports_dir)
    refusal = Refusal(earlier.since if earlier else now, now, tuple(reasons))
    content = {
        "since": refusal.since.isoformat(),
        "refused_at": refusal.refused_at.isoformat(),
        "reasons": list(refusal.reasons),
    }
    replace_file(exports_dir / REFUSAL_FILE, json.dumps(content, indent=2) + "\n")
    return refusal


def prune(exports_dir: Path, keep: int = SNAPSHOTS_KEPT) -> list[str]:
    """Remove all but the newest `keep` snapshots, and the folders of interrupted stagings; return the removed names.

    The current snapshot is always kept. The caller holds the build lock, so no staging is running.
    """
    published = snapshots(exports_dir)
    current = (exports_dir / CURRENT).resolve().name
    removed = [name for name in published[: max(0, len(published) - keep)] if name != current]
    interrupted = [path.name for path in exports_dir.glob(f"{STAGING_PREFIX}*")]
    for name in (*removed, *interrupted):
        shutil.rmtree(exports_dir / name, ignore_errors=True)
    for link in exports_dir.glob(f".{CURRENT}-*"):
        link.unlink(missing_ok=True)
    return [*removed, *interrupted]


def snapshots(exports_dir: Path) -> list[str]:
    """Names of the published snapshots, oldest first."""
    if not exports_dir.is_dir():
        return []
    return sorted(
        path.name
        for path in exports_dir.iterdir()
        if not path.name.startswith(".") and not path.is_symlink() and (path / MANIFEST_FILE).is_file()
    )


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
