"""The members of a campaign as CSV: a list that the import reads again, and that then changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.campaigns.queries import list_members
from pipelines.wording import CSV_START, csv_lines

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

COLUMNS = ("email", "name", "role")
_AT_ONCE = 1000


async def export_members(
    session: AsyncSession, campaign_id: UUID, *, role: str | None = None, words: str | None = None
) -> tuple[str, int]:
    """The list (RFC 4180, with a byte order mark) and its number of members, in the order in which they joined.

    Each attribute that a member has is a column. A cell that a spreadsheet would evaluate as a formula begins with a quote.
    """
    rows: list[tuple[str, str, str, dict[str, str]]] = []
    after: tuple[UUID] | None = None
    while True:
        found = await list_members(session, campaign_id, role=role, words=words, limit=_AT_ONCE, after=after)
        rows += [(email or "", name, member.role, member.attributes) for member, name, email in found]
        if len(found) < _AT_ONCE:
            break
        after = (found[-1][0].id,)
    attributes = sorted({name for *_, given in rows for name in given})
    lines = [(*COLUMNS, *attributes), *((*known, *(given.get(name) for name in attributes)) for *known, given in rows)]
    return CSV_START + csv_lines(lines), len(rows)
