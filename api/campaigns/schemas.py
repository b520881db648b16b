"""Request and response models of campaigns."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Protocol, Self
from uuid import UUID

from pydantic import Field, field_serializer, model_validator

from api.campaigns.dates import Dates, StageName
from api.campaigns.lifecycle import CampaignStatus
from api.coins.policies import PolicyWrite
from api.kernel.dates import Moment
from api.kernel.locales import Language, TimeZone
from api.kernel.money import AmountText, Currency, PositiveAmount, check_decimals, format_amount
from api.kernel.schemas import Edit, Id, ResponseModel, Schema, Stored, required
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


Description = Annotated[Prose, Field(max_length=20_000)]
Kind = Annotated[
    Literal["suggestions", "challenge", "budget"],
    Field(
        description="suggestions: ideas on any subject; challenge: answers to one question; budget: projects that share a budget"
    ),
]
Goal = Annotated[Prose, Field(max_length=500, description="what the campaign is to achieve")]
IsMediated = Annotated[bool, Field(description="ideas compete only after they were approved")]
AnonymousIdeas = Annotated[
    bool,
    Field(
        description="whether authors may submit ideas anonymously: other members, observers and visitors then do not see who "
        "they are; moderators and managers of the campaign and administrators do"
    ),
]
Visibility = Annotated[Literal["open", "members"], Field(description="who sees the campaign: everyone, or its members")]
JoinPolicy = Annotated[Literal["open", "by_request", "by_manager"], Field(description="how people become members")]
RunningCost = Annotated[PositiveAmount | None, Field(description="what the campaign itself costs, in its currency")]
EligiblePeople = Annotated[
    Annotated[int, Field(gt=0, le=2_000_000_000)] | None, Field(description="number of people who may take part")
]
Locale = Annotated[Language, Field(description="language of the campaign")]


class CampaignCreate(Schema):
    """A new campaign; it is a draft, and its creator is its first manager."""

    title: Title
    slug: Slug | None = Field(None, description="for links; derived from the title by default")
    description: Description = ""
    kind: Kind = "suggestions"
    goal: Goal = ""
    is_mediated: IsMediated = False
    anonymous_ideas: AnonymousIdeas = False
    visibility: Visibility = "open"
    join_policy: JoinPolicy = "open"
    budget_amount: PositiveAmount | None = None
    running_cost_amount: RunningCost = None
    currency: Currency | None = None
    eligible_people: EligiblePeople = None
    locale: Locale = "en"
    time_zone: TimeZone = "UTC"
    starts_at: StartsAt = None
    submissions_close_at: SubmissionsCloseAt = None
    ends_at: EndsAt = None
    decide_by: DecideBy = None
    coin_policy: PolicyWrite = PolicyWrite()
    copy_of: Id | None = Field(
        None, description="the campaign whose settings and coin policy are used for omitted fields"
    )
    is_follow_up: bool = Field(default=False, description="the new campaign continues the one in copy_of")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.is_follow_up and self.copy_of is None:
            msg = "is_follow_up requires copy_of"
            raise ValueError(msg)
        if self.copy_of is None:
            check_money(self)
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
    """The fields to change. Omitted fields are not changed; null removes an amount, a number or a date."""

    title: Title = required()
    slug: Annotated[Slug, Field(description="only of a draft")] = required()
    description: Description = required()
    kind: Kind = required()
    goal: Goal = required()
    is_mediated: IsMediated = required()
    anonymous_ideas: Annotated[
        AnonymousIdeas, Field(description="of new ideas; ideas that were submitted anonymously stay anonymous")
    ] = required()
    visibility: Visibility = required()
    join_policy: JoinPolicy = required()
    budget_amount: PositiveAmount | None = None
    running_cost_amount: RunningCost = None
    currency: Annotated[Currency | None, Field(description="only of a draft")] = None
    eligible_people: EligiblePeople = None
    locale: Locale = required()
    time_zone: TimeZone = required()
    starts_at: StartsAt = None
    submissions_close_at: SubmissionsCloseAt = None
    ends_at: EndsAt = None
    decide_by: DecideBy = None


class StageRead(ResponseModel):
    """A stage of a campaign; its dates follow from those of the campaign and of its coin policy."""

    name: Stored[StageName]
    opens_at: datetime | None = Field(description="first moment; null: no date is set")
    closes_at: datetime | None = Field(description="last moment; null: no date is set")


class CampaignRead(ResponseModel):
    """A campaign, and the caller's role in it."""

    id: UUID
    slug: str
    title: str
    description: str
    status: Stored[CampaignStatus]
    origin: Stored[Literal["native", "imported"]]
    kind: str
    goal: str
    visibility: str
    join_policy: str
    is_mediated: bool
    anonymous_ideas: AnonymousIdeas
    budget_amount: Decimal | None
    currency: str | None
    running_cost_amount: Decimal | None
    eligible_people: int | None
    locale: str
    time_zone: str
    copied_from_id: UUID | None
    follows_id: UUID | None = Field(description="the campaign that this one continues")
    starts_at: datetime | None
    submissions_close_at: datetime | None
    ends_at: datetime | None
    decide_by: datetime | None
    activated_at: datetime | None
    paused_at: datetime | None
    completed_at: datetime | None
    created_at: datetime
    version: int = Field(description="raised by each change of the campaign")
    my_role: Stored[Role] | None = None

    @field_serializer("budget_amount", "running_cost_amount")
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
    attributes: dict[str, str | int] = Field(description="numbers are only in imported elections")


class Joining(Schema):
    """What a person says about themselves when they join or accept an invitation."""

    attributes: Attributes = Field({}, description="values of the attributes that the campaign asks for, by key")


class MemberAdd(Schema):
    """The user to add, by the e-mail address of their account, with their role and groups.

    For a user who is a member already, omitted fields are not changed.
    """

    email: Annotated[Line, Field(max_length=254)]
    role: Role = "member"
    attributes: Attributes = Field({})


class Money(Protocol):
    """The amounts of a campaign, and their currency."""

    @property
    def budget_amount(self) -> Decimal | None:
        """What the accepted ideas may cost together."""

    @property
    def running_cost_amount(self) -> Decimal | None:
        """What the campaign itself costs."""

    @property
    def currency(self) -> str | None:
        """The ISO 4217 code of both."""


def check_money(money: Money) -> None:
    """Check that amounts have a currency, and no more decimals than it.

    Raises:
        ValueError: an amount does not.
    """
    for name in ("budget_amount", "running_cost_amount"):
        amount = getattr(money, name)
        if amount is not None and money.currency is None:
            msg = f"{name} requires a currency"
            raise ValueError(msg)
        if amount is not None and money.currency is not None:
            check_decimals(amount, money.currency)


class BrowserSession(ResponseModel):
    """The user who is logged in in this browser, and the campaigns whose figures they may see."""

    user_id: UUID
    display_name: str
    roles: list[str]
    managed_campaign_ids: list[UUID]


def as_read(campaign: Any, role: str | None) -> CampaignRead:
    """The response for a campaign, with the caller's role in it."""
    return CampaignRead.model_validate(campaign).model_copy(update={"my_role": role})
