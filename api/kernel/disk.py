"""A full disk, as readiness reports it: too little free space for the data folder, or a write that PostgreSQL refused."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MIB: Final = 1024 * 1024
FREE_BYTES_MIN: Final = 512 * MIB
"""Less free space is reported: a refresh of the data platform and the write-ahead log need about as much."""

REFUSAL_REPORTED_S: Final = 60
"""How long a refused write is reported after it, since the disk of another host cannot be measured."""


@dataclass
class DiskSpace:
    """The disk of the data folder, which the embedded PostgreSQL uses too, and that of the database."""

    data_dir: Path
    clock_s: Callable[[], float] = field(default=time.monotonic)
    _refused_at_s: float | None = field(default=None, init=False)

    def note_refusal(self) -> None:
        """Record that PostgreSQL just refused a write because its disk is full."""
        self._refused_at_s = self.clock_s()

    def findings(self) -> dict[str, str]:
        """What readiness reports under `disk`; empty while there is enough space."""
        if self._refused_at_s is not None:
            ago_s = self.clock_s() - self._refused_at_s
            if ago_s <= REFUSAL_REPORTED_S:
                return {"disk": f"full: PostgreSQL refused a write {ago_s:.0f} s ago"}
        free_bytes = self._free_bytes()
        if free_bytes >= FREE_BYTES_MIN:
            return {}
        return {"disk": f"{free_bytes // MIB} MiB free for the data folder; less than {FREE_BYTES_MIN // MIB} MiB"}

    def _free_bytes(self) -> int:
        present = next(folder for folder in (self.data_dir, *self.data_dir.parents) if folder.exists())
        return shutil.disk_usage(present).free
