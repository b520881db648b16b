"""Writes files whole: a reader sees the file from before or the new one, never half of either."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: Path, *, mode: int = 0o666) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` when the block ends; after an exception `path` is as before.

    It is written beside `path` under a hidden name, and is on disk before the rename. `mode` is that of a new file,
    restricted by the process's umask.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def replace_file(path: Path, content: bytes | str, *, mode: int = 0o666) -> None:
    """Write a file's whole content, text as UTF-8, as in :func:`replacing`."""
    with replacing(path, mode=mode) as file:
        file.write(content.encode() if isinstance(content, str) else content)
