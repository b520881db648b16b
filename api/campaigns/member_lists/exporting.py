"""The members of a campaign as CSV: a list that the import reads again, and that then changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.campaigns.attributes.values import get_defined
from api.campaigns.member_lists.listing import list_members
from pipelines.wording import CSV_START, csv_lines

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.campaigns.member_lists.listing import MemberFilters, Sort

COLUMNS = ("email", "name", "role")
_AT_ONCE = 1000


async def export_members(
    session: AsyncSession, campaign_id: UUID, filters: MemberFilters | None = None, *, sort: Sort = "joined"
) -> tuple[str, int]:
    """The list (RFC 4180, with a byte order mark) and its number of members.

    The attributes that the campaign defines are columns in their order; if it defines none, each attribute that a member has is
    one. A cell that a spreadsheet would evaluate as a formula begins with a quote.

    Raises:
        InvalidInput: a filter has the key of an attribute that the campaign has not defined.
    """
    rows: list[tuple[str, str, str, dict[str, str]]] = []
    after: tuple[object, ...] | None = None
    while True:
        found = await list_members(session, campaign_id, filters, sort=sort, limit=_AT_ONCE, after=after)
        rows += [(row.email or "", row.display_name, row.membership.role, row.membership.attributes) for row in found]
        if len(found) < _AT_ONCE:
            break
        after = found[-1].key
    defined = await get_defined(session, campaign_id)
    attributes = [each.key for each in defined.definitions] or sorted({name for *_, given in rows for name in given})
    lines = [(*COLUMNS, *attributes), *((*known, *(given.get(name) for name in attributes)) for *known, given in rows)]
    return CSV_START + csv_lines(lines), len(rows)
