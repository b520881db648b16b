"""Routes of ideas, and the completion of a campaign."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Response
from sqlalchemy import select

from api.auth import service as auth
from api.campaigns.dependencies import Access, requires_in_campaign
from api.campaigns.errors import CampaignNotActive, IllegalCampaignStep
from api.campaigns.schemas import as_read
from api.coins import service as coins
from api.coins.errors import DecisionTooEarly, GraceRunning, TooLittleSupport, WithdrawnTooLate
from api.coins.schemas import BackerRead
from api.ideas import errors, service
from api.ideas.dependencies import IdeaAccess, StakesReader, find_audience, requires_on_idea
from api.ideas.details import find_first_shown, read_idea
from api.ideas.history import HistoryEntry, list_history, mark_entries
from api.ideas.models import IdeaValuation
from api.ideas.schemas import (
    CampaignCompletion,
    CompletionEffects,
    IdeaDetail,
    IdeaEdit,
    IdeaStep,
    IdeaSubmit,
    ValuationRead,
    ValuationWrite,
)
from api.ideas.steps import PERMISSIONS as STEP_PERMISSIONS
from api.ideas.steps import Status
from api.kernel.contract import raises
from api.kernel.permissions import Permission
from api.kernel.preconditions import IfMatch, set_version
from api.kernel.schemas import Page
from api.kernel.web import DryRun, PageQuery, Session
from api.kernel.web import router as new_router

router = new_router("", "ideas")


@router.post("/campaigns/{campaign_id}/ideas", status_code=201, operation_id="submitIdea")
@raises(CampaignNotActive, errors.SubmissionsClosed, errors.AnonymityRefused, errors.UnknownTag, errors.TagMissing)
async def submit(
    session: Session,
    response: Response,
    access: Annotated[Access, Depends(requires_in_campaign(Permission.SUBMIT_IDEA))],
    body: IdeaSubmit,
) -> IdeaDetail:
    """Submit an idea to the campaign."""
    idea = await service.submit_idea(session, access.campaign, author_id=access.caller.user_id, **dict(body))
    response.headers["Location"] = f"/api/v1/ideas/{idea.id}"
    return await read_idea(session, access, idea.id)


@router.get("/ideas/{idea_id}", operation_id="getIdea")
async def get(
    session: Session,
    response: Response,
    access: Annotated[IdeaAccess, Depends(requires_on_idea(Permission.VIEW_CAMPAIGN))],
) -> IdeaDetail:
    """One idea, with its description as HTML. `If-Match` with its `ETag` refuses an edit of another version."""
    set_version(response, access.idea.edit_number)
    return await read_idea(session, access.campaign, access.idea.id)


@router.patch("/ideas/{idea_id}", operation_id="editIdea")
@raises(
    errors.IdeaFixed, errors.ReasonMissing, errors.IdeaIncomplete, errors.UnknownTag, errors.TagMissing,
    errors.AnonymityRefused, errors.StepNotAllowed, errors.NotMarkable, CampaignNotActive,
)  # fmt: skip
async def edit(
    session: Session,
    response: Response,
    access: Annotated[IdeaAccess, Depends(requires_on_idea(Permission.EDIT_IDEA, Permission.MANAGE_IDEAS))],
    body: IdeaEdit,
    condition: IfMatch,
) -> IdeaDetail:
    """Change the text of the idea; a change that changes nothing makes no new version.

    Its author may do so while it is a draft or pending, and while it is competing until the last moment at which coins can be
    moved. Managers may change the text of a submitted idea with a reason, until it is rejected or withdrawn, and mark the edit as
    material while the idea is competing.
    """
    idea = await service.edit_idea(
        session,
        access.idea,
        body.text_changes,
        actor_id=access.campaign.caller.user_id,
        is_manager=access.may(Permission.MANAGE_IDEAS),
        reason=body.reason,
        is_material=body.is_material,
        condition=condition,
    )
    set_version(response, idea.edit_number)
    return await read_idea(session, access.campaign, access.idea.id)


@router.delete("/ideas/{idea_id}", status_code=204, operation_id="deleteDraft")
@raises(errors.NotADraft)
async def delete(
    session: Session, access: Annotated[IdeaAccess, Depends(requires_on_idea(Permission.EDIT_IDEA))]
) -> None:
    """Delete my draft. An idea that was submitted can be withdrawn, but not deleted."""
    await service.delete_draft(session, access.idea)


@router.post("/ideas/{idea_id}/status", operation_id="changeIdeaStatus")
@raises(
    errors.StepNotAllowed, errors.ApprovalOfOwnIdea, errors.IllegalStep, CampaignNotActive, errors.ReasonMissing, errors.UnknownReasonCode,
    errors.UndoWindowOver, GraceRunning, DecisionTooEarly, TooLittleSupport, WithdrawnTooLate,
    errors.SubmissionsClosed, errors.AnonymityRefused, errors.IdeaIncomplete, errors.UnknownTag, errors.TagMissing,
)  # fmt: skip
async def change_status(
    session: Session,
    access: Annotated[IdeaAccess, Depends(requires_on_idea(*STEP_PERMISSIONS))],
    body: IdeaStep,
    dry_run: DryRun,  # noqa: ARG001
) -> IdeaDetail:
    """Change the status of the idea. Its author can submit a draft of it and withdraw it, and moderators can approve it.

    All other steps are for managers. A draft becomes pending in a mediated campaign, and competing in others; it must be
    complete then.

    The step from accepted to competing undoes the acceptance, within the undo window of the coin policy. While backers may take
    coins back after a material edit, a competing idea is not decided: 409 `grace-running` with the time. It can be withdrawn.
    """
    target = Status(body.status)
    access.check_step(target)
    await service.take_step(
        session,
        access.idea,
        target,
        actor_id=access.campaign.caller.user_id,
        reason=body.reason,
        reason_code=body.reason_code,
    )
    return await read_idea(session, access.campaign, access.idea.id)


@router.get("/ideas/{idea_id}/history", operation_id="listIdeaHistory")
async def history(
    session: Session,
    access: Annotated[IdeaAccess, Depends(requires_on_idea(Permission.VIEW_CAMPAIGN))],
    paging: PageQuery,
) -> Page[HistoryEntry]:
    """What happened to the idea, newest first: its status and text, comments, official answers, milestones, attachments, coins.

    Movements of coins are those that the coin policy's stakes_visible_to shows to me, and otherwise my own. Requests for
    changes are shown to the author of the idea and to those who see all ideas. Deleted comments are left out, and hidden ones for
    all but moderators.
    """
    _, sees_stakes = await find_audience(session, access)
    rows = await list_history(
        session,
        access.idea.id,
        coins_of=None if sees_stakes else access.campaign.caller.user_id,
        first_version=await find_first_shown(session, access),
        sees_requests=access.may(Permission.VIEW_ALL_IDEAS),
        sees_hidden=access.may(Permission.MODERATE_COMMENTS),
        limit=paging.limit + 1,
        after=paging.after(datetime.fromisoformat, str),
    )
    page = paging.page(rows, key=lambda row: [row[1][0].isoformat(), row[1][1]])
    entries = [entry for entry, _ in page.items]
    mark_entries(access, entries)
    await auth.add_names(session, entries, actor_id="actor_name")
    return Page(items=entries, next_cursor=page.next_cursor)


@router.get("/ideas/{idea_id}/stakes", operation_id="listStakes")
async def stakes(session: Session, access: StakesReader, paging: PageQuery) -> Page[BackerRead]:
    """Members with coins on the idea, now or when it was settled, if the coin policy's stakes_visible_to allows it."""
    rows = await coins.list_backers(session, access.idea.id, limit=paging.limit + 1, after=paging.after(UUID))
    await auth.add_names(session, rows, user_id="display_name")
    return paging.page(rows, key=lambda backer: [backer.user_id])


@router.post("/ideas/{idea_id}/valuations", status_code=201, operation_id="recordValuation")
@raises(errors.NotSubmitted, errors.OtherCurrency)
async def record_valuation(
    session: Session,
    access: Annotated[IdeaAccess, Depends(requires_on_idea(Permission.MANAGE_IDEAS))],
    body: ValuationWrite,
) -> ValuationRead:
    """Record a cost or return of the idea, expected or realised, as known on a day."""
    valuation = await service.record_valuation(
        session, access.idea, actor_id=access.campaign.caller.user_id, **body.model_dump()
    )
    recorded = ValuationRead.model_validate(valuation)
    await auth.add_names(session, [recorded], recorded_by="recorded_by_name")
    return recorded


@router.get("/ideas/{idea_id}/valuations", operation_id="listValuations")
async def list_valuations(
    session: Session, access: Annotated[IdeaAccess, Depends(requires_on_idea(Permission.VIEW_CAMPAIGN))]
) -> list[ValuationRead]:
    """All valuations of the idea, newest day first; the first of each kind is the current one."""
    rows = await session.scalars(
        select(IdeaValuation)
        .where(IdeaValuation.idea_id == access.idea.id)
        .order_by(IdeaValuation.valued_on.desc(), IdeaValuation.recorded_at.desc())
    )
    valuations = [ValuationRead.model_validate(row) for row in rows]
    await auth.add_names(session, valuations, recorded_by="recorded_by_name")
    return valuations


@router.post("/campaigns/{campaign_id}/complete", operation_id="completeCampaign")
@raises(IllegalCampaignStep, GraceRunning)
async def complete_campaign(
    session: Session,
    access: Annotated[Access, Depends(requires_in_campaign(Permission.MANAGE_CAMPAIGN))],
    dry_run: DryRun,  # noqa: ARG001
) -> CampaignCompletion:
    """Complete the campaign: undecided ideas become not_selected, and all remaining coins expire.

    The response, also of a dry run, has the numbers of ideas, coins and members that this changes. While backers of an idea may
    take coins back after a material edit, it is refused: 409 `grace-running` with the time.
    """
    done = await service.complete_campaign(session, access.campaign, actor_id=access.caller.user_id)
    effects = CompletionEffects(ideas=done.ideas, coins=done.coins, members=done.members)
    return CampaignCompletion(**as_read(done.campaign, access.role).__dict__, effects=effects)
