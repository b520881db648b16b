"""The command line as processes on one data folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.factories.clocks import GIVE_UP_AFTER_S

COMMAND = [sys.executable, "-m", "cli.main"]
ROOT = Path(__file__).parents[2]


def measuring() -> dict[str, str]:
    """The variables by which `tests/coverage/collecting.py` measures a process, if this run is measured."""
    return {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}


@dataclass(frozen=True)
class Done:
    """Exit code and output of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[[Sequence[str], Mapping[str, str], str], Done]
"""Runs `ideamint` with these arguments, environment and standard input."""


def run_process(arguments: Sequence[str], environment: Mapping[str, str], given: str) -> Done:
    """Run a command in a new process."""
    ended = subprocess.run(
        [*COMMAND, *arguments],
        input=given,
        capture_output=True,
        text=True,
        env=dict(environment),
        cwd="/",
        check=False,
        timeout=GIVE_UP_AFTER_S,
    )
    return Done(ended.returncode, ended.stdout, ended.stderr)


@dataclass(frozen=True)
class Shell:
    """Runs `ideamint` on one data folder, without the caller's settings; `variables` are set for every command."""

    data_dir: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    run: Run = run_process

    def environment(self, **variables: str) -> dict[str, str]:
        own = {"PATH": os.environ["PATH"], "HOME": str(self.data_dir), "PYTHONPATH": str(ROOT)}
        own |= {"IDEAMINT_DATA_DIR": str(self.data_dir), "IDEAMINT_ENV": "test"}
        return own | measuring() | dict(self.variables) | variables

    def __call__(self, *arguments: str, given: str = "", settings: Mapping[str, str] | None = None) -> Done:
        done = self.run(arguments, self.environment(**(settings or {})), given)
        assert "Traceback" not in done.err, done.err
        return done


@contextmanager
def installed(run: Run = run_process) -> Iterator[Shell]:
    """The command line of a new installation; its server is stopped at the end.

    Not in tmp_path, since the account of the server cannot enter it if root runs the tests.
    """
    with tempfile.TemporaryDirectory(prefix="ideamint-test-") as folder:
        Path(folder).chmod(0o711)
        shell = Shell(Path(folder) / "data", run=run)
        try:
            yield shell
        finally:
            shell("db", "stop")
