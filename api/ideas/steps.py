"""The life cycle of an idea: every possible step, the permission that it needs, and its effect on the coins.

    pending -> competing -> accepted -> in_progress -> complete
    pending, competing -> rejected | withdrawn | not_selected
    accepted, in_progress -> stopped
    accepted -> competing, within the policy's undo window: undo of an acceptance

`outcome_unknown` is the status of an imported idea if the file does not state its result.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from api.campaigns.lifecycle import Command
from api.kernel.permissions import Permission


class Status(StrEnum):
    """The stored status of an idea."""

    PENDING = "pending"
    COMPETING = "competing"
    ACCEPTED = "accepted"
    IN_PROGRESS = "in_progress"
    COMPLETE = "complete"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    STOPPED = "stopped"
    NOT_SELECTED = "not_selected"
    OUTCOME_UNKNOWN = "outcome_unknown"


class Coins(StrEnum):
    """The effect of a step on the idea's coins."""

    NOTHING = "nothing"
    OPEN = "open"
    EXPIRE = "expire"
    RETURN = "return"
    REOPEN = "reopen"  # the expired coins are restored
    SETTLE = "settle"  # settled together with the campaign's ledger


@dataclass(frozen=True)
class Step:
    """One possible step."""

    verb: str
    sources: frozenset[Status]
    target: Status
    permission: Permission | None
    """The caller needs it; None for a step that no caller can take, only the completion of the campaign."""
    coins: Coins = Coins.NOTHING
    needs_reason: bool = False
    command: Command | None = None
    """The campaign's phase must allow this command; None for a step that is possible in every phase."""


_UNDECIDED = frozenset({Status.PENDING, Status.COMPETING})
_IN_DELIVERY = frozenset({Status.ACCEPTED, Status.IN_PROGRESS})

_APPROVE, _MANAGE, _WITHDRAW = Permission.APPROVE_IDEAS, Permission.MANAGE_IDEAS, Permission.WITHDRAW_IDEA

STEPS = (
    Step("approve", frozenset({Status.PENDING}), Status.COMPETING, _APPROVE, Coins.OPEN, command=Command.APPROVE_IDEA),
    Step("reject", _UNDECIDED, Status.REJECTED, _MANAGE, Coins.RETURN, needs_reason=True, command=Command.DECIDE_IDEA),
    Step("withdraw", _UNDECIDED, Status.WITHDRAWN, _WITHDRAW, Coins.RETURN, command=Command.WITHDRAW_IDEA),
    Step("accept", frozenset({Status.COMPETING}), Status.ACCEPTED, _MANAGE, Coins.EXPIRE, command=Command.DECIDE_IDEA),
    Step(
        "undo the acceptance of", frozenset({Status.ACCEPTED}), Status.COMPETING, _MANAGE, Coins.REOPEN,
        needs_reason=True, command=Command.DECIDE_IDEA,
    ),
    Step("start", frozenset({Status.ACCEPTED}), Status.IN_PROGRESS, _MANAGE),
    Step("complete", frozenset({Status.IN_PROGRESS}), Status.COMPLETE, _MANAGE),
    Step("stop", _IN_DELIVERY, Status.STOPPED, _MANAGE, needs_reason=True),
    Step("leave unselected", _UNDECIDED, Status.NOT_SELECTED, None, Coins.SETTLE),
)  # fmt: skip


PERMISSIONS = tuple(dict.fromkeys(step.permission for step in STEPS if step.permission is not None))
"""The permissions of the steps. Who has none of them can take no step."""


def find_step(source: Status, target: Status) -> Step | None:
    """The step from one status to another, or None if it is not possible."""
    return next((step for step in STEPS if step.target is target and source in step.sources), None)


# visible to everyone who may see the campaign; the others need the permission view_all_ideas
PUBLIC = frozenset(
    {
        Status.COMPETING,
        Status.ACCEPTED,
        Status.IN_PROGRESS,
        Status.COMPLETE,
        Status.STOPPED,
        Status.NOT_SELECTED,
        Status.OUTCOME_UNKNOWN,
    }
)


def steps_from(status: str) -> list[Step]:
    """The steps that users can take after `status`; none after an unknown status of a later version."""
    return [step for step in STEPS if status in step.sources and step.permission is not None]
