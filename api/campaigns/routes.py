"""Routes of campaigns and their coin policies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

from fastapi import Depends, Query, Response

from api.auth import service as auth
from api.auth.dependencies import MyselfInBrowser
from api.campaigns import errors, service
from api.campaigns.dependencies import Access, CampaignReader, requires_in_campaign
from api.campaigns.lifecycle import CampaignStatus
from api.campaigns.models import Campaign
from api.campaigns.queries import KEY_PARSERS, Filters, Sort
from api.campaigns.schemas import (
    BrowserSession,
    CampaignEdit,
    CampaignRead,
    Kind,
    Role,
    StageRead,
    as_read,
)
from api.coins import service as coins
from api.coins.errors import PolicyFrozen
from api.coins.policies import PolicyRead, PolicyWrite
from api.kernel.contract import raises
from api.kernel.errors import InvalidInput
from api.kernel.permissions import Permission
from api.kernel.preconditions import IfMatch, set_version
from api.kernel.schemas import Page
from api.kernel.texts import Line
from api.kernel.web import DryRun, PageQuery, Session
from api.kernel.web import router as new_router

router = new_router("", "campaigns")


@router.get("/campaigns", operation_id="listCampaigns")
async def list_all(
    session: Session,
    caller: CampaignReader,
    paging: PageQuery,
    status: Annotated[CampaignStatus | None, Query()] = None,
    kind: Annotated[Kind | None, Query()] = None,
    slug: Annotated[str | None, Query(max_length=100, description="the campaign with this slug")] = None,
    q: Annotated[
        Line | None, Query(max_length=200, description="a part of the title, goal or description, in any case")
    ] = None,
    my_role: Annotated[
        Role | Literal["any"] | None,
        Query(description="campaigns in which I have this role; any: in which I am a member"),
    ] = None,
    sort: Annotated[Sort, Query(description="ends_at: the earliest end first, those without an end last")] = "newest",
) -> Page[CampaignRead]:
    """Campaigns that I may see."""
    rows = await service.list_campaigns(
        session,
        user_id=caller.user_id,
        sees_all=caller.may(Permission.VIEW_CAMPAIGN),
        filters=Filters(status=status, kind=kind, slug=slug, words=q, role=my_role),
        sort=sort,
        limit=paging.limit + 1,
        after=paging.after(*KEY_PARSERS[sort]),
    )
    page = paging.page(rows, key=lambda row: row[2])
    return Page(items=[as_read(campaign, role) for campaign, role, _ in page.items], next_cursor=page.next_cursor)


@router.get("/campaigns/{campaign_id}", operation_id="getCampaign")
async def get(
    response: Response, access: Annotated[Access, Depends(requires_in_campaign(Permission.VIEW_CAMPAIGN))]
) -> CampaignRead:
    """One campaign. `If-Match` with its `ETag` refuses an edit of another version."""
    set_version(response, access.campaign.version)
    return as_read(access.campaign, access.role)


@router.patch("/campaigns/{campaign_id}", operation_id="editCampaign")
@raises(errors.CampaignNotActive, errors.CampaignFixed, errors.SlugTaken, errors.DatesOutOfOrder, InvalidInput)
async def edit(
    session: Session,
    response: Response,
    access: Annotated[Access, Depends(requires_in_campaign(Permission.MANAGE_CAMPAIGN))],
    body: CampaignEdit,
    condition: IfMatch,
    dry_run: DryRun,
) -> CampaignRead:
    """Change the campaign. A closed campaign becomes active again if its end is moved or removed."""
    campaign = await service.edit_campaign(
        session, access.campaign, body.changes, actor_id=access.caller.user_id, condition=condition
    )
    if not dry_run:  # no version has the tag of what is rolled back
        set_version(response, campaign.version)
    return as_read(campaign, access.role)


@router.delete("/campaigns/{campaign_id}", status_code=204, operation_id="deleteCampaign")
@raises(errors.CampaignKept)
async def delete(
    session: Session, access: Annotated[Access, Depends(requires_in_campaign(Permission.MANAGE_CAMPAIGN))]
) -> None:
    """Delete a draft in which no coins were granted. Other campaigns are archived."""
    await service.delete_draft(session, access.campaign, actor_id=access.caller.user_id)


@router.get("/campaigns/{campaign_id}/stages", operation_id="listStages")
async def stages(
    session: Session, access: Annotated[Access, Depends(requires_in_campaign(Permission.VIEW_CAMPAIGN))]
) -> list[StageRead]:
    """The stages of the campaign in order: submit, discuss, allocate and decide."""
    return [StageRead.model_validate(stage) for stage in await service.list_stages(session, access.campaign)]


def _add_step(name: str, take: Callable[..., Awaitable[Campaign]], description: str) -> None:
    """Add the route of a step that managers take: a change of the status without further values."""

    @raises(errors.IllegalCampaignStep)
    async def step(
        session: Session, access: Annotated[Access, Depends(requires_in_campaign(Permission.MANAGE_CAMPAIGN))]
    ) -> CampaignRead:
        return as_read(await take(session, access.campaign, actor_id=access.caller.user_id), access.role)

    router.add_api_route(
        f"/campaigns/{{campaign_id}}/{name}",
        step,
        methods=["POST"],
        name=name,
        description=description,
        operation_id=f"{name}Campaign",
    )


_add_step(
    "activate",
    service.activate_campaign,
    "Activate the draft: members get their coins. Ideas and movements of coins are possible from starts_at on.",
)
_add_step(
    "pause",
    service.pause_campaign,
    "Pause the active campaign: no ideas are submitted and no coins move. Its dates remain in force.",
)
_add_step("resume", service.resume_campaign, "End the pause of the campaign.")
_add_step("archive", service.archive_campaign, "Archive a completed campaign or a draft.")


@router.get("/campaigns/{campaign_id}/coins/policies", operation_id="listCoinPolicies")
async def policies(
    session: Session, access: Annotated[Access, Depends(requires_in_campaign(Permission.VIEW_CAMPAIGN))]
) -> list[PolicyRead]:
    """All versions of the coin policy, newest first; the first is in force."""
    found = await coins.list_policies(session, access.campaign.id)
    await auth.add_names(session, found, created_by="created_by_name")
    return found


@router.put("/campaigns/{campaign_id}/coins/policies", operation_id="setCoinPolicy")
@raises(errors.DatesOutOfOrder, PolicyFrozen)
async def set_policy(
    session: Session,
    access: Annotated[Access, Depends(requires_in_campaign(Permission.MANAGE_COIN_POLICY))],
    body: PolicyWrite,
    dry_run: DryRun,  # noqa: ARG001
) -> PolicyRead:
    """Store a new version of the coin policy, in force immediately. Frozen fields cannot change.

    A policy that is equal to the one in force makes no new version.
    Its allocation window must be within the dates of the campaign.
    """
    policy = await service.set_coin_policy(session, access.campaign, body, actor_id=access.caller.user_id)
    await auth.add_names(session, [policy], created_by="created_by_name")
    return policy


@router.get("/auth/session", operation_id="getBrowserSession")
async def browser_session(session: Session, caller: MyselfInBrowser) -> BrowserSession:
    """The user who is logged in in this browser, identified by its cookie; used by the dashboards."""
    user = await auth.get_user(session, caller.user_id)
    return BrowserSession(
        user_id=user.id,
        display_name=user.display_name,
        roles=sorted(caller.roles),
        managed_campaign_ids=await service.list_managed_campaign_ids(session, caller.user_id),
    )
