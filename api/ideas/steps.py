"""The life cycle of an idea: every possible step, the permission that it needs, and its effect on the coins.

It is the only table of the steps: `docs/idea-steps.md`, the next statuses of an idea and the tests are derived from it.
A draft is submitted once, to the status that the campaign gives to new ideas. `outcome_unknown` is the status of an imported
idea if the file does not state its result.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from api.campaigns.lifecycle import Command
from api.kernel.permissions import Permission

if TYPE_CHECKING:
    from collections.abc import Mapping


class Status(StrEnum):
    """The stored status of an idea."""

    DRAFT = "draft"
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
    MERGED = "merged"


class Coins(StrEnum):
    """The effect of a step on the idea's coins."""

    NOTHING = "nothing"
    OPEN = "open"
    EXPIRE = "expire"
    RETURN = "return"
    REOPEN = "reopen"  # the expired coins are restored
    SETTLE = "settle"  # settled together with the campaign's ledger
    MERGE = "merge"  # moved to the idea that it is merged into
    RESTORE = "restore"  # moved back


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
    is_mediated: bool | None = None
    """The step exists only in campaigns that are mediated, or only in others; None for a step of every campaign."""

    route: str | None = None
    """The route that takes the step, if it is not that of changes of the status."""

    @property
    def is_approval(self) -> bool:
        """Whether it approves an idea, which authors do with their own only if no one else can."""
        return self.permission is Permission.APPROVE_IDEAS

    def exists_in(self, *, is_mediated: bool) -> bool:
        """Whether a campaign has this step."""
        return self.is_mediated in {None, is_mediated}


_UNDECIDED = frozenset({Status.PENDING, Status.COMPETING})
_IN_DELIVERY = frozenset({Status.ACCEPTED, Status.IN_PROGRESS})

MERGE_ROUTE, UNDO_ROUTE = "POST /ideas/{id}/merge", "POST /ideas/{id}/merge/undo"
_APPROVE, _MANAGE = Permission.APPROVE_IDEAS, Permission.MANAGE_IDEAS
_WITHDRAW, _SUBMIT = Permission.WITHDRAW_IDEA, Permission.SUBMIT_IDEA

STEPS = (
    Step("submit", frozenset({Status.DRAFT}), Status.PENDING, _SUBMIT, command=Command.SUBMIT_IDEA, is_mediated=True),
    Step(
        "submit", frozenset({Status.DRAFT}), Status.COMPETING, _SUBMIT, Coins.OPEN, command=Command.SUBMIT_IDEA,
        is_mediated=False,
    ),
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
    Step(
        "merge", _UNDECIDED, Status.MERGED, _MANAGE, Coins.MERGE, needs_reason=True, command=Command.DECIDE_IDEA,
        route=MERGE_ROUTE,
    ),
    *(
        Step(
            "undo the merge of", frozenset({Status.MERGED}), status, _MANAGE, Coins.RESTORE, needs_reason=True,
            command=Command.DECIDE_IDEA, route=UNDO_ROUTE,
        )
        for status in (Status.PENDING, Status.COMPETING)
    ),
    Step("leave unselected", _UNDECIDED, Status.NOT_SELECTED, None, Coins.SETTLE),
)  # fmt: skip


PERMISSIONS = tuple(
    dict.fromkeys(step.permission for step in STEPS if step.permission is not None and step.permission is not _SUBMIT)
)
"""The permissions of the steps. Who has none of them can take no step: the author of a draft can withdraw ideas, too."""


def find_step(source: Status, target: Status) -> Step | None:
    """The step from one status to another by a change of the status, or None if it is not possible."""
    return next((step for step in STEPS if step.target is target and source in step.sources and not step.route), None)


# visible to everyone who may see the campaign; the others need the permission view_all_ideas, except drafts, which only
# their author sees
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


def steps_from(status: str, *, is_mediated: bool) -> list[Step]:
    """The changes of the status that users can make after `status`; none after an unknown status of a later version."""
    return [
        step
        for step in STEPS
        if status in step.sources
        and step.permission is not None
        and step.route is None
        and step.exists_in(is_mediated=is_mediated)
    ]


def submitted_status(*, is_mediated: bool) -> Status:
    """The status of an idea when it is submitted."""
    (step,) = steps_from(Status.DRAFT, is_mediated=is_mediated)
    return step.target


class Editing(StrEnum):
    """Who may change the text of an idea."""

    AUTHOR = "its author"
    AUTHOR_AND_MANAGERS = "its author; managers with a reason"
    AUTHOR_IN_WINDOW = "its author until coins can no longer be moved; managers with a reason"
    MANAGERS = "managers with a reason"
    NO_ONE = "no one"


_DECIDED = (
    *_IN_DELIVERY, Status.COMPLETE, Status.STOPPED, Status.NOT_SELECTED, Status.OUTCOME_UNKNOWN,
)  # fmt: skip

EDITING: Mapping[Status, Editing] = MappingProxyType(
    {
        Status.DRAFT: Editing.AUTHOR,
        Status.PENDING: Editing.AUTHOR_AND_MANAGERS,
        Status.COMPETING: Editing.AUTHOR_IN_WINDOW,
        Status.REJECTED: Editing.NO_ONE,
        Status.WITHDRAWN: Editing.NO_ONE,
        Status.MERGED: Editing.NO_ONE,
    }
    | dict.fromkeys(_DECIDED, Editing.MANAGERS)
)
"""Who may change the text of an idea in each status. The author of a rejected or withdrawn idea submits it again."""

RESUBMITTED = frozenset({Status.REJECTED, Status.WITHDRAWN})
"""The statuses from which an idea can be submitted again, as a new one."""
