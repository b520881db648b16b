"""The last recorded release: its commit in CHANGELOG.md, its files from the history, and its programs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2

from benchmarks import commits
from cli.local.ports import free_port
from tests.factories.clocks import GIVE_UP_AFTER_S
from tests.proofs.installations import api_service

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from settings import Settings

ROOT = Path(__file__).parents[2]
HEADING = re.compile(r"^## \[(?P<version>[0-9]+(?:\.[0-9]+)+)\] - [0-9]{4}-[0-9]{2}-[0-9]{2}$")
COMMIT = re.compile(r"^Commit: `(?P<commit>[0-9a-f]{40})`$", re.MULTILINE)


class ReleaseMissing(Exception):
    """The record of releases is incomplete, or the history does not contain the recorded commit."""


@dataclass(frozen=True)
class Release:
    """A version and the commit of its files; no version for the current commit, while no release is recorded."""

    version: str | None
    commit: str


CURRENT = Release(None, "HEAD")


def find_last_release(changelog: str) -> Release:
    """The first release that the changelog lists, or the current commit if it lists none.

    Raises:
        ReleaseMissing: the release has no line with its commit.
    """
    sections = re.split(r"^(?=## )", changelog, flags=re.MULTILINE)
    for section in sections:
        if heading := HEADING.match(section.partition("\n")[0]):
            found = COMMIT.search(section)
            if found is None:
                msg = f"CHANGELOG.md: release {heading['version']} has no line 'Commit: `<40 hexadecimal digits>`'"
                raise ReleaseMissing(msg)
            return Release(heading["version"], found["commit"])
    return CURRENT


def is_cut_off(release: Release, repository: Path = ROOT) -> bool:
    """Whether this is a shallow clone whose history does not reach back to the release."""
    return _git(repository, "rev-parse", "--is-shallow-repository") == (0, "true") and bool(
        _git(repository, "cat-file", "-e", f"{release.commit}^{{commit}}")[0]
    )


def unpack(release: Release, folder: Path, repository: Path = ROOT) -> None:
    """Write the files of a release to a folder.

    Raises:
        ReleaseMissing: the commit is not in this clone.
    """
    try:
        commits.unpack(release.commit, folder, repository)
    except commits.CommitMissing as error:
        msg = (
            f"cannot read commit {release.commit} of release {release.version} from the history: "
            f"{error}. A shallow clone lacks it: run `git fetch --unshallow`"
        )
        raise ReleaseMissing(msg) from error


def run_python(folder: Path, code: str, *arguments: str) -> str:
    """Output of a program that imports the packages of the folder."""
    finished = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=folder, env=_environment(folder, os.environ),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@contextmanager
def running_api(folder: Path, settings: Settings, log: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The API of the packages in `folder` as a process on the database of `settings`; yields it with its URL."""
    port = free_port()
    service = api_service(settings, port, "api")
    with log.open("wb") as output:
        process = subprocess.Popen(
            service.command, cwd=folder, env=_environment(folder, service.environment),
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


async def until_ready(client: httpx2.AsyncClient, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for a bounded time until the API is ready; fails if its process ends."""
    async with asyncio.timeout(GIVE_UP_AFTER_S):
        while True:
            assert process.poll() is None, f"the API ended; {log} has its output"
            with contextlib.suppress(httpx2.TransportError):
                if (await client.get("/health/ready")).status_code == HTTPStatus.OK:
                    return
            await asyncio.sleep(0.05)


def _git(repository: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(["git", "-C", repository, *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.strip()


def _environment(folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """The same environment with the packages of the folder before the installed ones."""
    return {**environment, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
