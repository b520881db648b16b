"""Atomic writes: a reader sees the previous file or the new one, never a part of either."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: Path, *, mode: int = 0o666) -> Iterator[BinaryIO]:
    """A file that replaces `path` when the block ends; after an exception `path` is unchanged.

    It is written next to `path` under a hidden name, and synced to disk before the rename. `mode` is the mode of the new
    file, restricted by the process's umask.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def replace_file(path: Path, content: bytes | str, *, mode: int = 0o666) -> None:
    """Replace a file's content atomically, as :func:`replacing`; text is written as UTF-8."""
    with replacing(path, mode=mode) as file:
        file.write(content.encode() if isinstance(content, str) else content)
