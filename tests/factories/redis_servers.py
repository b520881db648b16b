"""Real Redis servers that a test can stop, suspend and restart."""

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
    """Whether Redis is installed on this machine."""
    return shutil.which(PROGRAM) is not None


class RedisServer:
    """A server on its own loopback port; only its pid is on disk."""

    def __init__(self, folder: Path) -> None:
        """The server is not started yet."""
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start the server, and return once it accepts connections."""
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
        output = []
        for line in self._process.stdout:
            output.append(line)
            if "Ready to accept connections" in line:
                return
        msg = f"{PROGRAM} did not start:\n{''.join(output)}"
        raise RuntimeError(msg)

    def stop(self) -> None:
        """Stop the server; its data is lost. Does nothing if it is not running."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            self._process.communicate(timeout=GIVE_UP_AFTER_S)
            self._process = None

    def freeze(self) -> None:
        """Suspend the process: it does not respond, and its connections stay open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Resume the process."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)
