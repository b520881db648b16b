"""Lists of ideas, read without a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import orjson

from api.auth.dependencies import Principal
from api.campaigns import service as campaigns
from api.campaigns.dependencies import Access
from api.coins import service as coins
from api.ideas.lists.counts import Counts
from api.ideas.lists.grammar import parse
from api.ideas.lists.pages import Found, find_page
from api.ideas.next_steps import make_next_steps
from api.ideas.rows import Reader
from api.kernel.db import statements_of

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.ideas.lists.orders import Sort


async def find_ideas(
    session: AsyncSession,
    campaign_id: UUID,
    query: str = "",
    *,
    user_id: UUID,
    role: str = "member",
    sort: Sort = "newest",
    seed: str = "",
    limit: int = 200,
    after: tuple[Any, ...] | None = None,
    counts: Counts | None = None,
) -> Found:
    """A page of ideas as a person in this role sees it."""
    campaign = await campaigns.get_campaign(session, campaign_id)
    access = Access(campaign, role, Principal(user_id, uuid4(), frozenset(), frozenset()))
    statements = await statements_of(session)
    facts = await coins.get_list_facts(statements, campaign_id)
    return await find_page(
        statements,
        campaign,
        Reader.of(access, await make_next_steps(statements, access, facts)),
        parse(query).filter,
        counts or Counts(),
        at=facts.now,
        sort=sort,
        seed=seed,
        limit=limit,
        after=after,
    )


async def list_ideas(session: AsyncSession, campaign_id: UUID, query: str = "", **options: Any) -> list[dict[str, Any]]:
    """The ideas of the page."""
    found = await find_ideas(session, campaign_id, query, **options)
    ideas: list[dict[str, Any]] = orjson.loads(f"[{found.items}]")
    return ideas
