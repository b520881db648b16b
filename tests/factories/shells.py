"""The command line as processes on one data folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.factories.clocks import GIVE_UP_AFTER_S
from tests.factories.forks import ROOT, Forks

COMMAND = [sys.executable, "-m", "cli.main"]


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


@dataclass(frozen=True)
class Shell:
    """Runs `ideamint` on one data folder, without the caller's settings; `variables` are set for every command.

    With `forks`, commands start faster.
    """

    data_dir: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    forks: Forks | None = None

    def environment(self, **variables: str) -> dict[str, str]:
        own = {"PATH": os.environ["PATH"], "HOME": str(self.data_dir), "PYTHONPATH": str(ROOT)}
        own |= {"IDEAMINT_DATA_DIR": str(self.data_dir), "IDEAMINT_ENV": "test"}
        return own | measuring() | dict(self.variables) | variables

    def __call__(self, *arguments: str, given: str = "", settings: Mapping[str, str] | None = None) -> Done:
        environment = self.environment(**(settings or {}))
        if self.forks is not None:
            done = Done(*self.forks.run(arguments, environment, given))
        else:
            ended = subprocess.run(
                [*COMMAND, *arguments],
                input=given,
                capture_output=True,
                text=True,
                env=environment,
                cwd="/",
                check=False,
                timeout=GIVE_UP_AFTER_S,
            )
            done = Done(ended.returncode, ended.stdout, ended.stderr)
        assert "Traceback" not in done.err, done.err
        return done


@contextmanager
def installed(forks: Forks | None = None) -> Iterator[Shell]:
    """The command line of a new installation; its server is stopped at the end.

    Not in tmp_path, since the account of the server cannot enter it if root runs the tests.
    """
    with tempfile.TemporaryDirectory(prefix="ideamint-test-") as folder:
        Path(folder).chmod(0o711)
        shell = Shell(Path(folder) / "data", forks=forks)
        try:
            yield shell
        finally:
            shell("db", "stop")
