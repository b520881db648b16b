"""Operating system processes of the embedded server: the postmaster, and orphans of a killed postmaster."""

from __future__ import annotations

import contextlib
import signal
import time
from pathlib import Path

import psutil

TIMEOUT_S = 5.0


def find(folder: Path) -> psutil.Process | None:
    """The running postmaster of a cluster's folder, found by its postmaster.pid."""
    try:
        pid = int((folder / "postmaster.pid").read_text().splitlines()[0])
        process = psutil.Process(pid)
        is_ours = any(Path(word) == folder for word in process.cmdline())
    except (OSError, ValueError, IndexError, psutil.Error):
        return None
    return process if is_ours and _is_alive(process) else None


def end_orphans(folder: Path) -> int:
    """End the orphans of a dead postmaster; returns the number of processes.

    They keep its shared memory, which prevents the start of a new server. A busy orphan notices the death only when its
    statement ends, which can take minutes. Orphans get SIGQUIT, as from a postmaster after a crash, and SIGKILL after 5 s.
    """
    orphans = _orphans(folder)
    for number in (signal.SIGQUIT, signal.SIGKILL):
        for orphan in orphans:
            with contextlib.suppress(psutil.Error):
                orphan.send_signal(number)
        give_up_at = time.monotonic() + TIMEOUT_S
        while any(map(_is_alive, orphans)) and time.monotonic() < give_up_at:
            time.sleep(0.02)
    return len(orphans)


def _orphans(folder: Path) -> list[psutil.Process]:
    """Server processes of the folder, recognised by their working directory and process title."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            title = process.cmdline()[:1]
            if title and title[0].startswith("postgres: ") and Path(process.cwd()) == folder:
                found.append(process)
    return found


def _is_alive(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False
