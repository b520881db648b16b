"""The steps that a caller can take now with ideas of one campaign."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from api.campaigns import service as campaigns
from api.campaigns.lifecycle import ALLOWED, CampaignStatus, Phase, phase_at
from api.coins import service as coins
from api.ideas.dependencies import may_take
from api.ideas.steps import Coins, Status, Step, steps_from
from api.kernel import clock
from api.kernel.permissions import Permission

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.campaigns.dependencies import Access


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
    _known: dict[tuple[str, bool, bool], list[Status]] = field(default_factory=dict)

    def statuses(self, status: str, author_id: UUID | None, status_changed_at: datetime) -> list[Status]:
        """The statuses that the caller can give to an idea; a step can also need a reason."""
        is_author = author_id == self.access.caller.user_id
        can_undo = self.at <= status_changed_at + self.undo_window
        key = status, is_author, can_undo
        if key not in self._known:
            steps = steps_from(status, is_mediated=self.access.campaign.is_mediated)
            self._known[key] = [step.target for step in steps if self._is_possible(step, author_id, can_undo=can_undo)]
        return self._known[key]

    def _is_possible(self, step: Step, author_id: UUID | None, *, can_undo: bool) -> bool:
        if self.phase is None or (step.command is not None and self.phase not in ALLOWED[step.command]):
            return False
        if step.coins is Coins.REOPEN and not can_undo:
            return False
        if step.is_approval and author_id == self.access.caller.user_id and not self.may_approve_own:
            return False
        return may_take(self.access, author_id, step)


async def find_next_steps(session: AsyncSession, access: Access) -> NextSteps:
    """What decides about the steps that the caller can take now in the campaign."""
    at = await clock.database_now(session)
    campaign = access.campaign
    undo_window_h = 0
    if access.may(Permission.MANAGE_IDEAS):
        undo_window_h = (await coins.get_policy(session, campaign.id)).undo_window_h
    is_known = campaign.status in set(CampaignStatus)
    phase = phase_at(campaign.status, campaign.starts_at, campaign.ends_at, at) if is_known else None
    may_approve_own = access.may(Permission.APPROVE_IDEAS) and not await campaigns.has_other_approver(
        session, campaign.id, access.caller.user_id
    )
    return NextSteps(access, phase, at, timedelta(hours=undo_window_h), may_approve_own)
