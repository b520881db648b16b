"""Pages of lists of ideas, as JSON text that PostgreSQL makes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from api.coins import service as coins
from api.ideas.lists.counts import Counts
from api.ideas.lists.filters import Filter
from api.ideas.lists.keys import Context
from api.ideas.lists.orders import read_cursor
from api.ideas.lists.statements import page_statement
from api.ideas.next_steps import make_next_steps
from api.ideas.rows import Reader
from api.kernel import clock
from api.kernel.representations import json_text

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from starlette.responses import Response

    from api.campaigns.dependencies import Access
    from api.campaigns.models import Campaign
    from api.ideas.lists.grammar import Query
    from api.ideas.lists.orders import Sort
    from api.kernel.db import Statements
    from api.kernel.web import Paging

_NAMES_BELOW = """
    WITH RECURSIVE below AS (
        SELECT lower(t.name) AS wanted, t.id, lower(t.name) AS name FROM app.campaign_tags AS t
        WHERE t.campaign_id = %(campaign_id)s AND lower(t.name) = ANY (CAST(%(names)s AS text[]))
        UNION ALL
        SELECT b.wanted, t.id, lower(t.name) FROM below AS b
        JOIN app.campaign_tags AS t ON t.parent_id = b.id
    )
    SELECT b.wanted, array_agg(b.name) AS names FROM below AS b GROUP BY b.wanted
"""


@dataclass(frozen=True)
class Found:
    """The ideas of a page as JSON texts joined by commas; `last` is the cursor of the next page, None on the last one."""

    items: str
    last: tuple[str, UUID] | None
    total: int


def default_sort(access: Access) -> Sort:
    """The order of a list without one: an order by coins would favour the ideas that are leading while coins are moved."""
    return "random" if access.campaign.status == "active" else "coins"


async def respond(
    statements: Statements,
    access: Access,
    query: Query,
    counts: Counts,
    paging: Paging,
    *,
    fields: dict[str, Any] | None = None,
) -> Response:
    """The response with a page of the list; `fields` are further ones of the response.

    Raises:
        InvalidInput: the cursor is not one of this list.
    """
    facts = await coins.get_list_facts(statements, access.campaign.id)
    reader = Reader.of(access, await make_next_steps(statements, access, facts))
    sort = query.sort or default_sort(access)
    after = paging.after(*read_cursor(sort))
    found = await find_page(
        statements, access.campaign, reader, query.filter, counts,
        at=facts.now, sort=sort, seed=query.seed, limit=paging.limit, after=after[1:] if after else None,
    )  # fmt: skip
    body = {
        "next_cursor": paging.cursor_of([sort, *found.last]) if found.last else None,
        "totals_as_of": facts.aggregated_at,
        "total": found.total,
        **(fields or {}),
    }
    return json_text("items", found.items, body)


async def find_page(
    statements: Statements,
    campaign: Campaign,
    reader: Reader,
    wanted: Filter,
    counts: Counts | None,
    *,
    at: datetime,
    sort: Sort,
    seed: str | None = None,
    limit: int,
    after: tuple[Any, ...] | None = None,
) -> Found:
    """A page of the ideas of a campaign that the reader may see, at a moment to which days are relative.

    Totals are those of the last aggregation. `total` counts all pages; that of a long list is at most some seconds old. Without
    `counts` it is 0.
    """
    user_id = reader.user_id
    today = today_in(campaign.time_zone, clock.effective_at() or at)
    context = Context(user_id, today, campaign.time_zone, await _names_below(statements, campaign.id, wanted))
    context.values["campaign_id"] = campaign.id
    key = (campaign.id, str(wanted), today, reader.sees_all, user_id if wanted.is_personal else None)
    known = counts.find(key) if counts else 0
    statement, values = page_statement(
        wanted, context, reader,
        sort=sort, seed=str(user_id) if seed is None else seed, after=after[:2] if after else None, limit=limit,
        counts=(known is None, counts is not None), known_total=counts.last(key) if counts else 0,
    )  # fmt: skip
    [row] = await statements.fetch(statement, **values)
    if known is None:
        known = int(row["total"])
        assert counts is not None, "counted only for them"
        counts.keep(key, known)
    last = (row["last_key"], row["last_id"]) if row["found"] > limit else None
    return Found(row["items"] or "", last, known + row.get("own_total", 0))


def today_in(time_zone: str, at: datetime) -> date:
    """The day of a moment in a time zone."""
    return at.astimezone(ZoneInfo(time_zone)).date()


async def _names_below(statements: Statements, campaign_id: UUID, wanted: Filter) -> dict[str, list[str]]:
    """The names of the wanted tags that the campaign has defined, each with those of the tags below it, in lower case."""
    names = {value.lower() for term in wanted.terms if term.key.name in {"tag", "category"} for value in term.values}
    if not names:
        return {}
    rows = await statements.fetch(_NAMES_BELOW, campaign_id=campaign_id, names=sorted(names))
    return {row["wanted"]: row["names"] for row in rows}


async def empty_response(statements: Statements, access: Access, fields: dict[str, Any]) -> Response:
    """A response without ideas."""
    facts = await coins.get_list_facts(statements, access.campaign.id)
    body = {"next_cursor": None, "totals_as_of": facts.aggregated_at, "total": 0, **fields}
    return json_text("items", "", body)
