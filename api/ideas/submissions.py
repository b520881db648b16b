"""Drafts of ideas, their submission, and the submission of an idea for a second time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from api.campaigns import service as campaigns
from api.campaigns.lifecycle import CampaignStatus, Command
from api.coins import service as coins
from api.events import idea_payloads, payloads
from api.events.service import record_event
from api.ideas import errors
from api.ideas.authors import check_anonymity
from api.ideas.labels import CATEGORY, TAG, get_defined, labels, list_labels, names_of, store_labels
from api.ideas.locations import set_location
from api.ideas.models import Idea, IdeaStatusChange
from api.ideas.queries import get_idea
from api.ideas.steps import RESUBMITTED, Status, submitted_status
from api.ideas.texts import check_complete
from api.kernel import clock
from api.kernel.ids import uuid7

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.campaigns.models import Campaign
    from api.ideas.labels import Label
    from api.ideas.locations import Location

DRAFTS_MAX = 50


async def submit_idea(
    session: AsyncSession,
    campaign: Campaign,
    *,
    author_id: UUID,
    title: str,
    description: str,
    tags: Iterable[str] = (),
    category: str | None = None,
    location: Location | None = None,
    is_anonymous: bool = False,
) -> Idea:
    """Submit an idea to an active campaign: it is competing immediately or, in a mediated campaign, pending.

    Raises:
        CampaignNotActive: the campaign is a draft, completed or archived.
        SubmissionsClosed: the time is before the start, after `submissions_close_at` or after the end.
        AnonymityRefused: the idea would be anonymous, and the campaign does not allow it.
        UnknownTag: the campaign has defined tags, and one of these is not among them.
        TagMissing: the idea has no tag of a required group.
    """
    campaign = await campaigns.get_campaign(session, campaign.id, lock="read")
    now = await clock.database_now(session)
    await _check_dates(session, campaign, now)
    check_anonymity(campaign, is_anonymous=is_anonymous)
    chosen = await _check_labels(session, campaign, labels(tags, [category] if category else []))
    idea = _new(campaign, author_id, title, description, submitted_status(is_mediated=campaign.is_mediated), now)
    idea.is_anonymous = is_anonymous
    set_location(idea, location)
    session.add(idea)
    await session.flush()
    await store_labels(session, idea.id, chosen)
    await _enter(session, idea)
    return idea


async def draft_idea(
    session: AsyncSession,
    campaign: Campaign,
    *,
    author_id: UUID,
    title: str,
    description: str = "",
    tags: Iterable[str] = (),
    category: str | None = None,
    location: Location | None = None,
    is_anonymous: bool = False,
    resubmitted_from: Idea | None = None,
) -> Idea:
    """Save a draft, which only its author sees. It may lack a description and the required tags.

    Raises:
        CampaignNotActive: the campaign is a draft, or it has ended.
        TooManyDrafts: the author has 50 in the campaign.
        AnonymityRefused: it would be anonymous, and the campaign does not allow it.
        UnknownTag: the campaign has defined tags, and one of these is not among them.
    """
    campaign = await campaigns.get_campaign(session, campaign.id, lock="read")
    await campaigns.check_command(session, campaign, Command.DRAFT_IDEA)
    check_anonymity(campaign, is_anonymous=is_anonymous)
    await _check_number(session, campaign.id, author_id)
    defined = await get_defined(session, campaign.id)
    wanted = labels(tags, [category] if category else [])
    chosen = defined.resolve(defined.without_unknown(wanted) if resubmitted_from else wanted)
    now = await clock.database_now(session)
    idea = _new(campaign, author_id, title, description, Status.DRAFT, now)
    idea.resubmitted_from_id = resubmitted_from.id if resubmitted_from else None
    idea.is_anonymous = is_anonymous
    set_location(idea, location)
    session.add(idea)
    await session.flush()
    await store_labels(session, idea.id, chosen)
    await record_event(
        session,
        idea_payloads.IdeaDrafted(resubmitted_from_id=idea.resubmitted_from_id),
        actor_id=author_id,
        campaign_id=campaign.id,
        user_id=author_id,
        idea_id=idea.id,
    )
    return idea


async def _check_number(session: AsyncSession, campaign_id: UUID, author_id: UUID) -> None:
    """Bound the drafts of an author, whose attachments only they see. Requests at the same moment may exceed it."""
    drafts = await session.scalar(
        select(func.count()).where(
            Idea.campaign_id == campaign_id, Idea.author_id == author_id, Idea.status == Status.DRAFT
        )
    )
    if drafts is not None and drafts >= DRAFTS_MAX:
        msg = f"You have {drafts} drafts in this campaign; submit or delete one of them first."
        raise errors.TooManyDrafts(msg, drafts_max=DRAFTS_MAX)


async def submit_draft(session: AsyncSession, campaign: Campaign, idea: Idea) -> Idea:
    """Submit a draft. The caller has locked the campaign and then the idea, and has checked the step.

    Raises:
        IdeaIncomplete: the title or the description is too short.
        CampaignNotActive, SubmissionsClosed, AnonymityRefused, UnknownTag, TagMissing: as for :func:`submit_idea`.
    """
    assert idea.status == Status.DRAFT, f"an idea that is {idea.status} is not submitted"
    now = await clock.database_now(session)
    await _check_dates(session, campaign, now)
    check_anonymity(campaign, is_anonymous=idea.is_anonymous)
    check_complete(idea.title, idea.description)
    chosen = await _check_labels(session, campaign, await list_labels(session, idea.id))
    await store_labels(session, idea.id, chosen)
    idea.status = submitted_status(is_mediated=campaign.is_mediated)
    idea.submitted_at = idea.status_changed_at = now
    idea.edit_number += 1  # who changed the draft did not see what was submitted
    idea.updated_by = idea.author_id
    await session.flush()
    await _enter(session, idea)
    return idea


async def delete_draft(session: AsyncSession, idea: Idea) -> None:
    """Delete a draft with its tags.

    Raises:
        NotADraft: the idea was submitted.
    """
    await campaigns.get_campaign(session, idea.campaign_id, lock="read")  # its tags do not change meanwhile
    idea = await get_idea(session, idea.id, lock=True)
    if idea.status != Status.DRAFT:
        msg = f"The idea is {idea.status}; only a draft can be deleted. An idea that is pending or competing can be withdrawn."
        raise errors.NotADraft(msg, idea_status=idea.status)
    await session.delete(idea)
    await session.flush()
    await record_event(
        session,
        idea_payloads.IdeaDraftDeleted(),
        actor_id=idea.author_id,
        campaign_id=idea.campaign_id,
        user_id=idea.author_id,
        idea_id=idea.id,
    )


async def resubmit_idea(session: AsyncSession, idea: Idea, *, author_id: UUID) -> Idea:
    """Begin to submit a rejected or withdrawn idea again: a draft with its text, linked to it.

    Tags that the campaign no longer has are left out. The draft is anonymous if the idea is and the campaign allows it.

    Raises:
        NotResubmittable: the idea is neither rejected nor withdrawn, or it was submitted again already.
        CampaignNotActive: the campaign has ended.
    """
    campaign = await campaigns.get_campaign(session, idea.campaign_id, lock="read")
    idea = await get_idea(session, idea.id, lock=True)
    if idea.status not in RESUBMITTED:
        msg = f"The idea is {idea.status}; only a rejected or withdrawn one can be submitted again."
        raise errors.NotResubmittable(msg, idea_status=idea.status)
    later = await session.scalar(select(Idea.id).where(Idea.resubmitted_from_id == idea.id))
    if later is not None:
        msg = "The idea was submitted again already, or there is a draft for it."
        raise errors.NotResubmittable(msg, idea_status=idea.status, resubmitted_as_id=later)
    found = await list_labels(session, idea.id)
    return await draft_idea(
        session,
        campaign,
        author_id=author_id,
        title=idea.title,
        description=idea.description,
        tags=names_of(found, TAG),
        category=next(iter(names_of(found, CATEGORY)), None),
        is_anonymous=idea.is_anonymous and campaign.anonymous_ideas,
        resubmitted_from=idea,
    )


def _new(campaign: Campaign, author_id: UUID, title: str, description: str, status: Status, now: datetime) -> Idea:
    return Idea(
        id=uuid7(),
        campaign_id=campaign.id,
        author_id=author_id,
        title=title,
        description=description,
        status=status,
        submitted_at=now,
        status_changed_at=now,
        created_by=author_id,
        updated_by=author_id,
    )


async def _check_labels(session: AsyncSession, campaign: Campaign, wanted: Iterable[Label]) -> list[Label]:
    defined = await get_defined(session, campaign.id)
    chosen = defined.resolve(wanted)
    defined.check_required(chosen)
    return chosen


async def _enter(session: AsyncSession, idea: Idea) -> None:
    """The effects of a submission: the first change of the status, the target of coins, and the event."""
    change = IdeaStatusChange(
        idea_id=idea.id, to_status=idea.status, changed_at=idea.submitted_at, changed_by=idea.author_id
    )
    session.add(change)
    await session.flush()
    if idea.status == Status.COMPETING:
        await coins.open_targets(session, idea.campaign_id, {idea.id: idea.author_id})
    await record_event(
        session,
        payloads.IdeaSubmitted(after=payloads.IdeaState(status=idea.status)),
        actor_id=idea.author_id,
        campaign_id=idea.campaign_id,
        user_id=idea.author_id,
        idea_id=idea.id,
    )


async def _check_dates(session: AsyncSession, campaign: Campaign, now: datetime) -> None:
    """Refuse an idea outside the dates. The caller has locked the campaign and read `now` after that."""
    opens_at = campaign.starts_at
    closes_at = min((at for at in (campaign.submissions_close_at, campaign.ends_at) if at is not None), default=None)
    is_running = campaign.status in {CampaignStatus.ACTIVE, CampaignStatus.CLOSED}
    if is_running and ((opens_at is not None and now < opens_at) or (closes_at is not None and now > closes_at)):
        bounds = (
            (f"from {opens_at.isoformat()}" if opens_at else ""),
            (f"until {closes_at.isoformat()}" if closes_at else ""),
        )
        msg = f"Ideas can be submitted {' '.join(bound for bound in bounds if bound)}."
        raise errors.SubmissionsClosed(msg, opens_at=opens_at, closes_at=closes_at)
    await campaigns.check_command(session, campaign, Command.SUBMIT_IDEA)
