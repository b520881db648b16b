"""Ideas as a reader of a page or a feed sees them, who may have no log-in.

The rows are those of lists: one rule decides which ideas a reader sees, and whose names.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import select, text

from api.ideas.lists.filters import Filter
from api.ideas.lists.pages import find_page
from api.ideas.lists.statements import READABLE
from api.ideas.models import Idea
from api.ideas.rows import VISITOR, Reader, row_values, select_row
from api.ideas.schemas import IdeaRead
from api.ideas.steps import PUBLIC, Status
from api.ideas.texts import plain_text
from api.kernel import clock
from api.kernel.db import statements_of
from pipelines.wording import shortened

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.campaigns.dependencies import Access
    from api.campaigns.models import Campaign

DECIDED: Final = PUBLIC - {Status.COMPETING, Status.OUTCOME_UNKNOWN}
"""The public statuses that a decision gives to an idea."""
EXCERPT_LENGTH: Final = 200
_EXCERPT_SOURCE_MAX = 2_000

_IDEA = TypeAdapter(IdeaRead)
_IDEAS = TypeAdapter(list[IdeaRead])
_READABLE = f"{select_row(is_exact=True)} WHERE i.id = %(idea_id)s AND i.campaign_id = %(campaign_id)s AND {READABLE}"
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
    reader = Reader.of(access) if access else Reader(user_id=VISITOR)
    rows = await (await statements_of(session)).fetch(
        _READABLE, idea_id=idea_id, campaign_id=campaign_id, sees_all=reader.sees_all, **row_values(reader)
    )
    return _IDEA.validate_python(rows[0]).model_dump() if rows else None


async def list_newest(
    session: AsyncSession, campaign: Campaign, *, limit: int
) -> list[tuple[dict[str, Any], datetime]]:
    """The newest ideas that are visible without a log-in, each with the time of its submission or last edit."""
    found = await find_page(
        await statements_of(session), campaign, Reader(user_id=VISITOR), Filter(), None,
        at=clock.now(), sort="newest", limit=limit,
    )  # fmt: skip
    ideas = [idea.model_dump() for idea in _IDEAS.validate_json(f"[{found.items}]")]
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
