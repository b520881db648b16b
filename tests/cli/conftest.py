"""A separate installation, used through its command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.factories.clocks import GIVE_UP_AFTER_S

COMMAND = [sys.executable, "-m", "cli.main"]
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Done:
    """Exit code and output of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Shell:
    """Runs `ideamint` on one data folder, without the caller's settings."""

    data_dir: Path

    def environment(self, **variables: str) -> dict[str, str]:
        own = {"PATH": os.environ["PATH"], "HOME": str(self.data_dir), "PYTHONPATH": str(ROOT)}
        coverage = {name: value for name, value in os.environ.items() if name.startswith("COV")}
        return own | coverage | {"IDEAMINT_DATA_DIR": str(self.data_dir), "IDEAMINT_ENV": "test"} | variables

    def __call__(self, *arguments: str, given: str = "", settings: Mapping[str, str] | None = None) -> Done:
        done = subprocess.run(
            [*COMMAND, *arguments],
            input=given,
            capture_output=True,
            text=True,
            env=self.environment(**(settings or {})),
            cwd="/",
            check=False,
            timeout=GIVE_UP_AFTER_S,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def ideamint() -> Iterator[Shell]:
    """The command line of a new installation; its server is stopped at the end.

    Not in tmp_path, since the account of the server cannot enter it if root runs the tests.
    """
    with tempfile.TemporaryDirectory(prefix="ideamint-test-") as folder:
        Path(folder).chmod(0o711)
        shell = Shell(Path(folder) / "data")
        yield shell
        shell("db", "stop")
