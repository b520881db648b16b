"""The life cycle of a campaign: its statuses, its phase at a moment, and the commands that each phase allows.

The status is stored. The phase follows from the status, the dates and the time, so that a date takes effect exactly,
also before the worker has stored the new status:

    status      dates                      phase
    draft       any                        draft
    active      before starts_at           upcoming
    active      from starts_at to ends_at  open (both moments included)
    active      after ends_at              closed; the worker stores the status closed within seconds
    closed      after ends_at              closed
    completed   any                        completed
    archived    any                        archived
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


class CampaignStatus(StrEnum):
    """The stored status."""

    DRAFT = "draft"
    ACTIVE = "active"
    CLOSED = "closed"
    COMPLETED = "completed"
    ARCHIVED = "archived"


class Phase(StrEnum):
    """The phase of a campaign at a moment."""

    DRAFT = "draft"
    UPCOMING = "upcoming"
    OPEN = "open"
    CLOSED = "closed"
    COMPLETED = "completed"
    ARCHIVED = "archived"


class Command(StrEnum):
    """A command that depends on the phase of the campaign; the value completes "one can ... while"."""

    ACTIVATE = "activate it"
    COMPLETE = "complete it"
    ARCHIVE = "archive it"
    CHANGE_DATES = "change its dates"
    JOIN = "join it"
    ADD_MEMBER = "add members"
    GRANT_COINS = "grant and correct coins"
    SUBMIT_IDEA = "submit ideas"
    WITHDRAW_IDEA = "withdraw ideas"
    APPROVE_IDEA = "approve ideas"
    DECIDE_IDEA = "accept and reject ideas"  # includes the undo of an acceptance
    COMMENT = "comment on ideas"  # includes notes, edits and official answers


_RUNNING = frozenset({Phase.UPCOMING, Phase.OPEN})
_UNDECIDED = _RUNNING | {Phase.CLOSED}

ALLOWED: Mapping[Command, frozenset[Phase]] = MappingProxyType(
    {
        Command.ACTIVATE: frozenset({Phase.DRAFT}),
        Command.COMPLETE: _UNDECIDED,
        Command.ARCHIVE: frozenset({Phase.DRAFT, Phase.COMPLETED}),
        Command.CHANGE_DATES: _UNDECIDED | {Phase.DRAFT},
        Command.JOIN: _RUNNING,
        Command.ADD_MEMBER: _RUNNING | {Phase.DRAFT},
        Command.GRANT_COINS: _UNDECIDED | {Phase.DRAFT},
        Command.SUBMIT_IDEA: frozenset({Phase.OPEN}),
        Command.WITHDRAW_IDEA: frozenset({Phase.OPEN}),
        Command.APPROVE_IDEA: _RUNNING,
        Command.DECIDE_IDEA: _UNDECIDED,
        Command.COMMENT: _UNDECIDED | {Phase.COMPLETED},
    }
)
"""The phases that allow each command. The ledger decides on movements of coins; its window is the phase open."""

TARGETS: Mapping[Command, CampaignStatus] = MappingProxyType(
    {
        Command.ACTIVATE: CampaignStatus.ACTIVE,
        Command.COMPLETE: CampaignStatus.COMPLETED,
        Command.ARCHIVE: CampaignStatus.ARCHIVED,
    }
)
"""The status after a command. Only the worker sets the status closed; a later `ends_at` sets it back to active."""


def phase_at(status: str, starts_at: datetime | None, ends_at: datetime | None, moment: datetime) -> Phase:
    """The phase of a campaign with this status and these dates at a moment."""
    if status != CampaignStatus.ACTIVE:
        return Phase(status)
    if ends_at is not None and moment > ends_at:
        return Phase.CLOSED
    return Phase.UPCOMING if starts_at is not None and moment < starts_at else Phase.OPEN


def statuses_with(command: Command) -> list[str]:
    """The stored statuses in which a command can be allowed, for rules that do not depend on the dates."""
    by_status = {CampaignStatus.ACTIVE: {Phase.UPCOMING, Phase.OPEN, Phase.CLOSED}}
    return [status for status in CampaignStatus if (by_status.get(status) or {Phase(status)}) <= ALLOWED[command]]


def next_statuses(phase: Phase) -> list[str]:
    """The statuses that a manager can take a campaign to in this phase."""
    return [target for command, target in TARGETS.items() if phase in ALLOWED[command]]
