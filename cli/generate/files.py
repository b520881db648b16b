"""Files that are written from the code and committed: written anew, or held to what the code says."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def write_or_check(describe: Callable[[], str], description: str | None) -> int:
    """The command `[--check] FILE`: write what `describe` gives; with --check 1 if the file says something else."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("file", type=Path)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the file is out of date")
    arguments = parser.parse_args()
    described = describe()
    if not arguments.check:
        arguments.file.write_text(described, encoding="utf-8")
        return 0
    if arguments.file.exists() and arguments.file.read_text(encoding="utf-8") == described:
        return 0
    sys.stderr.write(f"{arguments.file} is not what the code says; run `make docs` and commit it\n")
    return 1
