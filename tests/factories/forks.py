"""Runs commands of `ideamint` in forks of one process that has imported what most commands import.

Each command has a process of its own, as in a shell, without the second that the imports take. The process reads a request
(`Request` as JSON) per line, and writes the exit code of each.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from tests.factories.shells import ROOT, Done

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.factories.shells import Run

# No module that starts threads, since they do not exist in a fork.
IMPORTED = (
    "api.domains",
    "api.events.operations",
    "api.events.status",
    "api.imports.export",
    "api.imports.service",
    "api.migrations.revisions",
    "cli.console",
    "cli.demo.run",
    "cli.local.installation",
    "procrastinate",
    "psycopg_pool",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.ext.asyncio",
    "zxcvbn",
)


@dataclass(frozen=True)
class Request:
    """A command with its environment, and the folder of the files `in`, `out` and `err`."""

    arguments: list[str]
    environment: dict[str, str]
    folder: str


@contextmanager
def forking() -> Iterator[Run]:
    """Runs commands in forks of a process that lasts as long as the `with` block."""
    # leaving the block closes the pipes, which ends the process, and waits for it
    with subprocess.Popen(
        [sys.executable, "-m", "tests.factories.forks"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as server:
        yield partial(_run, server)


def _run(server: subprocess.Popen[str], arguments: Sequence[str], environment: Mapping[str, str], given: str) -> Done:
    assert server.stdin is not None
    assert server.stdout is not None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").write_text(given)
        request = Request(list(arguments), dict(environment), name)
        server.stdin.write(json.dumps(asdict(request)) + "\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        return Done(code, (folder / "out").read_text(), (folder / "err").read_text())


def _serve() -> None:
    for module in IMPORTED:
        import_module(module)
    from cli.main import app

    gc.collect()
    gc.freeze()  # a collection in a fork would copy the memory of every object
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
