"""The steps that a caller can take now with ideas of one campaign."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from api.campaigns import service as campaigns
from api.campaigns.lifecycle import ALLOWED, CampaignStatus, Phase, phase_at
from api.coins import service as coins
from api.ideas.dependencies import may_take
from api.ideas.steps import Coins, Status, Step, steps_from
from api.kernel import clock
from api.kernel.db import statements_of
from api.kernel.permissions import Permission

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.campaigns.dependencies import Access
    from api.kernel.db import Statements


@dataclass(frozen=True)
class NextSteps:
    """The caller's permissions, the phase of the campaign and its undo window at a moment; used for one request.

    `phase` is None for a campaign whose status only a later version knows: no step is known to be possible.
    """

    access: Access
    phase: Phase | None
    at: datetime
    undo_window: timedelta
    may_approve_own: bool
    _known: dict[Step, tuple[bool, bool]] = field(default_factory=dict)

    @property
    def undo_since(self) -> datetime:
        """Steps that were taken since then can be undone."""
        return self.at - self.undo_window

    def targets(self, status: str, *, is_author: bool, can_undo: bool) -> list[Status]:
        """The statuses that the caller can give to an idea; a step can also need a reason."""
        return [
            step.target
            for step in _steps(status, is_mediated=self.access.campaign.is_mediated)
            if (can_undo or step.coins is not Coins.REOPEN) and self._may_take(step)[is_author]
        ]

    def _may_take(self, step: Step) -> tuple[bool, bool]:
        """Whether the caller can take a step with an idea of another person, and with their own."""
        if step not in self._known:
            is_possible = self.phase is not None and (step.command is None or self.phase in ALLOWED[step.command])
            of_others = is_possible and may_take(self.access, None, step)
            own = is_possible and may_take(self.access, self.access.caller.user_id, step)
            own = own and (self.may_approve_own or not step.is_approval)
            self._known[step] = (of_others, own)
        return self._known[step]


@cache
def _steps(status: str, *, is_mediated: bool) -> tuple[Step, ...]:
    return tuple(steps_from(status, is_mediated=is_mediated))


async def find_next_steps(session: AsyncSession, access: Access) -> NextSteps:
    """What decides about the steps that the caller can take now in the campaign."""
    statements = await statements_of(session)
    return await make_next_steps(statements, access, await coins.get_list_facts(statements, access.campaign.id))


async def make_next_steps(statements: Statements, access: Access, facts: coins.ListFacts) -> NextSteps:
    """As :func:`find_next_steps`, from what was read."""
    campaign = access.campaign
    at = clock.effective_at() or facts.now
    undo_window_h = facts.undo_window_h if access.may(Permission.MANAGE_IDEAS) else 0
    is_known = campaign.status in set(CampaignStatus)
    phase = phase_at(campaign.status, campaign.starts_at, campaign.ends_at, at) if is_known else None
    may_approve_own = (
        campaign.is_mediated
        and access.may(Permission.APPROVE_IDEAS)
        and not await campaigns.has_other_approver(statements, campaign.id, access.caller.user_id)
    )
    return NextSteps(access, phase, at, timedelta(hours=undo_window_h), may_approve_own)
