"""Routes of what a campaign defines for its ideas: tags, and reasons of rejection."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Response
from pydantic import Field

from api.campaigns.dependencies import Access, requires_in_campaign
from api.campaigns.errors import CampaignNotActive
from api.ideas import errors, reasons, tags
from api.ideas.free_tags import FreeTag, convert_free_tag, list_free_tags
from api.ideas.schemas import ReasonCode, Tag
from api.kernel.contract import raises
from api.kernel.errors import InvalidInput
from api.kernel.permissions import Permission
from api.kernel.schemas import Edit, Id, Page, ResponseModel, Schema, required
from api.kernel.texts import Line
from api.kernel.web import DryRun, PageQuery, Session
from api.kernel.web import router as new_router

router = new_router("", "ideas")

Colour = Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$", description="red, green and blue: #rrggbb in lower case")]
Position = Annotated[int, Field(ge=0, le=1_000_000, description="order among the tags with the same parent")]
IsRequired = Annotated[bool, Field(description="each idea needs this tag or one below it; only without a parent")]


class TagWrite(Schema):
    """A new tag."""

    name: Tag
    colour: Colour | None = None
    parent_id: Id | None = Field(None, description="the tag above it; there are at most three levels")
    is_required: IsRequired = False
    position: Position = 0


class TagEdit(Edit):
    """The fields of a tag to change. Null removes the colour, and the parent: the tag is then on the first level."""

    name: Tag = required()
    colour: Colour | None = None
    parent_id: Id | None = None
    is_required: IsRequired = required()
    position: Position = required()


class TagMerge(Schema):
    """The tag that the ideas have afterwards."""

    into_id: Id


class FreeTagConvert(Schema):
    """The name of a free tag, and the tag that its ideas have afterwards."""

    name: Tag
    into_id: Id


class FreeTagConverted(ResponseModel):
    """The tag, and the number of ideas and drafts that have it now in place of the free one."""

    into_id: UUID
    ideas: int


class TagRead(ResponseModel):
    """A tag of a campaign."""

    id: UUID
    parent_id: UUID | None
    level: int = Field(description="1 without a parent, at most 3")
    name: str
    colour: str | None
    is_required: bool
    position: int
    ideas: int | None = Field(None, description="in the list: the number of submitted ideas that have it")


class ReasonBody(Schema):
    """A reason of rejection."""

    code: ReasonCode
    label: Annotated[Line, Field(min_length=1, max_length=200)]


class ReasonsWrite(Schema):
    """The reasons of rejection in their order; `other` is one of them."""

    reasons: Annotated[list[ReasonBody], Field(min_length=1, max_length=50)]


class ReasonRead(ResponseModel):
    """A reason of rejection."""

    code: str
    label: str


_Reader = Annotated[Access, Depends(requires_in_campaign(Permission.VIEW_CAMPAIGN))]
_Tagger = Annotated[Access, Depends(requires_in_campaign(Permission.TAG_IDEAS))]


@router.get("/campaigns/{campaign_id}/tags", operation_id="listTags")
async def list_tags(session: Session, access: _Reader) -> list[TagRead]:
    """The tags of the campaign, each after the tag above it. Without any, ideas have free tags."""
    return [
        TagRead.model_validate(tag).model_copy(update={"ideas": ideas})
        for tag, ideas in await tags.list_tags(session, access.campaign.id)
    ]


@router.post("/campaigns/{campaign_id}/tags", status_code=201, operation_id="createTag")
@raises(errors.TagNameTaken, errors.TagNotFound, errors.TagsTooDeep, errors.TooManyTags, CampaignNotActive)
async def create_tag(session: Session, response: Response, access: _Tagger, body: TagWrite) -> TagRead:
    """Define a tag. Free tags and categories of ideas with its name, in any case, become this tag.

    From the first defined tag on, ideas get only defined tags and categories.
    """
    tag = await tags.create_tag(session, access.campaign, actor_id=access.caller.user_id, **body.model_dump())
    response.headers["Location"] = f"/api/v1/campaigns/{access.campaign.id}/tags"
    return TagRead.model_validate(tag)


@router.patch("/campaigns/{campaign_id}/tags/{tag_id}", operation_id="editTag")
@raises(errors.TagNotFound, errors.TagNameTaken, errors.TagsTooDeep, CampaignNotActive)
async def edit_tag(session: Session, access: _Tagger, tag_id: UUID, body: TagEdit) -> TagRead:
    """Rename the tag, move it, or change its colour, order or whether it is required. Ideas keep it."""
    tag = await tags.edit_tag(session, access.campaign, tag_id, body.changes, actor_id=access.caller.user_id)
    return TagRead.model_validate(tag)


@router.delete("/campaigns/{campaign_id}/tags/{tag_id}", status_code=204, operation_id="deleteTag")
@raises(errors.TagNotFound, errors.TagInUse, CampaignNotActive)
async def delete_tag(session: Session, access: _Tagger, tag_id: UUID) -> None:
    """Delete a tag that no idea has and that has no tags below it."""
    await tags.delete_tag(session, access.campaign, tag_id, actor_id=access.caller.user_id)


@router.post("/campaigns/{campaign_id}/tags/{tag_id}/merge", operation_id="mergeTags")
@raises(errors.TagNotFound, errors.TagsTooDeep, errors.TagInUse, CampaignNotActive)
async def merge_tags(
    session: Session,
    access: _Tagger,
    tag_id: UUID,
    body: TagMerge,
    dry_run: DryRun,  # noqa: ARG001
) -> TagRead:
    """Give the ideas of the tag another one instead, and delete the tag; an idea that has both keeps one."""
    tag = await tags.merge_tags(session, access.campaign, tag_id, body.into_id, actor_id=access.caller.user_id)
    return TagRead.model_validate(tag)


@router.get("/campaigns/{campaign_id}/free-tags", operation_id="listFreeTags")
async def list_free(session: Session, access: _Tagger, paging: PageQuery) -> Page[FreeTag]:
    """Tags and categories of submitted ideas that are none of the campaign's tags, by name, each with the nearest one.

    A new tag with the name of one takes its place; `convertFreeTag` replaces it by another tag.
    """
    found = await list_free_tags(session, access.campaign.id, limit=paging.limit + 1, after=paging.after(str))
    page = paging.page(found, key=lambda row: [row[1]])
    return Page(items=[tag for tag, _ in page.items], next_cursor=page.next_cursor)


@router.post("/campaigns/{campaign_id}/free-tags/convert", operation_id="convertFreeTag")
@raises(errors.TagNotFound, errors.FreeTagNotFound)
async def convert_free(
    session: Session,
    access: _Tagger,
    body: FreeTagConvert,
    dry_run: DryRun,  # noqa: ARG001
) -> FreeTagConverted:
    """Give the ideas that have a free tag of this name, in any case, one of the campaign's tags in its place."""
    ideas = await convert_free_tag(session, access.campaign, body.name, body.into_id, actor_id=access.caller.user_id)
    return FreeTagConverted(into_id=body.into_id, ideas=ideas)


@router.get("/campaigns/{campaign_id}/rejection-reasons", operation_id="listRejectionReasons")
async def list_reasons(session: Session, access: _Reader) -> list[ReasonRead]:
    """The reasons for which ideas of the campaign are rejected: its own list, or the default one."""
    return [ReasonRead.model_validate(reason) for reason in await reasons.list_reasons(session, access.campaign.id)]


@router.put("/campaigns/{campaign_id}/rejection-reasons", operation_id="setRejectionReasons")
@raises(InvalidInput)
async def set_reasons(
    session: Session,
    access: Annotated[Access, Depends(requires_in_campaign(Permission.MANAGE_IDEAS))],
    body: ReasonsWrite,
) -> list[ReasonRead]:
    """Replace the reasons of rejection. Ideas that were rejected keep the code that they have."""
    wanted = [reasons.Reason(reason.code, reason.label) for reason in body.reasons]
    found = await reasons.set_reasons(session, access.campaign, wanted, actor_id=access.caller.user_id)
    return [ReasonRead.model_validate(reason) for reason in found]
