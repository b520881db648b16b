"""What somebody does at a moment of the story. The plan is a list of these; `run.py` carries them out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from cli.demo.content import CampaignText, IdeaText
from cli.demo.people import Person


@dataclass(frozen=True, slots=True)
class Action:
    """Something that is done in a campaign (by its slug) at a moment."""

    at: datetime
    campaign: str


@dataclass(frozen=True, slots=True)
class Create(Action):
    """The manager drafts the campaign."""


@dataclass(frozen=True, slots=True)
class Activate(Action):
    """The manager opens it."""


@dataclass(frozen=True, slots=True)
class Complete(Action):
    """The manager ends it; what nobody decided is not selected, and every coin expires."""


@dataclass(frozen=True, slots=True)
class Join(Action):
    """A person becomes a member, or a member again."""

    person: Person


@dataclass(frozen=True, slots=True)
class Leave(Action):
    """A member goes; the wallet is frozen."""

    person: Person


@dataclass(frozen=True, slots=True)
class Submit(Action):
    """A member submits an idea."""

    person: Person
    idea: IdeaText


@dataclass(frozen=True, slots=True)
class Edit(Action):
    """The author rewrites an idea that still waits."""

    person: Person
    idea: str
    description: str


@dataclass(frozen=True, slots=True)
class Step(Action):
    """An idea's status changes: by its author (`person`) when withdrawn, else by the manager (None)."""

    person: Person | None
    idea: str
    to: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Value(Action):
    """The manager notes what an idea costs or returns, in the campaign's currency."""

    idea: str
    kind: str
    amount: int
    valued_on: date
    source: str


@dataclass(frozen=True, slots=True)
class CoinMove:
    """Coins of a person from an idea (None: the wallet) to an idea (None: the wallet)."""

    person: Person
    from_idea: str | None
    to_idea: str | None
    coins: int


@dataclass(frozen=True, slots=True)
class Moves(Action):
    """Movements within one quarter of an hour; those of one person are in their order."""

    moves: tuple[CoinMove, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole story up to the midnight (UTC) in which `today` begins, in the order of time."""

    today: date
    campaigns: tuple[CampaignText, ...]
    actions: tuple[Action, ...]
