"""Request and response models of ideas."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, field_serializer, model_validator

from api.campaigns.schemas import CampaignRead
from api.ideas.labels import IDEA_TAGS_MAX
from api.ideas.locations import Location
from api.ideas.steps import Status
from api.ideas.texts import DESCRIPTION_LENGTH_MAX, DESCRIPTION_LENGTH_MIN, TITLE_LENGTH_MAX, TITLE_LENGTH_MIN
from api.kernel.dates import Day
from api.kernel.money import Amount, AmountText, Currency, check_decimals, format_amount
from api.kernel.schemas import Edit, Page, ResponseModel, Schema, Stored, required
from api.kernel.texts import Line, Prose

Title = Annotated[Line, Field(min_length=TITLE_LENGTH_MIN, max_length=TITLE_LENGTH_MAX)]
Description = Annotated[Prose, Field(min_length=DESCRIPTION_LENGTH_MIN, max_length=DESCRIPTION_LENGTH_MAX)]
DraftTitle = Annotated[Line, Field(min_length=1, max_length=TITLE_LENGTH_MAX)]
DraftDescription = Annotated[Prose, Field(max_length=DESCRIPTION_LENGTH_MAX)]
Tag = Annotated[Line, Field(min_length=1, max_length=50)]
Reason = Annotated[Prose, Field(min_length=3, max_length=2_000)]
ReasonCode = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,49}$")]
ValuationKind = Literal["expected_cost", "realised_cost", "expected_value", "realised_value"]


IsAnonymous = Annotated[
    bool,
    Field(
        description="whether other members, observers and visitors do not see who the author is, if the campaign's "
        "anonymous_ideas allows it; moderators and managers of the campaign and administrators see it. Fixed by the submission"
    ),
]


class IdeaSubmit(Schema):
    """A new idea."""

    title: Title
    description: Description
    category: Tag | None = None
    tags: Annotated[list[Tag], Field(max_length=IDEA_TAGS_MAX, default_factory=list)]
    location: Location | None = None
    is_anonymous: IsAnonymous = False


class IdeaDraft(Schema):
    """A new draft of an idea; only the title is required."""

    title: DraftTitle
    description: DraftDescription = ""
    category: Tag | None = None
    tags: Annotated[list[Tag], Field(max_length=IDEA_TAGS_MAX, default_factory=list)]
    location: Location | None = None
    is_anonymous: IsAnonymous = False


class IdeaEdit(Edit):
    """The fields of an idea's text to change. Omitted fields are not changed; null removes the category or the location.

    A draft may be shorter than a submitted idea.
    """

    title: DraftTitle = required()
    description: DraftDescription = required()
    category: Tag | None = None
    tags: Annotated[list[Tag], Field(max_length=IDEA_TAGS_MAX)] = required()
    location: Location | None = None
    is_anonymous: IsAnonymous = required()
    reason: Reason | None = Field(
        None,
        description="why the text changes; managers give one for the idea of another person, and for a material edit",
    )
    is_material: bool = Field(
        default=False,
        description="for managers: the edit changes what backers have put coins on, so they may take them back for grace_h of "
        "the coin policy. An edit that changes nothing is not marked",
    )

    @property
    def text_changes(self) -> dict[str, Any]:
        """The given fields of the text by name."""
        return {name: value for name, value in self.changes.items() if name not in {"reason", "is_material"}}


class IdeaStep(Schema):
    """The new status of the idea, and the reason for it."""

    status: Literal["pending", "competing", "rejected", "withdrawn", "accepted", "in_progress", "complete", "stopped"]
    reason: Reason | None = None
    reason_code: ReasonCode | None = Field(
        None, description="of a rejection: one of the campaign's reasons; by default other"
    )


class IdeaRead(ResponseModel):
    """An idea with its coins and the caller's stake."""

    id: UUID
    campaign_id: UUID
    author_id: UUID | None = Field(description="null if the idea has no author, or is anonymous and I may not see them")
    author_name: str | None = None
    is_anonymous: bool = Field(description="only its author, moderators, managers and administrators see the author")
    title: str
    description: str
    status: Stored[Status]
    reason: str | None
    reason_code: str | None = Field(description="of a rejected idea: one of the reasons of the campaign")
    category: list[str]
    tags: list[str]
    coins: int = Field(description="on the idea now, or just before it was settled")
    backers: int
    is_settling: bool = Field(description="closed, and its coins are still being returned to the wallets")
    my_stake_coins: int = Field(description="my coins on the idea now, or just before it was settled")
    source_ref: str | None
    latitude: float | None
    longitude: float | None
    version: int
    submitted_at: datetime = Field(description="of a draft: when it was created")
    status_changed_at: datetime
    next_statuses: list[Status] = Field(
        description="statuses that I can give it now, by my role, the dates of the campaign and its undo window"
    )


class ChangeRequestRead(ResponseModel):
    """A request to the author to change a pending idea, which waits until the author edits it."""

    text: str
    requested_at: datetime
    requested_by: UUID | None
    requested_by_name: str | None = None


class IdeaDetail(IdeaRead):
    """A single idea, with what lists leave out."""

    description_html: str = Field(description="the description, which is Markdown, as safe HTML; without pictures")
    grace_until: datetime | None = Field(
        description="until when backers may take their coins back after a material edit, and no decision is possible; null if "
        "that is not so now"
    )
    resubmitted_from_id: UUID | None = Field(description="the rejected or withdrawn idea that this one submits again")
    resubmitted_as_id: UUID | None = Field(description="the idea that submits this one again, if I may see it")
    merged_into_id: UUID | None = Field(description="of a merged idea: the one that it was merged into")
    merged_ids: list[UUID] = Field(
        description="the ideas that were merged into this one, of those that I may see; their comments and files stay with them"
    )
    change_request: ChangeRequestRead | None = Field(
        description="what the author is asked to change, while it is pending"
    )


class IdeaPage(Page[IdeaRead]):
    """A page of a list of ideas."""

    totals_as_of: datetime = Field(
        description="time of the totals of coins and backers in this list: at most 2 s ago, unless a long "
        "command delays the background aggregation. The totals of a single idea are exact"
    )
    total: int = Field(description="number of ideas in the whole list, with its filters")


class CompletionEffects(ResponseModel):
    """What the completion of a campaign changes."""

    ideas: int = Field(description="undecided ideas, which become not_selected")
    coins: int = Field(description="coins in wallets and on undecided ideas, which expire")
    members: int = Field(description="members who have some of these coins")


class CampaignCompletion(CampaignRead):
    """The completed campaign, and what its completion changes."""

    effects: CompletionEffects


class ValuationWrite(Schema):
    """A cost or a return of an idea, as known on a day."""

    kind: ValuationKind
    amount: Amount
    currency: Currency
    valued_on: Day
    source: Annotated[Line, Field(min_length=1, max_length=500)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        check_decimals(self.amount, self.currency)
        if self.kind.endswith("_cost") and self.amount < 0:
            msg = "a cost must not be negative; record income as a value"
            raise ValueError(msg)
        return self


class ValuationRead(ResponseModel):
    """A valuation, with the user who recorded it and the time."""

    id: UUID
    kind: Stored[ValuationKind]
    amount: Decimal
    currency: str
    valued_on: date
    source: str
    recorded_at: datetime
    recorded_by: UUID | None
    recorded_by_name: str | None = None

    @field_serializer("amount")
    def _as_text(self, amount: Decimal) -> AmountText:
        return format_amount(amount, self.currency)
