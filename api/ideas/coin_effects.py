"""Effects of an idea's steps on its coins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from api.campaigns import service as campaigns
from api.coins import service as coins
from api.ideas.steps import Coins, Status

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.ideas.models import Idea


async def carry_out(
    session: AsyncSession, idea: Idea, source: Status, effect: Coins, *, actor_id: UUID | None, reason: str | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Apply a step to the idea's coins; returns the stakes before and after, empty if no stake changed."""
    if effect is Coins.OPEN:
        await coins.open_targets(session, idea.campaign_id, {idea.id: idea.author_id})
    if effect is Coins.REOPEN:
        total = await coins.reopen_target(session, idea.campaign_id, idea.id, actor_id=actor_id, reason=reason)
        returned = await campaigns.return_stakes_of_removed(session, idea.campaign_id, idea.id, actor_id=actor_id)
        return _on_idea(0, 0), _on_idea(total.coins - sum(returned), total.backers - len(returned))
    if source is not Status.COMPETING or effect in {Coins.NOTHING, Coins.OPEN}:
        return {}, {}
    if effect is Coins.SETTLE:
        total = await coins.get_settled(session, idea.id)
    else:
        kind: Literal["expire", "return", "withdraw"] = "expire" if effect is Coins.EXPIRE else "return"
        if idea.status == Status.WITHDRAWN:
            kind = "withdraw"
        closed = await coins.close_targets(
            session, idea.campaign_id, [idea.id], kind=kind, actor_id=actor_id, reason=reason
        )
        total = closed[idea.id]
    before = _on_idea(total.coins, total.backers)
    # a separate event records the end of a settlement in the background
    return before, {**(before if total.is_settling else _on_idea(0, 0)), "is_settling": total.is_settling}


def _on_idea(stake_coins: int, backers: int) -> dict[str, Any]:
    return {"stake_coins": stake_coins, "backers": backers}
