"""Routes of the attributes that a campaign defines for its members, and of the values of members."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query
from pydantic import AfterValidator, Field

from api.campaigns import errors
from api.campaigns.attributes import definitions
from api.campaigns.attributes.changes import edit_attributes
from api.campaigns.attributes.models import AttributeKind
from api.campaigns.attributes.values import VALUE_LENGTH_MAX
from api.campaigns.dependencies import Access, requires_in_campaign
from api.campaigns.queries import find_membership
from api.campaigns.schemas import MembershipRead
from api.kernel.contract import raises
from api.kernel.errors import InvalidInput
from api.kernel.permissions import Permission
from api.kernel.schemas import Edit, ResponseModel, Schema, Stored, required
from api.kernel.texts import Line
from api.kernel.web import DryRun, Session
from api.kernel.web import router as new_router

router = new_router("", "campaigns")

OPTIONS_MAX = 200
_COLUMNS = frozenset({"email", "name", "role"})


def _no_column(key: str) -> str:
    if key in _COLUMNS:
        msg = f"{key} is a column of its own in lists of members; choose another key"
        raise ValueError(msg)
    return key


def _each_once(options: list[str]) -> list[str]:
    repeated = sorted({option for option in options if options.count(option) > 1})
    if repeated:
        msg = f"each option occurs once; repeated: {', '.join(repeated)}"
        raise ValueError(msg)
    return options


Key = Annotated[
    str,
    Field(
        min_length=1, max_length=50, pattern="^[a-z][a-z0-9_]*$",
        description="for programs, lists and figures: letters a to z, digits and _; it cannot be changed",
    ),
    AfterValidator(_no_column),
]  # fmt: skip
Label = Annotated[Line, Field(min_length=1, max_length=100, description="for people")]
Kind = Annotated[
    AttributeKind, Field(strict=False, description="text: any text on one line; choice: one of the options")
]
Value = Annotated[Line, Field(min_length=1, max_length=VALUE_LENGTH_MAX)]
Options = Annotated[
    list[Value], Field(max_length=OPTIONS_MAX, description="of a choice, in their order"), AfterValidator(_each_once)
]
IsRequired = Annotated[bool, Field(description="people can join only with a value; needs is_asked")]
IsAsked = Annotated[bool, Field(description="people are asked for it when they join")]
IsEditable = Annotated[bool, Field(description="members change their own value; false: only managers do")]
Position = Annotated[int, Field(ge=0, le=1_000_000, description="order; equal positions are in the order of creation")]
RemoveValues = Annotated[bool, Query(description="remove the values of members that are no longer allowed")]
Changes = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=50)], Value | None],
    Field(min_length=1, max_length=50, description="values by key; null removes one, and omitted ones are not changed"),
]


class AttributeWrite(Schema):
    """A new attribute of the members."""

    key: Key
    label: Label
    kind: Kind = AttributeKind.TEXT
    options: Options = Field([])
    is_required: IsRequired = False
    is_asked: IsAsked = True
    is_editable: IsEditable = True
    position: Position = 0


class AttributeEdit(Edit):
    """The fields of an attribute to change. A choice that becomes a text loses its options."""

    label: Label = required()
    kind: Kind = required()
    options: Options = required()
    is_required: IsRequired = required()
    is_asked: IsAsked = required()
    is_editable: IsEditable = required()
    position: Position = required()


class AttributeRead(ResponseModel):
    """An attribute of the members of a campaign."""

    id: UUID
    key: str
    label: str
    kind: Stored[AttributeKind]
    options: list[str]
    is_required: bool
    is_asked: bool
    is_editable: bool
    position: int
    members: int | None = Field(
        None, description="in the list of managers: people with a value, also those who have left"
    )


class AttributeRemoval(ResponseModel):
    """The number of people whose value was removed, with those who have left."""

    members: int


class ValuesEdit(Schema):
    """Changes of the values of a member."""

    attributes: Changes


class ValuesRead(ResponseModel):
    """The values of a member by key."""

    attributes: dict[str, str | int]


class MemberValuesRead(MembershipRead):
    """A membership with its values."""

    attributes: dict[str, str | int]


_Reader = Annotated[Access, Depends(requires_in_campaign(Permission.VIEW_CAMPAIGN))]
_Manager = Annotated[Access, Depends(requires_in_campaign(Permission.MANAGE_MEMBERS))]
_Member = Annotated[Access, Depends(requires_in_campaign(Permission.LEAVE_CAMPAIGN))]


@router.get("/campaigns/{campaign_id}/member-attributes", operation_id="listMemberAttributes")
async def list_all(session: Session, access: _Reader) -> list[AttributeRead]:
    """The attributes of members in their order. Without any, managers give members free attributes."""
    counts: dict[str, int] | None = None
    if access.may(Permission.MANAGE_MEMBERS):
        counts = await definitions.count_members(session, access.campaign.id)
    return [
        AttributeRead.model_validate(each).model_copy(
            update={"members": None if counts is None else counts.get(each.key, 0)}
        )
        for each in await definitions.list_definitions(session, access.campaign.id)
    ]


@router.post("/campaigns/{campaign_id}/member-attributes", status_code=201, operation_id="createMemberAttribute")
@raises(
    errors.CampaignNotActive, errors.AttributeKeyTaken, errors.TooManyAttributes, errors.AttributeInUse, InvalidInput
)
async def create(
    session: Session,
    access: _Manager,
    body: AttributeWrite,
    dry_run: DryRun,  # noqa: ARG001
    remove_values: RemoveValues = False,  # noqa: FBT002
) -> AttributeRead:
    """Define an attribute. Values that members have under its key are kept, if it allows them.

    From the first defined attribute on, members get only defined ones. Other present values stay until a manager replaces them.
    """
    made = await definitions.create_definition(
        session, access.campaign, body.model_dump(), actor_id=access.caller.user_id, remove_values=remove_values
    )
    return AttributeRead.model_validate(made)


@router.patch("/campaigns/{campaign_id}/member-attributes/{attribute_id}", operation_id="editMemberAttribute")
@raises(errors.CampaignNotActive, errors.AttributeNotFound, errors.AttributeInUse, InvalidInput)
async def edit(
    session: Session,
    access: _Manager,
    attribute_id: UUID,
    body: AttributeEdit,
    dry_run: DryRun,  # noqa: ARG001
    remove_values: RemoveValues = False,  # noqa: FBT002
) -> AttributeRead:
    """Change an attribute. Options that members have are removed only with remove_values=true; a refusal states how many have them."""
    made = await definitions.edit_definition(
        session,
        access.campaign,
        attribute_id,
        body.changes,
        actor_id=access.caller.user_id,
        remove_values=remove_values,
    )
    return AttributeRead.model_validate(made)


@router.delete("/campaigns/{campaign_id}/member-attributes/{attribute_id}", operation_id="deleteMemberAttribute")
@raises(errors.CampaignNotActive, errors.AttributeNotFound, errors.AttributeInUse)
async def delete(
    session: Session,
    access: _Manager,
    attribute_id: UUID,
    dry_run: DryRun,  # noqa: ARG001
    remove_values: RemoveValues = False,  # noqa: FBT002
) -> AttributeRemoval:
    """Delete an attribute. If members have values, only with remove_values=true; a refusal states how many have them."""
    members = await definitions.delete_definition(
        session, access.campaign, attribute_id, actor_id=access.caller.user_id, remove_values=remove_values
    )
    return AttributeRemoval(members=members)


@router.get("/campaigns/{campaign_id}/my-attributes", operation_id="getMyAttributes")
@raises(errors.NotAMember)
async def mine(session: Session, access: _Member) -> ValuesRead:
    """My own values in this campaign."""
    membership = await find_membership(session, access.campaign.id, access.caller.user_id)
    if membership is None:
        msg = "You are not a member of this campaign."
        raise errors.NotAMember(msg)
    return ValuesRead.model_validate(membership)


@router.patch("/campaigns/{campaign_id}/my-attributes", operation_id="editMyAttributes")
@raises(errors.NotAMember, errors.AttributesRefused)
async def edit_mine(session: Session, access: _Member, body: ValuesEdit) -> ValuesRead:
    """Change my own values, as far as the campaign lets members change them."""
    membership = await edit_attributes(
        session, access.campaign, body.attributes, user_id=access.caller.user_id, actor_id=access.caller.user_id
    )
    return ValuesRead.model_validate(membership)


@router.patch("/campaigns/{campaign_id}/members/{user_id}/attributes", operation_id="editMemberValues")
@raises(errors.NotAMember, errors.AttributesRefused)
async def edit_of_member(session: Session, access: _Manager, user_id: UUID, body: ValuesEdit) -> MemberValuesRead:
    """Change values of a member."""
    membership = await edit_attributes(
        session, access.campaign, body.attributes, user_id=user_id, actor_id=access.caller.user_id
    )
    return MemberValuesRead.model_validate(membership)
