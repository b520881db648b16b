"""The owner of an idea: the member of the campaign who is responsible for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from api.campaigns import service as campaigns
from api.events import delivery_payloads as payloads
from api.events.service import record_event
from api.ideas import errors
from api.ideas.models import IdeaOwner
from api.ideas.queries import check_submitted, get_idea
from api.kernel import clock

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.ideas.models import Idea


async def set_owner(session: AsyncSession, idea: Idea, user_id: UUID | None, *, actor_id: UUID) -> bool:
    """Make a member responsible for an idea; None removes the owner. Returns whether it changed; else there is no event.

    Raises:
        NotSubmitted: the idea is a draft.
        OwnerNotAMember: the user is no member of the campaign.
    """
    check_submitted(idea)
    await campaigns.get_campaign(session, idea.campaign_id, lock="read")  # no member leaves meanwhile
    await get_idea(session, idea.id, lock=True)
    if user_id is not None and await campaigns.find_membership(session, idea.campaign_id, user_id) is None:
        msg = "The owner of an idea must be a member of the campaign; this user is not."
        raise errors.OwnerNotAMember(msg, user_id=user_id)
    earlier = await find_owner(session, idea.id)
    if earlier == user_id:
        return False
    if user_id is None:
        await session.execute(delete(IdeaOwner).where(IdeaOwner.idea_id == idea.id))
    else:
        assigned = {"user_id": user_id, "assigned_at": clock.now(), "assigned_by": actor_id}
        await session.execute(
            insert(IdeaOwner)
            .values(idea_id=idea.id, **assigned)
            .on_conflict_do_update(index_elements=[IdeaOwner.idea_id], set_=assigned)
        )
    await record_event(
        session,
        payloads.OwnerChanged(owner_id=user_id, earlier_owner_id=earlier),
        actor_id=actor_id,
        campaign_id=idea.campaign_id,
        user_id=user_id,
        idea_id=idea.id,
    )
    return True


async def find_owner(session: AsyncSession, idea_id: UUID) -> UUID | None:
    """The owner of an idea, or None."""
    found: UUID | None = await session.scalar(select(IdeaOwner.user_id).where(IdeaOwner.idea_id == idea_id))
    return found
