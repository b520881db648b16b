"""Real Redis servers that a test may stop, freeze and start again."""

from __future__ import annotations

import shutil
import signal
import subprocess
from typing import TYPE_CHECKING

from cli.local.ports import free_port
from tests.factories.clocks import GIVE_UP_AFTER_S

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = "redis-server"
PID_FILE = "redis.pid"


def is_installed() -> bool:
    """Whether this machine has Redis at all."""
    return shutil.which(PROGRAM) is not None


class RedisServer:
    """A server on a loopback port of its own, with nothing on disk but its pid."""

    def __init__(self, folder: Path) -> None:
        """Not started yet."""
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it, and return once it takes connections."""
        options = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(self._folder),
            "pidfile": str(self._folder / PID_FILE),
            "save": "",
            "appendonly": "no",
        }
        self._process = subprocess.Popen(
            [PROGRAM, *(part for name, value in options.items() for part in (f"--{name}", value))],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        said = []
        for line in self._process.stdout:
            said.append(line)
            if "Ready to accept connections" in line:
                return
        msg = f"{PROGRAM} did not start:\n{''.join(said)}"
        raise RuntimeError(msg)

    def stop(self) -> None:
        """End it with all that it held. No harm if it is not running."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            self._process.communicate(timeout=GIVE_UP_AFTER_S)
            self._process = None

    def freeze(self) -> None:
        """Let it answer nothing more while its connections stay."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)
