"""Ideas as a reader of a page or a feed sees them, who may have no log-in.

The rows are those of :func:`api.ideas.queries.list_ideas`: one rule decides which ideas a reader sees, and whose names.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlalchemy import select, text

from api.ideas.authors import sees_authors
from api.ideas.models import Idea
from api.ideas.queries import Filters, list_ideas
from api.ideas.steps import PUBLIC, Status
from api.ideas.texts import plain_text
from api.kernel.permissions import Permission
from pipelines.wording import shortened

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.campaigns.dependencies import Access

VISITOR: Final = UUID(int=0)
"""The id of a reader without a log-in in queries: no idea and no coins are theirs."""
DECIDED: Final = PUBLIC - {Status.COMPETING, Status.OUTCOME_UNKNOWN}
"""The public statuses that a decision gives to an idea."""
EXCERPT_LENGTH: Final = 200
_EXCERPT_SOURCE_MAX = 2_000

_EDITED = text(
    "SELECT idea_id, max(created_at) AS at FROM app.idea_versions WHERE idea_id = ANY (:ids) GROUP BY idea_id"
)
_DECISIONS = text(
    """
    SELECT c.id, i.id AS idea_id, i.title, i.status, i.reason, i.status_changed_at AS decided_at
    FROM (
        SELECT i.id, i.title, i.status, i.reason, i.status_changed_at FROM app.ideas AS i
        WHERE i.campaign_id = :campaign_id AND i.status = ANY (:decided)
        ORDER BY i.status_changed_at DESC, i.id DESC LIMIT :limit
    ) AS i
    JOIN LATERAL (
        SELECT c.id FROM app.idea_status_changes AS c
        WHERE c.idea_id = i.id AND c.to_status = i.status ORDER BY c.changed_at DESC, c.id DESC LIMIT 1
    ) AS c ON true
    ORDER BY i.status_changed_at DESC, i.id DESC
    """
)


@dataclass(frozen=True)
class Decision:
    """The last decision on an idea: the change of its status."""

    id: UUID
    idea_id: UUID
    title: str
    status: str
    reason: str | None
    decided_at: datetime


async def find_readable(
    session: AsyncSession, campaign_id: UUID, idea_id: UUID, access: Access | None
) -> dict[str, Any] | None:
    """An idea of a campaign that the reader may see, if they may see the idea; `access` is None without a log-in."""
    found = await list_ideas(
        session,
        campaign_id,
        Filters(idea_id=idea_id),
        user_id=access.caller.user_id if access else VISITOR,
        sees_all=access is not None and access.may(Permission.VIEW_ALL_IDEAS),
        sees_authors=access is not None and sees_authors(access),
        limit=1,
    )
    return found.ideas[0][0] if found.ideas else None


async def list_newest(session: AsyncSession, campaign_id: UUID, *, limit: int) -> list[tuple[dict[str, Any], datetime]]:
    """The newest ideas that are visible without a log-in, each with the time of its submission or last edit."""
    found = await list_ideas(session, campaign_id, user_id=VISITOR, sees_all=False, sort="newest", limit=limit)
    ideas = [idea for idea, _ in found.ideas]
    rows = await session.execute(_EDITED, {"ids": [idea["id"] for idea in ideas]})
    edited: dict[UUID, datetime] = {row.idea_id: row.at for row in rows}
    return [(idea, max(idea["submitted_at"], edited.get(idea["id"], idea["submitted_at"]))) for idea in ideas]


async def list_decisions(session: AsyncSession, campaign_id: UUID, *, limit: int) -> list[Decision]:
    """The last decisions on ideas that are visible without a log-in, newest first, one for each idea."""
    values = {"campaign_id": campaign_id, "decided": sorted(DECIDED), "limit": limit}
    rows = await session.execute(_DECISIONS, values)
    return [Decision(**row) for row in rows.mappings()]


async def find_public_titles(session: AsyncSession, idea_ids: list[UUID]) -> dict[UUID, str]:
    """The titles of those of the ideas that are visible without a log-in, if their campaigns are."""
    rows = await session.execute(select(Idea.id, Idea.title).where(Idea.id.in_(idea_ids), Idea.status.in_(PUBLIC)))
    return {row.id: row.title for row in rows}


def excerpt(description: str) -> str:
    """The beginning of a description as one line without marks of Markdown."""
    return shortened(plain_text(description[:_EXCERPT_SOURCE_MAX]), EXCERPT_LENGTH)
