"""Routes of the approval of ideas: the queue, requests for changes, and commands on many ideas."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Response
from pydantic import Field

from api.auth import service as auth
from api.campaigns.dependencies import Access, requires_in_campaign
from api.campaigns.errors import CampaignNotActive
from api.ideas import errors
from api.ideas.approval import QueuePage, list_queue, request_changes
from api.ideas.bulk import PERMISSION_OF, BulkIdeas, BulkIdeasResponse, change_in_bulk
from api.ideas.dependencies import IdeaAccess, requires_on_idea
from api.ideas.details import read_idea
from api.ideas.editing import set_tags
from api.ideas.labels import IDEA_TAGS_MAX
from api.ideas.schemas import IdeaDetail, Reason, Tag
from api.kernel.contract import raises
from api.kernel.permissions import Permission
from api.kernel.preconditions import IfMatch, set_version
from api.kernel.schemas import Schema
from api.kernel.web import DryRun, PageQuery, Session
from api.kernel.web import router as new_router

router = new_router("", "ideas")


class TagsWrite(Schema):
    """The tags that an idea has afterwards."""

    tags: Annotated[list[Tag], Field(max_length=IDEA_TAGS_MAX)]


class ChangesWanted(Schema):
    """What the author is asked to change."""

    text: Reason


@router.get("/campaigns/{campaign_id}/ideas/queue", operation_id="listApprovalQueue")
async def queue(
    session: Session,
    access: Annotated[Access, Depends(requires_in_campaign(Permission.APPROVE_IDEAS))],
    paging: PageQuery,
    changes_requested: Annotated[
        bool | None, Query(description="only ideas whose authors were asked for changes, or only others")
    ] = None,
) -> QueuePage:
    """Ideas that wait for approval, the longest waiting first."""
    found = await list_queue(
        session,
        access.campaign.id,
        changes_requested=changes_requested,
        limit=paging.limit + 1,
        after=paging.after(datetime.fromisoformat, UUID),
    )
    page = paging.page(found.ideas, key=lambda idea: [idea.pending_since.isoformat(), idea.id])
    await auth.add_names(session, page.items, author_id="author_name")
    return QueuePage(
        items=page.items,
        next_cursor=page.next_cursor,
        pending=found.pending,
        changes_requested=found.changes_requested,
    )


@router.post("/ideas/{idea_id}/change-requests", status_code=201, operation_id="requestIdeaChanges")
@raises(errors.NotPending, CampaignNotActive)
async def ask_for_changes(
    session: Session,
    access: Annotated[IdeaAccess, Depends(requires_on_idea(Permission.APPROVE_IDEAS))],
    body: ChangesWanted,
) -> IdeaDetail:
    """Ask the author of a pending idea for changes. The idea stays pending, and the request is open until the author edits it."""
    await request_changes(session, access.idea, body.text, actor_id=access.campaign.caller.user_id)
    return await read_idea(session, access.campaign, access.idea.id)


@router.put("/ideas/{idea_id}/tags", operation_id="setIdeaTags")
@raises(CampaignNotActive, errors.IdeaFixed, errors.UnknownTag, errors.TagMissing)
async def set_idea_tags(
    session: Session,
    response: Response,
    access: Annotated[IdeaAccess, Depends(requires_on_idea(Permission.TAG_IDEAS))],
    body: TagsWrite,
    condition: IfMatch,
) -> IdeaDetail:
    """Give the idea these tags in place of the present ones, as a new version. The author's text stays as it is.

    For managers and moderators, without a reason, until the campaign is completed. The same tags change nothing.
    """
    idea = await set_tags(session, access.idea, body.tags, actor_id=access.campaign.caller.user_id, condition=condition)
    set_version(response, idea.edit_number)
    return await read_idea(session, access.campaign, access.idea.id)


@router.post("/campaigns/{campaign_id}/ideas/bulk", operation_id="changeIdeasInBulk")
async def change_many(
    session: Session,
    access: Annotated[Access, Depends(requires_in_campaign(*dict.fromkeys(PERMISSION_OF.values())))],
    body: BulkIdeas,
    dry_run: DryRun,  # noqa: ARG001
) -> BulkIdeasResponse:
    """Approve, reject, tag or assign up to 100 ideas, change their status, or ask their authors for changes.

    Each idea has a result of its own, and a refusal affects one idea only. Approvals and requests for changes need the
    permission approve_ideas, tags tag_ideas, and all other actions manage_ideas.
    """
    access.check(PERMISSION_OF[body.action])
    return await change_in_bulk(session, access.campaign, body, actor_id=access.caller.user_id)
