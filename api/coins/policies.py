"""The coin policy of a campaign: its fields with their limits, and a stored version of them. All amounts are whole coins."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from api.coins.schemas import COINS_MAX
from api.kernel.dates import Moment
from api.kernel.schemas import ResponseModel, Schema, Stored

TOTAL_MAX = 1_000_000_000_000
COOLDOWN_MAX_S = 30 * 24 * 3600

Audience = Literal["self", "managers", "members"]
AtEnd = Literal["expire"]
LateGrant = Literal["full", "pro_rata", "none"]
DecisionMode = Literal["rolling", "at_close"]
ReturnedCoins = Literal["reuse", "expire"]

_DATES = {"allocation_opens_at", "allocate_until", "take_back_until", "author_withdraw_until"}


class PolicyWrite(Schema):
    """The coin policy of one campaign. All fields but those that say otherwise are frozen once the first stake exists."""

    coins_per_member: Annotated[int, Field(ge=1, le=COINS_MAX)] = Field(
        100, description="the grant of each member; frozen once the first grant exists"
    )
    late_grant: LateGrant = Field(
        "full",
        description="what members get who join after allocation_opens_at: all coins, none, or with pro_rata the part of the time "
        "until allocate_until that is left, rounded up",
    )
    coins_per_allocation_min: Annotated[int, Field(ge=1, le=COINS_MAX)] = 1
    coins_per_member_and_idea_max: Annotated[int, Field(ge=1, le=COINS_MAX)] | None = Field(
        None, description="the most coins that a member may have on one idea"
    )
    coins_per_member_and_idea_max_percent: Annotated[int, Field(ge=1, le=100)] | None = Field(
        None, description="the same in percent of coins_per_member, rounded down; only one of the two"
    )
    own_ideas: bool = False
    take_back: bool = True
    take_back_until: Moment | None = Field(
        None, description="until when coins can be taken back; null: the end of allocation"
    )
    move_cooldown_s: Annotated[int, Field(ge=0, le=COOLDOWN_MAX_S)] = Field(
        0, description="how long the coins of a member stay on an idea after each movement to or from it, in seconds"
    )
    allocation_opens_at: Moment | None = None
    allocate_until: Moment | None = Field(None, description="may be extended at any time")
    decision_mode: DecisionMode = Field(
        "rolling", description="when ideas are accepted: at any time, or only after the end of allocation"
    )
    accept_threshold_coins: Annotated[int, Field(ge=1, le=TOTAL_MAX)] | None = Field(
        None, description="how many coins an idea needs to be accepted"
    )
    backers_min: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        0, description="how many members must have coins on an idea that is accepted; 0: managers may accept any"
    )
    returned_coins: ReturnedCoins = Field(
        "reuse", description="coins of rejected and withdrawn ideas go back to their wallets, or expire"
    )
    author_withdraw_until: Moment | None = Field(
        None,
        description="until when authors can withdraw ideas that are open for coins; null: until the idea is decided",
    )
    undo_window_h: Annotated[int, Field(ge=0, le=8760)] = Field(
        168, description="how long an acceptance can be undone, in hours"
    )
    grace_h: Annotated[int, Field(ge=0, le=720)] = Field(
        24,
        description="how long the backers of an idea may take their coins back after a material edit, in hours, whatever the "
        "other fields say; no decision on the idea is possible before it ends. 0: not at all",
    )
    at_end: AtEnd = "expire"
    stakes_visible_to: Audience = Field(
        "self",
        description="who may see which member has coins on which idea: only the member (self), also the campaign's managers "
        "(managers), or all its members (members). Members rely on it when they allocate coins: after the first stake it "
        "may be narrowed, but not widened",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for msg, is_wrong in (
            (
                "coins_per_allocation_min is more than coins_per_member, so no member could allocate",
                self.coins_per_allocation_min > self.coins_per_member,
            ),
            (
                "give coins_per_member_and_idea_max or coins_per_member_and_idea_max_percent, not both",
                None not in (self.coins_per_member_and_idea_max, self.coins_per_member_and_idea_max_percent),
            ),
            (
                "coins_per_member_and_idea_max is less than coins_per_allocation_min, so no member could allocate",
                (self.coins_per_member_and_idea_max or COINS_MAX) < self.coins_per_allocation_min,
            ),
            (
                "coins_per_member_and_idea_max_percent is less than coins_per_allocation_min, so no member could allocate",
                self.coins_per_member * (self.coins_per_member_and_idea_max_percent or 100) // 100
                < self.coins_per_allocation_min,
            ),
            (
                "allocation_opens_at is not before allocate_until",
                self.allocation_opens_at and self.allocate_until and self.allocation_opens_at >= self.allocate_until,
            ),
            (
                "take_back_until needs take_back",
                self.take_back_until and not self.take_back,
            ),
            (
                "late_grant needs allocation_opens_at, after which members are late",
                self.late_grant != "full" and self.allocation_opens_at is None,
            ),
            (
                "late_grant pro_rata needs allocate_until, since it is a part of the time until then",
                self.late_grant == "pro_rata" and self.allocate_until is None,
            ),
        ):
            if is_wrong:
                raise ValueError(msg)
        return self


def idea_max_coins(policy: PolicyWrite | PolicyRead) -> int | None:
    """The most coins that a member may have on one idea, also if the policy says it in percent; as `app.coins_idea_max`."""
    percent = policy.coins_per_member_and_idea_max_percent
    return policy.coins_per_member * percent // 100 if percent else policy.coins_per_member_and_idea_max


class PolicyRead(ResponseModel):
    """A stored version of the policy, without the limits of a request: a later version may store other values."""

    version: int
    coins_per_member: int
    late_grant: Stored[LateGrant]
    coins_per_allocation_min: int
    coins_per_member_and_idea_max: int | None
    coins_per_member_and_idea_max_percent: int | None
    own_ideas: bool
    take_back: bool
    take_back_until: datetime | None
    move_cooldown_s: int = Field(description="how long coins stay on an idea after each movement, in seconds")
    allocation_opens_at: datetime | None
    allocate_until: datetime | None
    decision_mode: Stored[DecisionMode]
    accept_threshold_coins: int | None = Field(description="how many coins an idea needs to be accepted")
    backers_min: int = Field(description="how many members must have coins on an idea that is accepted")
    returned_coins: Stored[ReturnedCoins]
    author_withdraw_until: datetime | None
    undo_window_h: int = Field(description="how long an acceptance can be undone, in hours")
    grace_h: int = Field(description="how long backers may take coins back after a material edit, in hours")
    at_end: Stored[AtEnd]
    stakes_visible_to: Stored[Audience] = Field(description="who may see which member has coins on which idea")
    created_at: datetime
    created_by: UUID | None
    created_by_name: str | None = None

    def without_dates(self) -> PolicyWrite:
        """The same rules for another campaign: its dates are others, and `late_grant`, which needs them, is the default."""
        rules = self.model_dump(include=set(PolicyWrite.model_fields) - _DATES)
        return PolicyWrite(**rules | {"late_grant": "full"})

    @property
    def shows_stakes_to_managers(self) -> bool:
        """Whether managers may see the stakes and wallets of members; not with a value that only a later version knows."""
        return self.stakes_visible_to in {"managers", "members"}
