"""The delivery of ideas: their milestones, and what is overdue.

The owner of an idea is set by :mod:`api.ideas.owners`.
Realised costs and values are valuations of the idea (:mod:`api.ideas.service`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import select, text

from api.campaigns import service as campaigns
from api.deliveries import errors
from api.deliveries.models import IdeaMilestone
from api.deliveries.schemas import MILESTONES_MAX, CampaignMilestone, DeliveryRead, MilestoneRead
from api.events import delivery_payloads as payloads
from api.events.service import record_event
from api.ideas import service as ideas
from api.ideas.steps import Status
from api.kernel import clock
from api.kernel.ids import uuid7

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.campaigns.models import Campaign
    from api.events.payloads import Payload
    from api.ideas.models import Idea

IN_DELIVERY = frozenset({Status.ACCEPTED, Status.IN_PROGRESS})

_OPEN = text(
    """
    SELECT m.id, m.idea_id, m.position, m.title, m.due_on, m.done_on, m.due_on < :today AS is_overdue,
        i.title AS idea_title, o.user_id AS owner_id
    FROM app.idea_milestones AS m
    JOIN app.ideas AS i ON i.id = m.idea_id AND i.status = ANY (:in_delivery)
    LEFT JOIN app.idea_owners AS o ON o.idea_id = m.idea_id
    WHERE m.campaign_id = :campaign_id AND m.done_on IS NULL
        AND (NOT :only_overdue OR m.due_on < :today)
        AND (
            CAST(:after_on AS date) IS NULL
            OR (m.due_on, m.id) > (CAST(:after_on AS date), CAST(:after_id AS uuid))
        )
    ORDER BY m.due_on, m.id
    LIMIT :limit
    """
)


async def add_milestone(
    session: AsyncSession, idea: Idea, *, title: str, due_on: date, position: int | None = None, actor_id: UUID
) -> UUID:
    """Add a milestone to an idea in delivery, by default after the others; returns its id.

    Raises:
        IdeaNotInDelivery: the idea is neither accepted nor in progress.
        TooManyMilestones: the idea has 50 milestones.
    """
    milestones = await _lock_milestones(session, idea)
    if len(milestones) >= MILESTONES_MAX:
        msg = f"An idea has at most {MILESTONES_MAX} milestones; delete one first."
        raise errors.TooManyMilestones(msg, milestones_max=MILESTONES_MAX)
    added = IdeaMilestone(
        id=uuid7(),
        campaign_id=idea.campaign_id,
        idea_id=idea.id,
        title=title,
        due_on=due_on,
        created_by=actor_id,
        updated_by=actor_id,
    )
    milestones.insert(position - 1 if position else len(milestones), added)
    _number(milestones)
    session.add(added)
    await session.flush()
    await _record(session, idea, payloads.MilestoneAdded(milestone_id=added.id), actor_id=actor_id)
    return added.id


async def edit_milestone(
    session: AsyncSession, idea: Idea, milestone_id: UUID, changes: dict[str, Any], *, actor_id: UUID
) -> None:
    """Change `title`, `due_on`, `position` or `done_on` of a milestone. Equal values make no event.

    Raises:
        IdeaNotInDelivery: the idea is neither accepted nor in progress.
        MilestoneNotFound: the idea has no such milestone.
        DoneInTheFuture: `done_on` is after today, by the time zone of the campaign.
    """
    milestones = await _lock_milestones(session, idea)
    milestone = _find(milestones, milestone_id)
    if (done_on := changes.get("done_on")) is not None:
        today = await get_today(session, await campaigns.get_campaign(session, idea.campaign_id))
        if done_on > today:
            msg = f"done_on is {done_on}; it must be {today} or earlier."
            raise errors.DoneInTheFuture(msg, today=today)
    if "position" in changes:
        changes = {**changes, "position": min(changes["position"], len(milestones))}
    changed = [name for name, value in changes.items() if value != getattr(milestone, name)]
    if not changed:
        return
    for name in changed:
        setattr(milestone, name, changes[name])
    if "position" in changed:
        milestones.remove(milestone)
        milestones.insert(milestone.position - 1, milestone)
        _number(milestones)
    milestone.updated_by = actor_id
    await session.flush()
    payload = payloads.MilestoneChanged(
        milestone_id=milestone.id, changed=tuple(sorted(changed)), is_done=milestone.done_on is not None
    )
    await _record(session, idea, payload, actor_id=actor_id)


async def delete_milestone(session: AsyncSession, idea: Idea, milestone_id: UUID, *, actor_id: UUID) -> None:
    """Delete a milestone; those after it move up.

    Raises:
        IdeaNotInDelivery: the idea is neither accepted nor in progress.
        MilestoneNotFound: the idea has no such milestone.
    """
    milestones = await _lock_milestones(session, idea)
    milestone = _find(milestones, milestone_id)
    milestones.remove(milestone)
    await session.delete(milestone)
    _number(milestones)
    await session.flush()
    await _record(session, idea, payloads.MilestoneDeleted(milestone_id=milestone_id), actor_id=actor_id)


async def get_delivery(session: AsyncSession, idea: Idea, campaign: Campaign) -> DeliveryRead:
    """The owner, the milestones and the progress of an idea; the owner's name is added by the caller."""
    milestones = await _list_milestones(session, idea.id)
    today = await get_today(session, campaign)
    is_open = idea.status in IN_DELIVERY
    done = sum(each.done_on is not None for each in milestones)
    return DeliveryRead(
        idea_id=idea.id,
        owner_id=await ideas.find_owner(session, idea.id),
        progress_percent=100 * done // len(milestones) if milestones else None,
        milestones=[
            MilestoneRead(
                id=each.id,
                idea_id=each.idea_id,
                position=each.position,
                title=each.title,
                due_on=each.due_on,
                done_on=each.done_on,
                is_overdue=is_open and each.done_on is None and each.due_on < today,
            )
            for each in milestones
        ],
    )


async def list_open_milestones(
    session: AsyncSession,
    campaign: Campaign,
    *,
    only_overdue: bool,
    limit: int,
    after: tuple[date, UUID] | None,
) -> list[CampaignMilestone]:
    """Milestones that are not done, of ideas in delivery, by due day; the owners' names are added by the caller."""
    rows = await session.execute(
        _OPEN,
        {
            "campaign_id": campaign.id,
            "in_delivery": sorted(IN_DELIVERY),
            "today": await get_today(session, campaign),
            "only_overdue": only_overdue,
            "after_on": after[0] if after else None,
            "after_id": after[1] if after else None,
            "limit": limit,
        },
    )
    return [CampaignMilestone.model_validate(row) for row in rows]


async def get_today(session: AsyncSession, campaign: Campaign) -> date:
    """The present day in the time zone of the campaign, by the database's clock."""
    return (await clock.database_now(session)).astimezone(ZoneInfo(campaign.time_zone)).date()


async def _lock_milestones(session: AsyncSession, idea: Idea) -> list[IdeaMilestone]:
    """The milestones of an idea in delivery, in order. While it is locked, no other command changes them."""
    idea = await ideas.get_idea(session, idea.id, lock=True)
    if idea.status not in IN_DELIVERY:
        msg = f"The idea is {idea.status}; milestones change only while it is accepted or in progress."
        raise errors.IdeaNotInDelivery(msg, idea_status=idea.status)
    return await _list_milestones(session, idea.id)


async def _list_milestones(session: AsyncSession, idea_id: UUID) -> list[IdeaMilestone]:
    query = select(IdeaMilestone).where(IdeaMilestone.idea_id == idea_id).order_by(IdeaMilestone.position)
    return list(await session.scalars(query.execution_options(populate_existing=True)))


def _find(milestones: list[IdeaMilestone], milestone_id: UUID) -> IdeaMilestone:
    found = next((each for each in milestones if each.id == milestone_id), None)
    if found is None:
        msg = "The idea has no milestone with this id."
        raise errors.MilestoneNotFound(msg)
    return found


def _number(milestones: list[IdeaMilestone]) -> None:
    for position, milestone in enumerate(milestones, 1):
        milestone.position = position


async def _record(session: AsyncSession, idea: Idea, payload: Payload, *, actor_id: UUID) -> None:
    await record_event(session, payload, actor_id=actor_id, campaign_id=idea.campaign_id, idea_id=idea.id)
