"""What a step of an idea's life does to the coins on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from api.coins import service as coins
from api.ideas.steps import Coins, Status

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.ideas.models import Idea


async def carry_out(
    session: AsyncSession, idea: Idea, source: Status, effect: Coins, *, actor_id: UUID | None, reason: str | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Do to the idea's coins what a step does; what lay on the idea before and after, empty where no stake was touched."""
    if effect is Coins.OPEN:
        await coins.open_targets(session, idea.campaign_id, {idea.id: idea.author_id})
    if effect is Coins.REOPEN:
        total = await coins.reopen_target(session, idea.campaign_id, idea.id, actor_id=actor_id, reason=reason)
        return _on_idea(0, 0), _on_idea(total.coins, total.backers)
    if source is not Status.COMPETING or effect in {Coins.NOTHING, Coins.OPEN}:
        return {}, {}
    if effect is Coins.SETTLE:
        total = await coins.get_settled(session, idea.id)
    else:
        kind: Literal["expire", "return"] = "expire" if effect is Coins.EXPIRE else "return"
        closed = await coins.close_targets(
            session, idea.campaign_id, [idea.id], kind=kind, actor_id=actor_id, reason=reason
        )
        total = closed[idea.id]
    before = _on_idea(total.coins, total.backers)
    # where a settlement is left to the background, its end has an event of its own
    return before, {**(before if total.is_settling else _on_idea(0, 0)), "is_settling": total.is_settling}


def _on_idea(stake_coins: int, backers: int) -> dict[str, Any]:
    return {"stake_coins": stake_coins, "backers": backers}
