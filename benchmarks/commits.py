"""Files of a commit, taken from the history of this repository."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


class CommitMissing(Exception):
    """The history does not contain a commit; the message is git's."""


def unpack(commit: str, folder: Path, repository: Path = ROOT) -> None:
    """Write the files of a commit to a folder.

    Raises:
        CommitMissing: the commit is not in this clone.
    """
    archive = subprocess.run(
        ["git", "-C", repository, "archive", "--format=tar", commit], capture_output=True, check=False
    )
    if archive.returncode:
        raise CommitMissing(archive.stderr.decode().strip())
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder, filter="data")
