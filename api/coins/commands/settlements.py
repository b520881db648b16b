"""Commands that settle stakes: ideas and ledgers are closed and reopened, and stakes return to their wallets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from api.coins.commands.refusals import refusing
from api.coins.records import Closing, Total
from api.events.service import current_request_id
from api.kernel import clock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from typing import Literal
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

# accounts that a command settles in its own transaction; more are settled by a background loop
SETTLE_INLINE_MAX = 1000
SETTLE_TIMEOUT_MS = 60_000


async def return_stakes(
    session: AsyncSession, campaign_id: UUID, user_id: UUID, *, actor_id: UUID | None, idea_id: UUID | None = None
) -> int:
    """Return a member's coins on open ideas, or on one, to the wallet, also outside the window; returns how many coins.

    The caller holds the campaign's lock, or has just reopened the one idea, so that no idea is closed or reopened meanwhile.
    """
    returned: int = await session.scalar(
        text("SELECT app.coins_return_stakes(:campaign_id, :user_id, :actor_id, :effective_at, :request_id, :idea_id)"),
        {
            "campaign_id": campaign_id,
            "user_id": user_id,
            "actor_id": actor_id,
            "effective_at": clock.effective_at(),
            "request_id": current_request_id(),
            "idea_id": idea_id,
        },
    )
    return returned


async def lock_stakes(session: AsyncSession, campaign_id: UUID, idea_ids: Sequence[UUID]) -> None:
    """Lock ideas, their stakes and the wallets of their backers in sorted order, before several calls of :func:`close_targets`.

    The caller holds the locks of the rows of the ideas.
    """
    await allow_time(session)
    await session.execute(
        text("SELECT app.coins_lock_stakes(:campaign_id, CAST(:idea_ids AS uuid[]), :inline_max)"),
        {"campaign_id": campaign_id, "idea_ids": list(idea_ids), "inline_max": _inline_max()},
    )


async def close_targets(
    session: AsyncSession,
    campaign_id: UUID,
    idea_ids: Sequence[UUID],
    *,
    kind: Literal["expire", "return", "withdraw", "settle"],
    actor_id: UUID | None,
    reason: str | None = None,
    effective_at: datetime | None = None,
) -> dict[UUID, Total]:
    """Close ideas for coins; their stakes expire, or return to the wallets if the policy does not let them expire too.

    `expire` is an acceptance. Returns the total of each idea.

    Raises:
        GraceRunning: backers of one may take their coins back, and the kind is not `withdraw`, which returns them all.
        DecisionTooEarly, TooLittleSupport: the policy does not allow the acceptance (`expire`).
        WithdrawnTooLate: the actor is the author, whose time to withdraw it is over.
    """
    await allow_time(session)
    statement = text(
        "SELECT idea_id, settled_coins, settled_backers, is_settling FROM app.coins_close_targets"
        "(:campaign_id, CAST(:idea_ids AS uuid[]), :kind, :actor_id, :reason, :effective_at, :inline_max, :request_id)"
    )
    values = {
        "campaign_id": campaign_id,
        "idea_ids": list(idea_ids),
        "kind": kind,
        "actor_id": actor_id,
        "reason": reason,
        "effective_at": effective_at or clock.effective_at(),
        "inline_max": _inline_max(),
        "request_id": current_request_id(),
    }
    with refusing():
        rows = await session.execute(statement, values)
    return {row.idea_id: Total(row.settled_coins, row.settled_backers, row.is_settling) for row in rows}


async def reopen_target(
    session: AsyncSession, campaign_id: UUID, idea_id: UUID, *, actor_id: UUID | None, reason: str | None
) -> Total:
    """Undo an acceptance: transfers that reference the original ones restore the expired stakes."""
    await allow_time(session)
    rows = await session.execute(
        text("SELECT coins, backers FROM app.coins_reopen_target(:campaign_id, :idea_id, :actor_id, :reason)"),
        {"campaign_id": campaign_id, "idea_id": idea_id, "actor_id": actor_id, "reason": reason},
    )
    row = rows.one()
    return Total(row.coins, row.backers)


def _inline_max() -> int | None:
    """How many accounts a command may settle itself; None is all, in the demo and in imports."""
    return None if clock.effective_at() else SETTLE_INLINE_MAX


async def allow_time(session: AsyncSession) -> None:
    """Raise the statement timeout of the transaction to the time that a settlement of 100,000 stakes may take."""
    await session.execute(text(f"SET LOCAL statement_timeout = {SETTLE_TIMEOUT_MS}"))


async def close_ledger(
    session: AsyncSession, campaign_id: UUID, *, actor_id: UUID | None, effective_at: datetime | None = None
) -> Closing:
    """Close a campaign's ledger: all open stakes and wallets expire, in the background if there are many.

    `effective_at` is the moment of an import, which settles immediately.

    Raises:
        GraceRunning: backers of an open idea may take their coins back.
    """
    await allow_time(session)
    statement = text(
        "SELECT wallet_coins, is_settling FROM app.coins_close_ledger"
        "(:campaign_id, :actor_id, :effective_at, :inline_max, :request_id)"
    )
    values = {
        "campaign_id": campaign_id,
        "actor_id": actor_id,
        "effective_at": effective_at or clock.effective_at(),
        "inline_max": None if effective_at else _inline_max(),
        "request_id": current_request_id(),
    }
    with refusing():
        rows = await session.execute(statement, values)
    row = rows.one()
    return Closing(row.wallet_coins, row.is_settling)
