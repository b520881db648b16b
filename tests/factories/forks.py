"""Runs commands of `ideamint` in forks of one process that has imported what most commands import.

Each command has a process of its own, as in a shell, without the second that the imports take. The process reads a request
(`Request` as JSON) per line, and writes the exit code of each.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parents[2]
# No module that starts threads, since they do not exist in a fork.
IMPORTED = ("api.migrations.revisions", "cli.local.installation")


@dataclass(frozen=True)
class Request:
    """A command with its environment, and the folder of the files `in`, `out` and `err`."""

    arguments: list[str]
    environment: dict[str, str]
    folder: str


class Forks:
    """The process whose forks run the commands; it ends at the end of the `with` block."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """`environment` is that of the process; each command replaces it."""
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.factories.forks"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=dict(environment),
            cwd=ROOT,
        )

    def run(self, arguments: Sequence[str], environment: Mapping[str, str], given: str) -> tuple[int, str, str]:
        """Exit code, output and errors of a command that reads `given`."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "in").write_text(given)
            request = Request(list(arguments), dict(environment), name)
            self._server.stdin.write(json.dumps(asdict(request)) + "\n")
            self._server.stdin.flush()
            code = int(self._server.stdout.readline())
            return code, (folder / "out").read_text(), (folder / "err").read_text()

    def __enter__(self) -> Self:
        """Nothing to do: the process runs."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        with self._server as server:
            assert server.stdin is not None
            server.stdin.close()


def _serve() -> None:
    for module in IMPORTED:
        import_module(module)
    from cli.main import app

    while line := sys.stdin.readline():
        request = Request(**json.loads(line))
        pid = os.fork()
        if pid == 0:
            _replace(request)
            app()
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n")
        sys.stdout.flush()


def _replace(request: Request) -> None:
    """Replace the arguments, environment, folder and standard streams of this process."""
    os.environ.clear()
    os.environ.update(request.environment)
    os.chdir("/")
    sys.argv = ["ideamint", *request.arguments]
    new = os.O_WRONLY | os.O_CREAT
    for descriptor, (file, flags) in enumerate((("in", os.O_RDONLY), ("out", new), ("err", new))):
        opened = os.open(Path(request.folder) / file, flags)
        os.dup2(opened, descriptor)
        os.close(opened)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - the old one has read the next requests


if __name__ == "__main__":
    _serve()
