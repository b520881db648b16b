"""Imported elections in the database."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from api.imports.naming import election_key

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncSession

_FIND = """
    SELECT i.file_name, i.ballots, i.allocations, c.id, c.slug, c.title, c.currency, c.source,
        (SELECT count(*) FROM app.ideas AS d WHERE d.campaign_id = c.id AND d.status <> 'draft') AS ideas,
        (SELECT coalesce(sum(t.settled_coins), 0)::bigint FROM app.coin_targets AS t WHERE t.campaign_id = c.id) AS coins
    FROM app.election_imports AS i
    JOIN app.campaigns AS c ON c.id = i.campaign_id
    WHERE {condition}
"""
_FIND_BY_CONTENT = text(_FIND.format(condition="i.sha256 = :sha256"))
_FIND_BY_KEY = text(_FIND.format(condition="i.election_key = ANY (:keys)"))


class Status(StrEnum):
    """The result of an import."""

    IMPORTED = "imported"
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class ImportedElection:
    """An election in the database, and whether this import created it.

    `differences` are accepted totals of the file that differ from its rows. `irregular` are the ballots that violate a limit of
    the file, which are imported if `irregular_counted`. An import that existed before lists neither.
    """

    status: Status
    file_name: str
    campaign_id: UUID
    slug: str
    title: str
    currency: str
    ideas: int
    ballots: int
    allocations: int
    coins: int
    differences: tuple[str, ...] = ()
    irregular: tuple[str, ...] = ()
    irregular_counted: bool = True

    def as_dict(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return asdict(self) | {"campaign_id": str(self.campaign_id)}


async def find_by_content(session: AsyncSession, sha256: bytes) -> ImportedElection | None:
    """The import of a file with this SHA-256."""
    row = (await session.execute(_FIND_BY_CONTENT, {"sha256": sha256})).one_or_none()
    return None if row is None else _as_unchanged(row)


async def find_by_key(session: AsyncSession, key: str) -> ImportedElection | None:
    """The import of the election with this key."""
    # earlier versions stored keys without the description, which META has
    rows = await session.execute(_FIND_BY_KEY, {"keys": [key, key.rpartition("/")[0]]})
    return next((_as_unchanged(row) for row in rows if election_key(row.source["meta"]) == key), None)


def _as_unchanged(row: Row[Any]) -> ImportedElection:
    return ImportedElection(
        status=Status.UNCHANGED,
        file_name=row.file_name,
        campaign_id=row.id,
        slug=row.slug,
        title=row.title,
        currency=row.currency,
        ideas=row.ideas,
        ballots=row.ballots,
        allocations=row.allocations,
        coins=row.coins,
    )
