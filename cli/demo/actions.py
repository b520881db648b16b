"""Actions of the demo plan, each with its time; `run.py` executes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from cli.demo.content import CampaignText, IdeaText
from cli.demo.people import Person


@dataclass(frozen=True, slots=True)
class Action:
    """An action in a campaign (by its slug) at a time."""

    at: datetime
    campaign: str


@dataclass(frozen=True, slots=True)
class Create(Action):
    """The manager creates the draft of the campaign."""


@dataclass(frozen=True, slots=True)
class Activate(Action):
    """The manager activates the campaign."""


@dataclass(frozen=True, slots=True)
class Complete(Action):
    """The manager completes the campaign: undecided ideas are not selected, and all coins expire."""


@dataclass(frozen=True, slots=True)
class Join(Action):
    """A person joins or rejoins the campaign."""

    person: Person


@dataclass(frozen=True, slots=True)
class Leave(Action):
    """A member leaves; the wallet is frozen."""

    person: Person


@dataclass(frozen=True, slots=True)
class Submit(Action):
    """A member submits an idea."""

    person: Person
    idea: IdeaText


@dataclass(frozen=True, slots=True)
class Edit(Action):
    """The author edits an idea that is waiting for approval."""

    person: Person
    idea: str
    description: str


@dataclass(frozen=True, slots=True)
class Step(Action):
    """A status change of an idea, by its author (`person`) if it is withdrawn, otherwise by the manager (None)."""

    person: Person | None
    idea: str
    to: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Value(Action):
    """The manager records a cost or value of an idea, in the campaign's currency."""

    idea: str
    kind: str
    amount: int
    valued_on: date
    source: str


@dataclass(frozen=True, slots=True)
class CoinMove:
    """A person moves coins from an idea to an idea; None is the wallet."""

    person: Person
    from_idea: str | None
    to_idea: str | None
    coins: int


@dataclass(frozen=True, slots=True)
class Moves(Action):
    """Coin movements within a quarter of an hour; movements of one person are in order."""

    moves: tuple[CoinMove, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """All actions until the start of `today` (midnight UTC), sorted by time."""

    today: date
    campaigns: tuple[CampaignText, ...]
    actions: tuple[Action, ...]
