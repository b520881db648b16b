"""Rows of the marts as typed records: ids are UUIDs as text, times are aware and in UTC, money is Decimal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path


class Period(StrEnum):
    """The period of a figure; imported elections have only `TO_DATE`."""

    TO_DATE = "to_date"
    LAST_30_DAYS = "last_30_days"
    PREVIOUS_30_DAYS = "previous_30_days"

    @property
    def before(self) -> Period | None:
        """The previous period of equal length, if there is one."""
        return Period.PREVIOUS_30_DAYS if self is Period.LAST_30_DAYS else None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A published snapshot: a complete set of marts."""

    id: str
    created_at: datetime
    folder: Path

    @property
    def database(self) -> Path:
        """The DuckDB file."""
        return self.folder / "marts.duckdb"

    @property
    def exports_dir(self) -> Path:
        """The folder of all snapshots."""
        return self.folder.parent


@dataclass(frozen=True, slots=True)
class Campaign:
    """A row of dim_campaigns. In an imported campaign `members` counts the voters.

    `members` and `participants` are None if there are too few. If the campaign `is_suppressed`, the marts contain neither
    its coins nor its groups, and the organisation's figures do not count it. `accepted_ideas` are the winners of an
    election, None if the file does not state them; `accepted_cost` is the expected cost of those whose cost is known, in
    the campaign's currency. `chain_height`, `chain_hash` (hexadecimal) and `chain_sealed_at` are the head of the ledger's chain, None if
    nothing is sealed yet.
    """

    campaign_id: str
    slug: str
    title: str
    status: str
    origin: str
    is_mediated: bool
    ballot_type: str | None
    country: str | None
    unit: str | None
    currency: str | None
    budget_amount: Decimal | None
    eligible_people: int | None
    coins_per_member: int | None
    starts_at: datetime | None
    submissions_close_at: datetime | None
    ends_at: datetime | None
    activated_at: datetime | None
    completed_at: datetime | None
    created_at: datetime
    chain_height: int | None
    chain_hash: str | None
    chain_sealed_at: datetime | None
    members: int | None
    participants: int | None
    ideas: int
    accepted_ideas: int | None
    accepted_ideas_with_cost: int | None
    accepted_cost: Decimal | None
    has_times: bool
    is_suppressed: bool

    @property
    def is_imported(self) -> bool:
        """Whether it was imported from an election's file, which contains only voters and no times."""
        return self.origin == "imported"


@dataclass(frozen=True, slots=True)
class Measure:
    """The measurement of a figure over a period. `value` is None when it is unknown; `unknown_reason` then states why.

    `value` of a percent or ratio is a fraction (0.25 is 25%); `coverage` is the fraction of the figure's subjects that
    the data covers.
    """

    starts_on: date | None
    ends_on: date | None
    numerator: float | None
    denominator: float | None
    value: float | None
    coverage: float | None
    unknown_reason: str | None


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of dim_figures with its definition, its measurement, and the measurement of the period before."""

    name: str
    question: str
    question_order: int
    figure_order: int
    title: str
    unit: str
    definition: str
    better: str
    currency: str | None
    period: Period
    now: Measure
    before: Measure | None

    @property
    def change(self) -> float | None:
        """The value minus the previous value, in the figure's unit; None if either is unknown."""
        if self.before is None or self.now.value is None or self.before.value is None:
            return None
        return self.now.value - self.before.value
