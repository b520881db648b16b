"""Grants and corrections for many members in one call of one database function, in the session's own transaction.

Uses the driver's own cursor with binary parameters and results: as text, encoding and decoding 10,000 items takes more
than half of the time of the function itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from psycopg.rows import args_row
from sqlalchemy import text

from api.events.service import current_request_id
from api.kernel import clock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    import psycopg
    from sqlalchemy.ext.asyncio import AsyncSession

# each item of the same member needs its own pass in the database
ITEMS_PER_MEMBER_MAX = 100
# 10,000 items and the trigger that checks each of their transfers at the commit take about half a second
TIMEOUT_MS = 60_000

_CORRECT = (
    "SELECT item, outcome, transfer_id, wallet_coins, has_coins, policy_coins "
    "FROM app.coins_correct(%b::uuid[], %b::uuid[], %b::text[], %b::bigint[], %b::text[], %b::text[], "
    "%s, %s, %s) ORDER BY item"
)


@dataclass(frozen=True, slots=True)
class Correction:
    """A grant (`coins`: None, or the amount of the policy), or coins added to a wallet (negative: taken from it).

    `refusal` is a reason that the caller knows already; the ledger returns it as the outcome and changes nothing.
    """

    campaign_id: UUID
    user_id: UUID
    kind: Literal["grant", "correct"]
    coins: int | None
    reason: str | None
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Corrected:
    """Outcome of an item: `granted`, `corrected`, `already_granted`, `busy`, or the name of a refusal."""

    item: int
    outcome: str
    transfer_id: UUID | None
    wallet_coins: int | None
    has_coins: int | None
    policy_coins: int | None


async def correct_coins(
    session: AsyncSession, corrections: Sequence[Correction], *, actor_id: UUID | None
) -> list[Corrected]:
    """Carry out the items that are not refused, independently of each other; returns one outcome per item, in order.

    Items of one member are processed in order. To make them atomic, the caller rolls the session back.
    """
    await session.execute(text(f"SET LOCAL statement_timeout = {TIMEOUT_MS}"))
    connection = await (await session.connection()).get_raw_connection()
    driver: psycopg.AsyncConnection | None = connection.driver_connection
    assert driver is not None, "a session in use has a connection"
    async with driver.cursor(binary=True, row_factory=args_row(Corrected)) as cursor:
        await cursor.execute(
            _CORRECT,
            (
                [item.campaign_id for item in corrections],
                [item.user_id for item in corrections],
                [item.kind for item in corrections],
                [item.coins for item in corrections],
                [item.reason for item in corrections],
                [item.refusal for item in corrections],
                actor_id,
                current_request_id(),
                clock.effective_at(),
            ),
        )
        return await cursor.fetchall()
