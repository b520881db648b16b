"""Changes of the status of an idea, with their effects on its coins."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from api.campaigns import service as campaigns
from api.coins import service as coins
from api.events import payloads
from api.events.service import record_event
from api.ideas import errors
from api.ideas.coin_effects import carry_out
from api.ideas.editing import end_change_request
from api.ideas.models import Idea, IdeaStatusChange
from api.ideas.queries import get_idea
from api.ideas.reasons import OTHER, list_reasons
from api.ideas.steps import Coins, Status, find_step, steps_from
from api.ideas.submissions import submit_draft
from api.kernel import clock
from api.kernel.db import statements_of

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession


async def take_step(
    session: AsyncSession,
    idea: Idea,
    target: Status,
    *,
    actor_id: UUID | None,
    reason: str | None = None,
    reason_code: str | None = None,
) -> Idea:
    """Change the status of an idea and apply the effects on its coins, in one transaction.

    `reason_code` is one of the campaign's reasons of rejection; a rejection without one has the code `other`.

    The caller checks the permission (:mod:`api.ideas.dependencies`). This function checks that the step is possible,
    under the idea's lock.

    Raises:
        ApprovalOfOwnIdea: the author would approve their own idea, which others can approve.
        IllegalStep: an idea in this status cannot get the new status.
        CampaignNotActive: the phase of the campaign does not allow the step.
        ReasonMissing: the step requires a reason.
        UnknownReasonCode: the campaign has no reason with this code, or the step is no rejection.
        GraceRunning: the step would close the idea for coins, and backers may take them back after a material edit.
        DecisionTooEarly, TooLittleSupport: the coin policy does not allow the acceptance.
        WithdrawnTooLate: the coin policy no longer allows authors to withdraw ideas.
        SubmissionsClosed, AnonymityRefused, IdeaIncomplete, UnknownTag, TagMissing: the draft cannot be submitted.
    """
    # the campaign is locked before the idea, as in the completion of a campaign
    campaign = await campaigns.get_campaign(session, idea.campaign_id, lock="read")
    idea = await get_idea(session, idea.id, lock=True)
    source = Status(idea.status)
    step = find_step(source, target)
    if step is None or not step.exists_in(is_mediated=campaign.is_mediated):
        allowed = [each.target for each in steps_from(source, is_mediated=campaign.is_mediated)]
        msg = f"An idea that is {source} cannot become {target}; allowed: {', '.join(allowed) or 'none'}."
        raise errors.IllegalStep(msg, from_status=source, to_status=target, allowed=allowed)
    if source is Status.DRAFT:
        return await submit_draft(session, campaign, idea)
    if step.command is not None:
        await campaigns.check_command(session, campaign, step.command)
    if step.is_approval and actor_id is not None and actor_id == idea.author_id:
        await _check_sole_approver(session, idea, actor_id)
    if step.coins is Coins.REOPEN:
        await check_undo_window(session, idea.campaign_id, "An acceptance", idea.status_changed_at, at=clock.now())
    if step.needs_reason and not reason:
        msg = f"To {step.verb} an idea, give a reason for its author."
        raise errors.ReasonMissing(msg)
    code = await _check_reason_code(session, campaign.id, target, reason_code)
    now = clock.now()
    await end_change_request(session, idea, await clock.database_now(session))
    idea.status = target
    idea.status_changed_at = now
    idea.reason, idea.reason_code = reason, code
    idea.updated_by = actor_id
    session.add(
        IdeaStatusChange(
            idea_id=idea.id,
            from_status=source,
            to_status=target,
            changed_at=now,
            changed_by=actor_id,
            reason=reason,
            reason_code=code,
        )
    )
    await session.flush()
    before, after = await carry_out(session, idea, source, step.coins, actor_id=actor_id, reason=reason)
    payload = payloads.IdeaAcceptanceUndone if step.coins is Coins.REOPEN else _PAYLOADS[target]
    await record_event(
        session,
        payload(
            **({"reason_code": code} if target is Status.REJECTED else {}),
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


async def _check_sole_approver(session: AsyncSession, idea: Idea, author_id: UUID) -> None:
    """Check that no one but the author can approve the idea."""
    if await campaigns.has_other_approver(await statements_of(session), idea.campaign_id, author_id):
        msg = "This is your own idea, so another moderator or manager of the campaign approves it."
        raise errors.ApprovalOfOwnIdea(msg)


async def _check_reason_code(
    session: AsyncSession, campaign_id: UUID, target: Status, reason_code: str | None
) -> str | None:
    if target is not Status.REJECTED:
        if reason_code is not None:
            msg = f"Only a rejection has a reason code; omit it for the status {target}."
            raise errors.UnknownReasonCode(msg, codes=[])
        return None
    code = reason_code or OTHER
    if code == OTHER:  # every list has it
        return code
    codes = [reason.code for reason in await list_reasons(session, campaign_id)]
    if code not in codes:
        msg = f"The campaign has no reason {code!r}; its reasons are {', '.join(codes)}."
        raise errors.UnknownReasonCode(msg, codes=codes)
    return code


async def check_undo_window(
    session: AsyncSession, campaign_id: UUID, command: str, since: datetime, *, at: datetime
) -> None:
    """Check that a command of the moment `since`, such as "An acceptance", can be undone at the moment `at`.

    Raises:
        UndoWindowOver: the undo window of the coin policy is over.
    """
    policy = await coins.get_policy(session, campaign_id)
    until = since + timedelta(hours=policy.undo_window_h)
    if at > until:
        msg = f"{command} can be undone for {policy.undo_window_h} hours; for this one, until {until.isoformat()}."
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
