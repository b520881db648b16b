"""Free tags and categories of ideas that are none of the tags that the campaign has defined, and their conversion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field
from sqlalchemy import text

from api.events import idea_payloads
from api.events.service import record_event
from api.ideas import errors
from api.ideas.labels import DefinedTags, get_defined
from api.ideas.tags import adopt_free, find_tag, lock_tags
from api.kernel.schemas import ResponseModel

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.campaigns.models import Campaign

_LIST = text(
    """
    SELECT lower(g.name) AS folded, min(g.name) AS name, count(DISTINCT g.idea_id) AS ideas
    FROM app.ideas AS i
    JOIN app.idea_tags AS g ON g.idea_id = i.id AND g.kind <> 'target' AND g.tag_id IS NULL
    WHERE i.campaign_id = :campaign_id AND i.status <> 'draft'
        AND (CAST(:after AS text) IS NULL OR lower(g.name) COLLATE "C" > CAST(:after AS text) COLLATE "C")
    GROUP BY lower(g.name)
    ORDER BY lower(g.name) COLLATE "C"
    LIMIT :limit
    """
)


class FreeTag(ResponseModel):
    """A free tag of submitted ideas; names that differ in case only are one."""

    name: str
    ideas: int = Field(description="number of submitted ideas that have it as a tag or category")
    nearest: str | None = Field(description="the most similar defined tag; null if none is similar")


async def list_free_tags(
    session: AsyncSession, campaign_id: UUID, *, limit: int, after: tuple[str] | None
) -> list[tuple[FreeTag, str]]:
    """The free tags of a campaign by name, each with its key for the cursor. Drafts are not counted: only authors see them."""
    defined = await get_defined(session, campaign_id)
    values = {"campaign_id": campaign_id, "limit": limit, "after": after[0] if after else None}
    return [
        (FreeTag(name=row.name, ideas=row.ideas, nearest=defined.nearest(row.name)), row.folded)
        for row in await session.execute(_LIST, values)
    ]


async def convert_free_tag(
    session: AsyncSession, campaign: Campaign, name: str, tag_id: UUID, *, actor_id: UUID
) -> int:
    """Give the ideas and drafts with a free tag of this name, in any case, a defined tag in its place; returns their number.

    Raises:
        TagNotFound: the campaign has no such tag.
        FreeTagNotFound: no idea has the free tag.
    """
    defined: DefinedTags = await lock_tags(session, campaign)
    tag = find_tag(defined, tag_id)
    ideas = await adopt_free(session, tag, name)
    if ideas == 0:
        msg = f"No idea of the campaign has the free tag {name!r}."
        raise errors.FreeTagNotFound(msg)
    await record_event(
        session,
        idea_payloads.FreeTagConverted(tag_id=tag.id, ideas=ideas),
        actor_id=actor_id,
        campaign_id=campaign.id,
    )
    return ideas
