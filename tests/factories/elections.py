"""Election files: the fictitious ones of `tests/imports/elections`, changed copies, and a writer of Pabulib's format."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from api.imports.service import ImportedElection, import_election

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

FOLDER = Path(__file__).parents[1] / "imports" / "elections"
KINDS = ("approval", "cumulative", "ordinal", "scoring")


def election_file(kind: str) -> bytes:
    """A fictitious election with this kind of ballot."""
    return (FOLDER / f"{kind}.pb").read_bytes()


def changed(raw: bytes, old: str, new: str) -> bytes:
    """The file with the only occurrence of `old` replaced by `new`."""
    assert raw.count(old.encode()) == 1, f"{old!r} occurs {raw.count(old.encode())} times in the file"
    return raw.replace(old.encode(), new.encode())


def untotalled(raw: bytes) -> bytes:
    """The file without published totals: no num_votes, and columns of other names in the place of votes and score."""
    return without(raw, "num_votes", "num_projects").replace(b";votes;", b";marks;").replace(b";score", b";result")


def without(raw: bytes, *keys: str) -> bytes:
    """The file without these rows of META."""
    starts = tuple(f"{key};" for key in keys)
    return "\n".join(line for line in raw.decode().split("\n") if not line.startswith(starts)).encode()


def line_of(raw: bytes, start: str) -> int:
    """Number, from 1, of the only line that begins with `start`."""
    (line,) = [number for number, line in enumerate(raw.decode().split("\n"), 1) if line.startswith(start)]
    return line


def write_election(
    meta: Mapping[str, str], projects: Sequence[Mapping[str, str]], votes: Sequence[Mapping[str, str]]
) -> bytes:
    """A .pb file; the columns of PROJECTS and VOTES are those of their first rows."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=";", lineterminator="\n")
    writer.writerows([["META"], ["key", "value"], *meta.items()])
    for title, rows in (("PROJECTS", projects), ("VOTES", votes)):
        writer.writerows([[title], list(rows[0]), *(list(row.values()) for row in rows)])
    return file.getvalue().encode()


@dataclass
class Importer:
    """Imports bytes as a file with a name."""

    session: AsyncSession
    folder: Path

    async def __call__(self, raw: bytes, name: str = "town.pb", **options: Any) -> ImportedElection:
        path = self.folder / name
        path.write_bytes(raw)
        return await import_election(self.session, path, **({"actor_id": None} | options))

    async def rows(self, query: str, campaign_id: UUID) -> list[Any]:
        """Rows of a query with the parameter `:campaign`."""
        return list((await self.session.execute(text(query), {"campaign": campaign_id})).all())
