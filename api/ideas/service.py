"""Ideas, the changes of their status, and their valuations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select

from api.campaigns import service as campaigns
from api.campaigns.lifecycle import CampaignStatus, Command
from api.coins import service as coins
from api.events import payloads
from api.events.service import record_event
from api.ideas import errors
from api.ideas.coin_effects import carry_out
from api.ideas.models import Idea, IdeaStatusChange, IdeaTag, IdeaValuation
from api.ideas.steps import Coins, Status, find_step, steps_from
from api.kernel import clock
from api.kernel.ids import uuid7

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date, datetime
    from decimal import Decimal
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.campaigns.models import Campaign
    from api.ideas.schemas import Location


NOT_FOUND = "There is no idea with this id that you may see."


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
) -> Idea:
    """Submit an idea to an active campaign: it is competing immediately or, in a mediated campaign, pending.

    Raises:
        CampaignNotActive: the campaign is a draft, completed or archived.
        SubmissionsClosed: the time is before the start, after `submissions_close_at` or after the end.
    """
    campaign = await campaigns.get_campaign(session, campaign.id, lock="read")
    now = await clock.database_now(session)
    await _check_submissions(session, campaign, now)
    status = Status.PENDING if campaign.is_mediated else Status.COMPETING
    idea = Idea(
        id=uuid7(),
        campaign_id=campaign.id,
        author_id=author_id,
        title=title,
        description=description,
        latitude=location.latitude if location else None,
        longitude=location.longitude if location else None,
        status=status,
        submitted_at=now,
        status_changed_at=now,
        created_by=author_id,
        updated_by=author_id,
    )
    session.add(idea)
    await session.flush()
    await _add_tags(session, idea.id, tags, category)
    session.add(IdeaStatusChange(idea_id=idea.id, to_status=status, changed_at=now, changed_by=author_id))
    await session.flush()
    if status is Status.COMPETING:
        await coins.open_targets(session, campaign.id, {idea.id: author_id})
    await record_event(
        session,
        payloads.IdeaSubmitted(after=payloads.IdeaState(status=status)),
        actor_id=author_id,
        campaign_id=campaign.id,
        user_id=author_id,
        idea_id=idea.id,
    )
    return idea


async def _check_submissions(session: AsyncSession, campaign: Campaign, now: datetime) -> None:
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


async def _add_tags(session: AsyncSession, idea_id: UUID, tags: Iterable[str], category: str | None) -> None:
    names = [("tag", name) for name in dict.fromkeys(tags)] + ([("category", category)] if category else [])
    session.add_all(IdeaTag(idea_id=idea_id, kind=kind, name=name) for kind, name in names)
    await session.flush()


async def get_idea(session: AsyncSession, idea_id: UUID, *, lock: bool = False) -> Idea:
    """The idea; with `lock`, its row is locked and then read again.

    Raises:
        IdeaNotFound: there is no idea with this id.
    """
    query = select(Idea).where(Idea.id == idea_id)
    idea = await session.scalar(query.with_for_update().execution_options(populate_existing=True) if lock else query)
    if idea is None:
        raise errors.IdeaNotFound(NOT_FOUND)
    return idea


async def edit_idea(session: AsyncSession, idea: Idea, changes: dict[str, Any], *, actor_id: UUID) -> Idea:
    """Change the text of a pending idea. The caller checks the permission.

    `changes` has new values of `title`, `description`, `category` and `location` (None removes them) and `tags` by name. Values that are
    equal to the present ones change nothing; without a change there is no new version and no event.

    Raises:
        IdeaFixed: the idea is no longer pending.
    """
    idea = await get_idea(session, idea.id, lock=True)
    check_text_editable(idea)
    changed = [name for name in ("title", "description") if name in changes and changes[name] != getattr(idea, name)]
    for name in changed:
        setattr(idea, name, changes[name])
    if "location" in changes and _set_location(idea, changes["location"]):
        changed.append("location")
    category = changes.get("category")
    for field, kind, names in (
        ("category", "category", {category} if category is not None else set()),
        ("tags", "tag", set(changes.get("tags", ()))),
    ):
        if field in changes and await _change_tags(session, idea, kind, names):
            changed.append(kind)
    if not changed:
        return idea
    idea.version += 1
    idea.updated_by = actor_id
    await session.flush()
    await record_event(
        session,
        payloads.IdeaEdited(idea_version=idea.version, changed=tuple(changed)),
        actor_id=actor_id,
        campaign_id=idea.campaign_id,
        user_id=actor_id,
        idea_id=idea.id,
    )
    return idea


def _set_location(idea: Idea, location: Location | None) -> bool:
    """Set the location of an idea; returns whether it differed."""
    before = idea.latitude, idea.longitude
    idea.latitude, idea.longitude = (location.latitude, location.longitude) if location else (None, None)
    return before != (idea.latitude, idea.longitude)


def check_text_editable(idea: Idea) -> None:
    """Check that the author may change the text and the attachments of an idea now.

    Raises:
        IdeaFixed: the idea is no longer pending.
    """
    if idea.status != Status.PENDING:
        msg = f"The idea is {idea.status}; its text can be changed only while it is pending."
        raise errors.IdeaFixed(msg, idea_status=idea.status)


async def _change_tags(session: AsyncSession, idea: Idea, kind: str, names: set[str]) -> bool:
    """Replace the tags of one kind; returns whether they differed."""
    of_kind = (IdeaTag.idea_id == idea.id, IdeaTag.kind == kind)
    if names == set(await session.scalars(select(IdeaTag.name).where(*of_kind))):
        return False
    await session.execute(delete(IdeaTag).where(*of_kind))
    session.add_all(IdeaTag(idea_id=idea.id, kind=kind, name=name) for name in sorted(names))
    return True


async def take_step(
    session: AsyncSession, idea: Idea, target: Status, *, actor_id: UUID | None, reason: str | None = None
) -> Idea:
    """Change the status of an idea and apply the effects on its coins, in one transaction.

    The caller checks the permission (:mod:`api.ideas.dependencies`). This function checks that the step is possible,
    under the idea's lock.

    Raises:
        IllegalStep: an idea in this status cannot get the new status.
        CampaignNotActive: the phase of the campaign does not allow the step.
        ReasonMissing: the step requires a reason.
    """
    # the campaign is locked before the idea, as in the completion of a campaign
    campaign = await campaigns.get_campaign(session, idea.campaign_id, lock="read")
    idea = await get_idea(session, idea.id, lock=True)
    source = Status(idea.status)
    step = find_step(source, target)
    if step is None:
        allowed = [each.target for each in steps_from(source)]
        msg = f"An idea that is {source} cannot become {target}; allowed: {', '.join(allowed) or 'none'}."
        raise errors.IllegalStep(msg, from_status=source, to_status=target, allowed=allowed)
    if step.command is not None:
        await campaigns.check_command(session, campaign, step.command)
    if step.coins is Coins.REOPEN:
        await _check_undo_window(session, idea)
    if step.needs_reason and not reason:
        msg = f"To {step.verb} an idea, give a reason for its author."
        raise errors.ReasonMissing(msg)
    now = clock.now()
    idea.status = target
    idea.status_changed_at = now
    idea.reason = reason
    idea.updated_by = actor_id
    session.add(
        IdeaStatusChange(
            idea_id=idea.id, from_status=source, to_status=target, changed_at=now, changed_by=actor_id, reason=reason
        )
    )
    await session.flush()
    before, after = await carry_out(session, idea, source, step.coins, actor_id=actor_id, reason=reason)
    payload = payloads.IdeaAcceptanceUndone if step.coins is Coins.REOPEN else _PAYLOADS[target]
    await record_event(
        session,
        payload(
            reason_given=reason is not None,
            before=payloads.IdeaState(status=source, **before),
            after=payloads.IdeaState(status=target, **after),
        ),
        actor_id=actor_id,
        campaign_id=idea.campaign_id,
        user_id=idea.author_id,
        idea_id=idea.id,
    )
    return idea


async def _check_undo_window(session: AsyncSession, idea: Idea) -> None:
    policy = await coins.get_policy(session, idea.campaign_id)
    until = idea.status_changed_at + timedelta(hours=policy.undo_window_h)
    if clock.now() > until:
        msg = f"An acceptance can be undone for {policy.undo_window_h} hours; for this one, until {until.isoformat()}."
        raise errors.UndoWindowOver(msg, undo_window_h=policy.undo_window_h, until=until)


_PAYLOADS: dict[Status, type[payloads.IdeaStep]] = {
    Status.COMPETING: payloads.IdeaApproved,
    Status.REJECTED: payloads.IdeaRejected,
    Status.WITHDRAWN: payloads.IdeaWithdrawn,
    Status.ACCEPTED: payloads.IdeaAccepted,
    Status.IN_PROGRESS: payloads.IdeaStarted,
    Status.COMPLETE: payloads.IdeaCompleted,
    Status.STOPPED: payloads.IdeaStopped,
    Status.NOT_SELECTED: payloads.IdeaNotSelected,
}


@dataclass(frozen=True)
class Completion:
    """A completed campaign, and what its completion changed."""

    campaign: Campaign
    ideas: int
    coins: int
    members: int


async def complete_campaign(session: AsyncSession, campaign: Campaign, *, actor_id: UUID | None) -> Completion:
    """Complete a campaign: undecided ideas become not selected, and all remaining coins expire.

    `actor_id` is None if the worker completes it at `decide_by`.
    """
    campaign = await campaigns.get_campaign(session, campaign.id, lock="change")  # no coins are granted meanwhile
    remaining = await coins.get_remaining(session, campaign.id)
    campaign = await campaigns.mark_completed(session, campaign, actor_id=actor_id)
    undecided = await session.scalars(
        select(Idea)
        .where(Idea.campaign_id == campaign.id, Idea.status.in_([Status.PENDING, Status.COMPETING]))
        .order_by(Idea.id)
    )
    ideas = undecided.all()
    for idea in ideas:
        await take_step(session, idea, Status.NOT_SELECTED, actor_id=actor_id)
    return Completion(campaign, len(ideas), remaining.coins, remaining.members)


async def record_valuation(
    session: AsyncSession,
    idea: Idea,
    *,
    actor_id: UUID,
    kind: str,
    amount: Decimal,
    currency: str,
    valued_on: date,
    source: str,
) -> IdeaValuation:
    """Record a cost or return of an idea, as known on a day; the latest day of each kind is the current one.

    Raises:
        OtherCurrency: earlier valuations of this idea are in another currency, so the ROI could not be computed.
    """
    # two first valuations at once would both find no other currency
    await session.execute(select(Idea.id).where(Idea.id == idea.id).with_for_update())
    other = await session.scalar(
        select(IdeaValuation.currency)
        .where(IdeaValuation.idea_id == idea.id, IdeaValuation.currency != currency)
        .limit(1)
    )
    if other is not None:
        msg = f"The valuations of this idea are in {other}; give {kind} in {other} as well."
        raise errors.OtherCurrency(msg, currency=other)
    valuation = IdeaValuation(
        id=uuid7(),
        idea_id=idea.id,
        kind=kind,
        amount=amount,
        currency=currency,
        valued_on=valued_on,
        source=source,
        recorded_at=clock.now(),
        recorded_by=actor_id,
    )
    session.add(valuation)
    await session.flush()
    await record_event(
        session,
        payloads.IdeaValued(valuation_id=valuation.id, valuation=kind, amount=amount, currency=currency),
        actor_id=actor_id,
        campaign_id=idea.campaign_id,
        idea_id=idea.id,
    )
    return valuation
