"""Finding the published snapshot: `<data_dir>/exports/current`, a symlink that publication replaces atomically."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from pipelines.marts.records import Snapshot


class NoSnapshot(Exception):
    """Nothing is published yet, or the snapshot that `current` points to is incomplete."""


class OutOfScope(Exception):
    """The requested data is outside the reader's scope."""


class UnknownCampaign(Exception):
    """The snapshot has no campaign of that slug or id, or it is outside the reader's scope."""


def published(data_dir: Path) -> Snapshot:
    """The newest complete snapshot.

    The symlink is resolved once, so that manifest and database are of the same snapshot.

    Raises:
        NoSnapshot: nothing is published under `data_dir`, or its manifest cannot be read.
    """
    current = data_dir / "exports" / "current"
    try:
        folder = current.resolve(strict=True)
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        created_at = datetime.fromisoformat(manifest["created_at"])
        snapshot = Snapshot(str(manifest["snapshot"]), created_at.astimezone(UTC), folder)
    except FileNotFoundError as error:
        msg = f"no marts are published under {current}; `ideamint refresh` publishes them"
        raise NoSnapshot(msg) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"the manifest of {current} cannot be read ({error}); `ideamint refresh` publishes it again"
        raise NoSnapshot(msg) from error
    if not snapshot.database.is_file():
        msg = f"{snapshot.database} is missing; `ideamint refresh` publishes it again"
        raise NoSnapshot(msg)
    return snapshot
