"""Movements of members' coins on one idea."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

# the key of a movement is its id after this letter, which orders it among other entries of the same moment
KEY = "c"
_MOVEMENTS = text(
    """
    SELECT p.transfer_id, t.kind, p.amount_coins AS coins, a.user_id, p.effective_at
    FROM app.coin_accounts AS a
    JOIN app.coin_postings AS p ON p.account_id = a.id AND p.account_version IS NOT NULL
    JOIN app.coin_transfers AS t ON t.id = p.transfer_id
    WHERE a.idea_id = :idea_id AND a.kind = 'stake' AND t.kind IN ('allocate', 'reallocate', 'take_back')
        AND (CAST(:user_id AS uuid) IS NULL OR a.user_id = :user_id)
        AND (CAST(:after_at AS timestamptz) IS NULL OR (p.effective_at, 'c' || p.transfer_id::text COLLATE "C")
            < (CAST(:after_at AS timestamptz), CAST(:after_key AS text) COLLATE "C"))
    ORDER BY p.effective_at DESC, p.transfer_id DESC
    LIMIT :limit
    """
)


# the last movement to the idea is found from the end of the account's postings
_LAST_STAKE = text(
    """
    SELECT a.balance_coins AS coins, p.effective_at AS put_at
    FROM app.coin_accounts AS a
    CROSS JOIN LATERAL (
        SELECT p.effective_at FROM app.coin_postings AS p
        WHERE p.account_id = a.id AND p.account_version IS NOT NULL AND p.side = 1
        ORDER BY p.account_version DESC LIMIT 1
    ) AS p
    WHERE a.idea_id = :idea_id AND a.user_id = :user_id AND a.kind = 'stake'
    """
)


@dataclass(frozen=True)
class IdeaMovement:
    """Coins that a member put on the idea; negative if they were taken from it."""

    transfer_id: UUID
    kind: str
    coins: int
    user_id: UUID
    effective_at: datetime


@dataclass(frozen=True)
class LastStake:
    """A member's coins on an idea, and when they last put some on it."""

    coins: int
    put_at: datetime


async def find_last_stake(session: AsyncSession, idea_id: UUID, *, user_id: UUID) -> LastStake | None:
    """A member's coins on the idea now; None if they never put coins on it."""
    row = (await session.execute(_LAST_STAKE, {"idea_id": idea_id, "user_id": user_id})).one_or_none()
    return LastStake(row.coins, row.put_at) if row else None


async def list_idea_movements(
    session: AsyncSession, idea_id: UUID, *, user_id: UUID | None, limit: int, after: tuple[datetime, str] | None
) -> list[IdeaMovement]:
    """Movements on an idea by its members, newest first: those of one member, or of all if `user_id` is None.

    `after` is the time and the key of the last entry seen. The caller checks the policy's `stakes_visible_to`.
    """
    values = {
        "idea_id": idea_id,
        "user_id": user_id,
        "limit": limit,
        "after_at": after[0] if after else None,
        "after_key": after[1] if after else None,
    }
    rows = await session.execute(_MOVEMENTS, values)
    return [IdeaMovement(row.transfer_id, row.kind, row.coins, row.user_id, row.effective_at) for row in rows]
