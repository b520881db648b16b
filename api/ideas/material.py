"""Material edits: a manager marks a version, and its backers then have time to take their coins back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from api.campaigns import service as campaigns
from api.coins import service as coins
from api.events import idea_payloads
from api.events.service import record_event
from api.ideas import errors
from api.ideas.models import Idea, IdeaMaterialEdit
from api.ideas.queries import get_idea
from api.ideas.steps import Status
from api.kernel import clock

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession


async def mark_version(
    session: AsyncSession, idea: Idea, number: int, *, actor_id: UUID, reason: str
) -> IdeaMaterialEdit:
    """Mark the latest version of an idea as material. The caller checks that `actor_id` manages ideas.

    Raises:
        NotMarkable: the idea does not compete, or the version is not the latest edit, or it is marked already.
    """
    await campaigns.get_campaign(session, idea.campaign_id, lock="read")  # it is not completed meanwhile
    idea = await get_idea(session, idea.id, lock=True)
    check_markable(idea)
    if number != idea.version or number == 1:
        msg = f"Only the latest edit can be marked; version {number} is " + (
            "the text of the submission." if number == 1 else f"not the latest one, which is {idea.version}."
        )
        raise errors.NotMarkable(msg, version=idea.version)
    return await mark_latest(session, idea, actor_id=actor_id, reason=reason)


def check_markable(idea: Idea) -> None:
    """Check that an edit of the idea can be material now.

    Raises:
        NotMarkable: it does not compete, so that no coins are on it, or they were decided about.
    """
    if idea.status != Status.COMPETING:
        msg = f"The idea is {idea.status}; an edit can be marked as material only while the idea is competing."
        raise errors.NotMarkable(msg, idea_status=idea.status)


async def mark_latest(session: AsyncSession, idea: Idea, *, actor_id: UUID, reason: str) -> IdeaMaterialEdit:
    """Mark the present version of a competing idea. The caller holds the idea's lock.

    Raises:
        NotMarkable: it is marked already, which would begin the grace time again.
    """
    if idea.version in await find_marks(session, idea.id):
        msg = f"Version {idea.version} is marked as material already."
        raise errors.NotMarkable(msg, version=idea.version)
    now = await clock.database_now(session)
    grace_until = await coins.begin_grace(session, idea.campaign_id, idea.id)
    mark = IdeaMaterialEdit(
        idea_id=idea.id,
        version=idea.version,
        reason=reason,
        marked_at=now,
        marked_by=actor_id,
        grace_until=grace_until,
    )
    session.add(mark)
    await session.flush()
    await record_event(
        session,
        idea_payloads.IdeaMarkedMaterial(idea_version=idea.version, grace_until=grace_until),
        actor_id=actor_id,
        campaign_id=idea.campaign_id,
        user_id=idea.author_id,
        idea_id=idea.id,
    )
    return mark


async def find_marks(session: AsyncSession, idea_id: UUID) -> dict[int, IdeaMaterialEdit]:
    """The marks of an idea by the number of their version."""
    marks = await session.scalars(select(IdeaMaterialEdit).where(IdeaMaterialEdit.idea_id == idea_id))
    return {mark.version: mark for mark in marks}
