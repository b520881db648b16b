"""A real S3 server, versitygw of the Go module proxy, that a test can stop and restart."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from cli.local.ports import free_port
from tests.factories.clocks import GIVE_UP_AFTER_S, until

if TYPE_CHECKING:
    from settings import Settings

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".venv" / "test-storage"
MODULE = "github.com/versity/versitygw/cmd/versitygw"
VERSION = "v1.8.0"
BUCKET = "uploads"
ACCESS_KEY_ID = "ideamint"
SECRET_ACCESS_KEY = "of the tests"


def is_possible() -> bool:
    """Whether the server can be built on this machine, or was built before."""
    return shutil.which("go") is not None or _program().exists()


def _program() -> Path:
    return CACHE / f"versitygw-{VERSION}"


@cache
def installed() -> Path:
    """The program; the first run builds it, which takes some minutes."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(CACHE / "install.lock"):
        if not _program().exists():
            folder = CACHE / "bin"
            done = subprocess.run(
                ["go", "install", f"{MODULE}@{VERSION}"],
                env={**os.environ, "GOBIN": str(folder)},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"go install: {done.stderr}"
            (folder / "versitygw").rename(_program())
    return _program()


class S3Server:
    """A server on its own loopback port, whose buckets are folders."""

    def __init__(self, folder: Path) -> None:
        """The server is not started yet. It has one empty bucket."""
        self.port = free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "buckets" / BUCKET).mkdir(parents=True)
        (folder / "metadata").mkdir()

    def settings(self, settings: Settings, **changes: Any) -> Settings:
        """`settings` with this server as the store."""
        return settings.with_(
            storage="s3",
            s3_endpoint=f"http://127.0.0.1:{self.port}",
            s3_bucket=BUCKET,
            **{"s3_access_key_id": ACCESS_KEY_ID, "s3_secret_access_key": SECRET_ACCESS_KEY, **changes},
        )

    def start(self) -> None:
        """Start the server, and return once it accepts connections."""
        command: list[str | Path] = [
            installed(), "--port", f"127.0.0.1:{self.port}", "--access", ACCESS_KEY_ID, "--secret", SECRET_ACCESS_KEY,
            "--quiet", "posix", "--sidecar", self._folder / "metadata", self._folder / "buckets",
        ]  # fmt: skip
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self._accepts, pause_s=0.05)

    def stop(self) -> None:
        """Stop the server; its objects remain. Does nothing if it is not running."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=GIVE_UP_AFTER_S)
            self._process = None

    def set_age(self, key: str, age_s: float) -> None:
        """Let an object be stored `age_s` seconds ago."""
        moment = time.time() - age_s
        os.utime(self._folder / "buckets" / BUCKET / key, (moment, moment))

    def _accepts(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "the server has ended"
        with socket.socket() as connection:
            return connection.connect_ex(("127.0.0.1", self.port)) == 0
