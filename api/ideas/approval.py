"""The queue of ideas that wait for approval, and requests to their authors for changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from pydantic import Field
from sqlalchemy import text

from api.campaigns import service as campaigns
from api.campaigns.lifecycle import Command
from api.events import idea_payloads
from api.events.service import record_event
from api.ideas import errors
from api.ideas.editing import end_change_request
from api.ideas.models import Idea, IdeaChangeRequest
from api.ideas.queries import get_idea
from api.ideas.steps import Status
from api.kernel import clock
from api.kernel.ids import uuid7
from api.kernel.schemas import Page, ResponseModel

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

# both statements read the index of pending ideas
_QUEUE = """
    SELECT i.id, i.title, i.author_id, i.version, i.submitted_at, i.status_changed_at AS pending_since,
        i.changes_requested_at, floor(extract(epoch FROM :now - i.status_changed_at))::bigint AS age_s,
        ARRAY(SELECT g.name FROM app.idea_tags AS g WHERE g.idea_id = i.id AND g.kind = 'category' ORDER BY g.name) AS category,
        ARRAY(SELECT g.name FROM app.idea_tags AS g WHERE g.idea_id = i.id AND g.kind <> 'category' ORDER BY g.name) AS tags
    FROM app.ideas AS i
    WHERE i.campaign_id = :campaign_id AND i.status = 'pending' {filters}
    ORDER BY i.status_changed_at, i.id
    LIMIT :limit
"""
_COUNTS = text(
    """
    SELECT count(*) AS pending, count(i.changes_requested_at) AS changes_requested
    FROM app.ideas AS i
    WHERE i.campaign_id = :campaign_id AND i.status = 'pending'
    """
)


class QueuedIdea(ResponseModel):
    """An idea that waits for approval."""

    id: UUID
    title: str
    author_id: UUID | None
    author_name: str | None = None
    version: int
    category: list[str]
    tags: list[str]
    submitted_at: datetime
    pending_since: datetime
    age_s: int = Field(description="seconds since pending_since")
    changes_requested_at: datetime | None = Field(
        description="when the author was asked for changes; null after the author has edited the idea"
    )


class QueuePage(Page[QueuedIdea]):
    """A page of the queue, the longest waiting first, with counts of the whole queue."""

    pending: int = Field(description="all ideas that wait for approval")
    changes_requested: int = Field(description="those of them that wait for changes by their author")


@dataclass(frozen=True)
class Queue:
    """A part of the queue, and the counts of the whole queue."""

    ideas: list[QueuedIdea]
    pending: int
    changes_requested: int


async def list_queue(
    session: AsyncSession,
    campaign_id: UUID,
    *,
    changes_requested: bool | None = None,
    limit: int,
    after: tuple[datetime, UUID] | None,
) -> Queue:
    """Pending ideas, the longest waiting first; `changes_requested` selects those that wait for their author, or others."""
    values = {"campaign_id": campaign_id, "now": await clock.database_now(session), "limit": limit}
    filters = ""
    if changes_requested is not None:
        filters += f" AND i.changes_requested_at IS {'NOT ' if changes_requested else ''}NULL"
    if after:
        filters += " AND (i.status_changed_at, i.id) > (:after_at, CAST(:after_id AS uuid))"
        values |= {"after_at": after[0], "after_id": after[1]}
    rows = await session.execute(text(_QUEUE.format(filters=filters)), values)
    ideas = [QueuedIdea.model_validate(row) for row in rows]
    counts = (await session.execute(_COUNTS, {"campaign_id": campaign_id})).one()
    return Queue(ideas, counts.pending, counts.changes_requested)


async def request_changes(session: AsyncSession, idea: Idea, wanted: str, *, actor_id: UUID) -> Idea:
    """Ask the author of a pending idea for changes. The idea stays pending; a newer request replaces an open one.

    Raises:
        NotPending: the idea does not wait for approval.
        CampaignNotActive: ideas of the campaign can no longer be approved.
    """
    campaign = await campaigns.get_campaign(session, idea.campaign_id, lock="read")
    idea = await get_idea(session, idea.id, lock=True)
    check_pending(idea)
    await campaigns.check_command(session, campaign, Command.APPROVE_IDEA)
    now = await clock.database_now(session)
    await end_change_request(session, idea, now)
    request = IdeaChangeRequest(id=uuid7(), idea_id=idea.id, text=wanted, requested_at=now, requested_by=actor_id)
    session.add(request)
    idea.changes_requested_at = now
    await session.flush()
    await record_event(
        session,
        idea_payloads.IdeaChangesRequested(change_request_id=request.id),
        actor_id=actor_id,
        campaign_id=idea.campaign_id,
        user_id=idea.author_id,
        idea_id=idea.id,
    )
    return idea


def check_pending(idea: Idea) -> None:
    """Check that an idea waits for approval.

    Raises:
        NotPending: it does not.
    """
    if idea.status != Status.PENDING:
        msg = f"The idea is {idea.status}; this is possible only while it is pending."
        raise errors.NotPending(msg, idea_status=idea.status)
