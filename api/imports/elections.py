"""The parsed and checked content of an election file, as frozen dataclasses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import StrEnum
from functools import cached_property

from api.imports.errors import Fault

COINS_MAX = 1_000_000_000


class BallotKind(StrEnum):
    """The kind of vote, which determines how ballots become coins (see `api.imports.ballots`)."""

    APPROVAL = "approval"
    CUMULATIVE = "cumulative"
    SCORING = "scoring"
    ORDINAL = "ordinal"


@dataclass(frozen=True, slots=True)
class Defaults:
    """Values for what a file leaves out; a value in the file has precedence. `date` is a day or a year."""

    country: str | None = None
    unit: str | None = None
    instance: str | None = None
    date: str | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """Limits of a ballot; None if the file sets no such limit.

    Lengths are numbers of ideas on a ballot; points apply to one idea, sums to a ballot; costs are amounts of money.
    """

    min_length: int
    max_length: int
    min_points: int | None = None
    max_points: int | None = None
    min_sum_points: int | None = None
    max_sum_points: int | None = None
    min_sum_cost: Decimal | None = None
    max_sum_cost: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Project:
    """A row of PROJECTS. `votes` and `score` are the published result; a value that the file does not contain is None."""

    line: int
    ref: str
    title: str
    description: str
    cost: Decimal | None
    categories: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    latitude: float | None = None
    longitude: float | None = None
    selected: int | None = None
    votes: int | None = None
    score: int | None = None


@dataclass(frozen=True, slots=True)
class Ballot:
    """A row of VOTES: `named` are ideas and coins in the order of the ballot; an idea may occur twice."""

    line: int
    voter_ref: str
    named: tuple[tuple[str, int], ...]
    attributes: Mapping[str, str | int]

    @property
    def allocations(self) -> dict[str, int]:
        """Coins by idea, at least 1 each: an idea that is named twice gets one allocation of the sum."""
        coins: dict[str, int] = {}
        for ref, points in self.named:
            coins[ref] = coins.get(ref, 0) + points
        return {ref: points for ref, points in coins.items() if points}


@dataclass(frozen=True)
class Election:
    """A complete and checked file.

    `meta` has keys in lower case and includes `supplied`, the values that the file leaves out. `irregular` describes the
    ballots that violate a limit of the file; they are among `ballots` if `irregular_counted`, as in the published totals.
    `differences` are totals of the file that differ from its rows and that the caller accepted.
    """

    file_name: str
    sha256: bytes
    meta: Mapping[str, str]
    kind: BallotKind
    budget: Decimal | None
    first_day: date
    last_day: date
    rules: Rules
    projects: tuple[Project, ...]
    ballots: tuple[Ballot, ...]
    has_outcome: bool
    supplied: Mapping[str, str] = field(default_factory=dict)
    irregular: tuple[Fault, ...] = ()
    irregular_counted: bool = True
    differences: tuple[Fault, ...] = ()

    @property
    def begins_at(self) -> datetime:
        """00:00 UTC of the first day."""
        return datetime.combine(self.first_day, time(), UTC)

    @property
    def counted_at(self) -> datetime:
        """12:00 UTC of the last day: the time of every allocation, since files contain no times."""
        return datetime.combine(self.last_day, time(12), UTC)

    @property
    def ends_at(self) -> datetime:
        """23:59:59 UTC of the last day."""
        return datetime.combine(self.last_day, time(23, 59, 59), UTC)

    @cached_property
    def coins_per_member(self) -> int:
        """`max_sum_points` if the file states it, otherwise the greatest sum on a ballot; at least 1."""
        if self.rules.max_sum_points is not None:
            return self.rules.max_sum_points
        return max((sum(coins for _, coins in ballot.named) for ballot in self.ballots), default=1) or 1

    @cached_property
    def times_named(self) -> Counter[str]:
        """How often ballots name each idea: Pabulib's `votes`."""
        return Counter(ref for ballot in self.ballots for ref, _ in ballot.named)

    @cached_property
    def coins(self) -> Counter[str]:
        """The sum of coins on each idea: Pabulib's `score`."""
        total: Counter[str] = Counter()
        for ballot in self.ballots:
            for ref, coins in ballot.named:
                total[ref] += coins
        return total
