"""Grants and corrections for many members in one call of one database function, in the session's own transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import structlog
from sqlalchemy import text

from api.kernel import clock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

# each further item of one member is a round of its own in the database
ITEMS_PER_MEMBER_MAX = 100
# 10,000 items and the trigger that checks each of their transfers at the commit take about a second
TIMEOUT_MS = 60_000

_CORRECT = text(
    """
    SELECT * FROM app.coins_correct(CAST(:campaign_ids AS uuid[]), CAST(:user_ids AS uuid[]), CAST(:kinds AS text[]),
        CAST(:coins AS bigint[]), CAST(:reasons AS text[]), CAST(:refusals AS text[]), :actor_id, :request_id, :effective_at)
    ORDER BY item
    """
)


@dataclass(frozen=True, slots=True)
class Correction:
    """A grant (`coins`: none, or the policy's), or coins added to a wallet or, below 0, taken from it.

    `refusal` is set by who knows a reason of their own against it; the ledger then answers it and does nothing.
    """

    campaign_id: UUID
    user_id: UUID
    kind: Literal["grant", "correct"]
    coins: int | None
    reason: str | None
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Corrected:
    """What became of an item: `granted`, `corrected`, `already_granted`, `busy`, or the name of a refusal."""

    item: int
    outcome: str
    transfer_id: UUID | None
    wallet_coins: int | None
    has_coins: int | None
    policy_coins: int | None


async def correct_coins(
    session: AsyncSession, corrections: Sequence[Correction], *, actor_id: UUID | None
) -> list[Corrected]:
    """Carry out what is not refused, each item apart from the others; an outcome an item, in their order.

    Items of one member are judged one after the other. Who wants all or nothing rolls the session back.
    """
    await session.execute(text(f"SET LOCAL statement_timeout = {TIMEOUT_MS}"))
    arguments: dict[str, Any] = {
        "campaign_ids": [item.campaign_id for item in corrections],
        "user_ids": [item.user_id for item in corrections],
        "kinds": [item.kind for item in corrections],
        "coins": [item.coins for item in corrections],
        "reasons": [item.reason for item in corrections],
        "refusals": [item.refusal for item in corrections],
        "actor_id": actor_id,
        "request_id": structlog.contextvars.get_contextvars().get("request_id"),
        "effective_at": clock.effective_at(),
    }
    rows = await session.execute(_CORRECT, arguments)
    return [Corrected(**row) for row in rows.mappings()]
