"""The time after a material edit of an idea in which its backers may take their coins back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Boolean, column, exists, func, table, text

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncSession
    from sqlalchemy.orm import InstrumentedAttribute

_TARGETS = table("coin_targets", column("campaign_id"), column("is_open", Boolean), column("grace_until"), schema="app")
_FIND = text(
    """
    SELECT t.grace_until, CASE
            WHEN a.id IS NULL THEN 0 ELSE least(a.balance_coins, app.coins_kept_since(a.id, t.grace_from))
        END AS free_coins
    FROM app.coin_targets AS t
    LEFT JOIN app.coin_accounts AS a ON a.idea_id = t.idea_id AND a.user_id = :user_id AND a.kind = 'stake'
    WHERE t.idea_id = :idea_id AND t.is_open AND t.grace_until >= clock_timestamp()
    """
)


@dataclass(frozen=True)
class Grace:
    """A grace time that is running, and the coins of a member that it lets go."""

    until: datetime
    free_coins: int


async def begin_grace(session: AsyncSession, campaign_id: UUID, idea_id: UUID) -> datetime | None:
    """Begin the grace time of an idea that is open for coins; returns its end.

    It is None if the policy's `grace_h` is 0 or no coins are on the idea: then no one waits.
    """
    until: datetime | None = await session.scalar(
        text("SELECT app.coins_begin_grace(:campaign_id, :idea_id)"), {"campaign_id": campaign_id, "idea_id": idea_id}
    )
    return until


async def find_grace(session: AsyncSession, idea_id: UUID, *, user_id: UUID) -> Grace | None:
    """The grace time of an idea that is running, by the database's clock, or None."""
    row = (await session.execute(_FIND, {"idea_id": idea_id, "user_id": user_id})).one_or_none()
    return Grace(row.grace_until, row.free_coins) if row else None


def has_running_grace(campaign_id: ColumnElement[UUID] | InstrumentedAttribute[UUID]) -> ColumnElement[bool]:
    """A condition of a query: an open idea of the campaign is in its grace time."""
    return exists().where(
        _TARGETS.c.campaign_id == campaign_id,
        _TARGETS.c.is_open,
        _TARGETS.c.grace_until >= func.clock_timestamp(),
    )
