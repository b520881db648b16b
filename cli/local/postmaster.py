"""The embedded server's processes as the system knows them: the postmaster, and what a killed one leaves behind."""

from __future__ import annotations

import contextlib
import signal
import time
from pathlib import Path

import psutil

PATIENCE_S = 5.0


def find(folder: Path) -> psutil.Process | None:
    """The live postmaster of a cluster's folder, by the file that it keeps there."""
    try:
        pid = int((folder / "postmaster.pid").read_text().splitlines()[0])
        process = psutil.Process(pid)
        is_ours = any(Path(word) == folder for word in process.cmdline())
    except (OSError, ValueError, IndexError, psutil.Error):
        return None
    return process if is_ours and _is_alive(process) else None


def end_orphans(folder: Path) -> int:
    """End what a dead postmaster left behind; returns how many processes that were.

    They hold its memory, so that no server can start, and one that is busy notices only when its statement is done,
    which may be minutes away. They are told as a postmaster tells its children after a crash: SIGQUIT, and SIGKILL
    after 5 s.
    """
    orphans = _orphans(folder)
    for number in (signal.SIGQUIT, signal.SIGKILL):
        for orphan in orphans:
            with contextlib.suppress(psutil.Error):
                orphan.send_signal(number)
        give_up_at = time.monotonic() + PATIENCE_S
        while any(map(_is_alive, orphans)) and time.monotonic() < give_up_at:
            time.sleep(0.02)
    return len(orphans)


def _orphans(folder: Path) -> list[psutil.Process]:
    """Server processes at work in the folder: each lives there, and says in its title what it does."""
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
