"""The content of the demo, read from `content/*.toml`: the company, its people, and its campaigns with their ideas.

Days are counted from a campaign's first Monday. Amounts are whole units of the campaign's currency.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

FOLDER = Path(__file__).parent / "content"
CAMPAIGN_FILES = ("waste_less", "easy_repair", "better_shift", "next_range")
ELSEWHERE = "Elsewhere"

Title = Annotated[str, Field(min_length=5, max_length=200)]
Description = Annotated[str, Field(min_length=20, max_length=20_000)]


class _Text(BaseModel):
    """A part of a content file; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AccountText(_Text):
    """An account that can log in; managers have the department and the site of their membership."""

    key: str
    name: str
    role: Literal["system admin", "executive", "data engineer", "manager", "member"]
    department: str | None = None
    site: str | None = None
    password: str = Field(min_length=12)


class CompanyText(_Text):
    """The fictitious company."""

    name: str
    about: str
    domain: str = Field(pattern=r"\.example$")
    sites: tuple[str, ...]
    accounts: tuple[AccountText, ...]


class StepText(_Text):
    """A change of an idea's status, with the reason shown to its author."""

    day: int
    to: Literal["competing", "accepted", "in_progress", "complete", "stopped", "rejected", "withdrawn"]
    reason: str | None = None


class ValuationText(_Text):
    """A cost or value of an idea, with source and day of recording."""

    kind: Literal["expected_cost", "realised_cost", "expected_value", "realised_value"]
    amount: int
    day: int
    source: str


class EditText(_Text):
    """A new description of an idea that is waiting for approval."""

    day: int
    description: Description


class IdeaText(_Text):
    """An idea; `appeal` (1 to 10) and `liked_by` (departments) determine how many coins it gets.

    `same_as` (campaign/key) refers to an earlier idea with the same content in a different wording.
    """

    key: str
    same_as: str | None = None
    title: Title
    description: Description
    by: str
    site: str | None = None
    author: str | None = None
    category: str
    tags: tuple[str, ...] = Field(min_length=1, max_length=10)
    appeal: int = Field(ge=1, le=10)
    liked_by: tuple[str, ...]
    day: int
    steps: tuple[StepText, ...] = ()
    values: tuple[ValuationText, ...] = ()
    edits: tuple[EditText, ...] = ()


class PolicyText(_Text):
    """The fields of the coin policy that differ from the default."""

    coins_per_member: int
    coins_per_allocation_min: int
    coins_per_member_and_idea_max: int | None = None


class CampaignHeader(_Text):
    """A campaign; `today_on_day` is the day of the campaign on which the demo is created, or up to six days earlier."""

    slug: str
    title: str
    description: str
    manager: str
    today_on_day: int
    is_mediated: bool = False
    visibility: Literal["open", "members"] = "open"
    join_policy: Literal["open", "by_manager"] = "open"
    only_site: str | None = None
    budget_amount: int
    currency: str
    eligible_people: int
    submissions_close_on_day: int
    allocate_until_day: int
    complete_on_day: int | None = None
    ends_on_day: int | None = None
    policy: PolicyText


class CampaignText(_Text):
    """The file of one campaign."""

    campaign: CampaignHeader
    ideas: tuple[IdeaText, ...]


@cache
def load_company() -> CompanyText:
    """The company and its log-ins."""
    return CompanyText.model_validate(_read("company"))


@cache
def load_people() -> dict[str, dict[str, list[str]]]:
    """Names by department and site (:data:`ELSEWHERE` where the site is not recorded)."""
    people: dict[str, dict[str, list[str]]] = _read("people")
    return people


@cache
def load_campaigns() -> tuple[CampaignText, ...]:
    """The campaigns, sorted by start."""
    return tuple(CampaignText.model_validate(_read(name)) for name in CAMPAIGN_FILES)


def _read(name: str) -> dict[str, dict[str, list[str]]]:
    return tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
