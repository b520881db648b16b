"""Writes the three sections of a .pb file (https://pabulib.org/format), as `api.imports.sections` reads them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def write_sections(
    meta: Mapping[str, str], projects: Sequence[Mapping[str, Any]], votes: Sequence[Mapping[str, Any]]
) -> bytes:
    """A .pb file. The columns of PROJECTS and VOTES are the keys of their rows, in the order in which they occur first.

    A missing or None value is an empty cell; lists are joined by commas.
    """
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=";", lineterminator="\n")
    writer.writerows([["META"], ["key", "value"], *meta.items()])
    for title, rows in (("PROJECTS", projects), ("VOTES", votes)):
        columns = tuple(dict.fromkeys(column for row in rows for column in row))
        writer.writerows([[title], columns])
        writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)
    return file.getvalue().encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ",".join(map(str, value))
    return str(value)
