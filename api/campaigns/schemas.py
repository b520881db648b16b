"""Request and response models of campaigns."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, field_serializer, model_validator

from api.campaigns.dates import Dates
from api.campaigns.lifecycle import CampaignStatus
from api.coins.schemas import PolicyWrite
from api.kernel.dates import Moment
from api.kernel.money import AmountText, Currency, PositiveAmount, check_decimals, format_amount
from api.kernel.schemas import Edit, ResponseModel, Schema, Stored
from api.kernel.texts import Line, Prose

SLUG = r"^[a-z0-9]+(-[a-z0-9]+)*$"
Role = Literal["observer", "member", "moderator", "manager"]
Title = Annotated[Line, Field(min_length=3, max_length=200)]
Slug = Annotated[str, Field(min_length=3, max_length=100, pattern=SLUG)]


Attributes = Annotated[
    dict[Annotated[Line, Field(max_length=50)], Annotated[Line, Field(max_length=200)]],
    Field(description="groups for reports: department, district, ...", max_length=20),
]

StartsAt = Annotated[
    Moment | None,
    Field(description="the first moment at which ideas can be submitted and members can move coins"),
]
SubmissionsCloseAt = Annotated[Moment | None, Field(description="the last moment at which ideas can be submitted")]
EndsAt = Annotated[
    Moment | None,
    Field(
        description="the last moment at which ideas can be submitted and members can move coins; afterwards the campaign "
        "is closed"
    ),
]
DecideBy = Annotated[
    Moment | None,
    Field(description="when the closed campaign is completed automatically; requires ends_at"),
]


class CampaignCreate(Schema):
    """A new campaign; it is a draft, and its creator is its first manager."""

    title: Title
    slug: Slug | None = Field(None, description="for links; derived from the title by default")
    description: Annotated[Prose, Field(max_length=20_000)] = ""
    is_mediated: bool = Field(default=False, description="ideas compete only after a manager has approved them")
    visibility: Literal["open", "members"] = "open"
    join_policy: Literal["open", "by_request", "by_manager"] = "open"
    budget_amount: PositiveAmount | None = None
    currency: Currency | None = None
    eligible_people: Annotated[int, Field(gt=0, le=2_000_000_000)] | None = Field(
        None, description="number of people who may take part"
    )
    starts_at: StartsAt = None
    submissions_close_at: SubmissionsCloseAt = None
    ends_at: EndsAt = None
    decide_by: DecideBy = None
    coin_policy: PolicyWrite = PolicyWrite()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.budget_amount is not None and self.currency is None:
            msg = "budget_amount requires a currency"
            raise ValueError(msg)
        if self.budget_amount is not None and self.currency is not None:
            check_decimals(self.budget_amount, self.currency)
        dates = Dates(
            starts_at=self.starts_at,
            submissions_close_at=self.submissions_close_at,
            ends_at=self.ends_at,
            decide_by=self.decide_by,
        )
        if contradiction := dates.find_contradiction(self.coin_policy):
            raise ValueError(contradiction)
        return self


class CampaignEdit(Edit):
    """The fields to change. Omitted fields are not changed; null removes the date."""

    starts_at: StartsAt = None
    submissions_close_at: SubmissionsCloseAt = None
    ends_at: EndsAt = None
    decide_by: DecideBy = None


class CampaignRead(ResponseModel):
    """A campaign, and the caller's role in it."""

    id: UUID
    slug: str
    title: str
    description: str
    status: Stored[CampaignStatus]
    origin: Stored[Literal["native", "imported"]]
    visibility: str
    join_policy: str
    is_mediated: bool
    budget_amount: Decimal | None
    currency: str | None
    eligible_people: int | None
    starts_at: datetime | None
    submissions_close_at: datetime | None
    ends_at: datetime | None
    decide_by: datetime | None
    activated_at: datetime | None
    completed_at: datetime | None
    created_at: datetime
    my_role: Stored[Role] | None = None

    @field_serializer("budget_amount")
    def _as_text(self, amount: Decimal | None) -> AmountText | None:
        return None if amount is None else format_amount(amount, self.currency)


class MembershipRead(ResponseModel):
    """A membership in a campaign."""

    user_id: UUID
    role: Stored[Role]
    joined_at: datetime
    left_at: datetime | None


class MemberRead(MembershipRead):
    """A member as managers see them; imported voters have no address."""

    display_name: str
    email: str | None
    attributes: dict[str, str]


class MemberAdd(Schema):
    """The user to add, by the e-mail address of their account, with their role and groups.

    For a user who is a member already, omitted fields are not changed.
    """

    email: Annotated[Line, Field(max_length=254)]
    role: Role = "member"
    attributes: Attributes = Field({})


class BrowserSession(ResponseModel):
    """The user who is logged in in this browser, and the campaigns whose figures they may see."""

    user_id: UUID
    display_name: str
    roles: list[str]
    managed_campaign_ids: list[UUID]


def as_read(campaign: Any, role: str | None) -> CampaignRead:
    """The response for a campaign, with the caller's role in it."""
    return CampaignRead.model_validate(campaign).model_copy(update={"my_role": role})
