"""The life cycle of a campaign: its statuses, its phase at a moment, and the commands that each phase allows.

The status is stored. The phase follows from the status, the dates and the time, so that a date takes effect exactly,
also before the worker has stored the new status:

    status      dates                      phase
    draft       any                        draft
    active      before starts_at           upcoming
    active      from starts_at to ends_at  open (both moments included)
    active      after ends_at              closed; the worker stores the status closed within seconds
    paused      not after ends_at          paused
    paused      after ends_at              closed, as above
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
    PAUSED = "paused"
    CLOSED = "closed"
    COMPLETED = "completed"
    ARCHIVED = "archived"


class Phase(StrEnum):
    """The phase of a campaign at a moment."""

    DRAFT = "draft"
    UPCOMING = "upcoming"
    OPEN = "open"
    PAUSED = "paused"
    CLOSED = "closed"
    COMPLETED = "completed"
    ARCHIVED = "archived"


class Command(StrEnum):
    """A command that depends on the phase of the campaign; the value completes "one can ... while"."""

    ACTIVATE = "activate it"
    PAUSE = "pause it"
    RESUME = "resume it"
    COMPLETE = "complete it"
    ARCHIVE = "archive it"
    DELETE = "delete it"
    EDIT = "edit it"
    JOIN = "join it"
    ADD_MEMBER = "add members"
    GRANT_COINS = "grant and correct coins"
    DRAFT_IDEA = "begin drafts of ideas"
    SUBMIT_IDEA = "submit ideas"
    WITHDRAW_IDEA = "withdraw ideas"
    APPROVE_IDEA = "approve ideas"
    DECIDE_IDEA = "accept and reject ideas"  # includes the undo of an acceptance
    TAG_IDEAS = "define tags and tag ideas"
    COMMENT = "comment on ideas"  # includes notes, edits and official answers


RUNNING = frozenset({CampaignStatus.ACTIVE, CampaignStatus.PAUSED})
"""The stored statuses that the end of a campaign closes."""

_RUNNING = frozenset({Phase.UPCOMING, Phase.OPEN})
_UNDECIDED = _RUNNING | {Phase.CLOSED}
_UNFINISHED = _UNDECIDED | {Phase.DRAFT, Phase.PAUSED}

ALLOWED: Mapping[Command, frozenset[Phase]] = MappingProxyType(
    {
        Command.ACTIVATE: frozenset({Phase.DRAFT}),
        Command.PAUSE: _RUNNING,
        Command.RESUME: frozenset({Phase.PAUSED}),
        Command.COMPLETE: _UNDECIDED | {Phase.PAUSED},
        Command.ARCHIVE: frozenset({Phase.DRAFT, Phase.COMPLETED}),
        Command.DELETE: frozenset({Phase.DRAFT}),
        Command.EDIT: _UNFINISHED,
        Command.JOIN: _RUNNING,
        Command.ADD_MEMBER: _RUNNING | {Phase.DRAFT, Phase.PAUSED},
        Command.GRANT_COINS: _UNFINISHED,
        Command.DRAFT_IDEA: _RUNNING | {Phase.PAUSED},
        Command.SUBMIT_IDEA: frozenset({Phase.OPEN}),
        Command.WITHDRAW_IDEA: frozenset({Phase.OPEN}),
        Command.APPROVE_IDEA: _RUNNING | {Phase.PAUSED},
        Command.DECIDE_IDEA: _UNDECIDED,
        Command.TAG_IDEAS: _UNFINISHED,
        Command.COMMENT: _UNDECIDED | {Phase.COMPLETED},
    }
)
"""The phases that allow each command. The ledger decides on movements of coins; its window is the phase open."""

TARGETS: Mapping[Command, CampaignStatus] = MappingProxyType(
    {
        Command.ACTIVATE: CampaignStatus.ACTIVE,
        Command.PAUSE: CampaignStatus.PAUSED,
        Command.RESUME: CampaignStatus.ACTIVE,
        Command.COMPLETE: CampaignStatus.COMPLETED,
        Command.ARCHIVE: CampaignStatus.ARCHIVED,
    }
)
"""The status after a command. Only the worker sets the status closed; a later `ends_at` sets it back to active."""


def phase_at(status: str, starts_at: datetime | None, ends_at: datetime | None, moment: datetime) -> Phase:
    """The phase of a campaign with this status and these dates at a moment."""
    if status not in RUNNING:
        return Phase(status)
    if ends_at is not None and moment > ends_at:
        return Phase.CLOSED
    if status == CampaignStatus.PAUSED:
        return Phase.PAUSED
    return Phase.UPCOMING if starts_at is not None and moment < starts_at else Phase.OPEN


def phases_of(status: CampaignStatus) -> frozenset[Phase]:
    """The phases that a campaign with this status can have."""
    match status:
        case CampaignStatus.ACTIVE:
            return frozenset({Phase.UPCOMING, Phase.OPEN, Phase.CLOSED})
        case CampaignStatus.PAUSED:
            return frozenset({Phase.PAUSED, Phase.CLOSED})
    return frozenset({Phase(status)})


def statuses_with(command: Command) -> list[str]:
    """The stored statuses in which a command can be allowed, for rules that do not depend on the dates."""
    return [status for status in CampaignStatus if phases_of(status) <= ALLOWED[command]]


def next_statuses(phase: Phase) -> list[str]:
    """The statuses that a manager can take a campaign to in this phase."""
    return [target for command, target in TARGETS.items() if phase in ALLOWED[command]]
