"""Figures of a campaign's coins from one snapshot. The cost grows with its members and ideas, not with its history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from pydantic import Field
from sqlalchemy import text

from api.coins.commands.settlements import allow_time
from api.coins.reading import statistics_queries as queries
from api.kernel import clock
from api.kernel.db import begin_snapshot
from api.kernel.schemas import ResponseModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

VELOCITY_DAYS = 7
MOVEMENTS = ("allocate", "reallocate", "take_back")
TOP_IDEAS = 10


class IdeaCoins(ResponseModel):
    """One idea's coins and backers."""

    idea_id: UUID
    is_open: bool = Field(description="takes coins now")
    coins: int = Field(description="coins on the idea now; for a closed idea, just before it was settled")
    backers: int = Field(description="members with a coin on it, at the same moment")


class CoinStatistics(ResponseModel):
    """The coins of a campaign. granted + carried in = wallets + held + staked + expired + carried out."""

    campaign_id: UUID
    at: datetime = Field(description="when the snapshot was taken; all figures are of this moment")
    granted_coins: int = Field(
        description="coins granted, with corrections: coins issued by the mint, minus coins returned to it"
    )
    carried_in_coins: int = Field(description="coins that came from other campaigns or rounds")
    wallet_coins: int = Field(description="coins in wallets, including frozen ones")
    held_coins: int = Field(description="coins that are reserved")
    staked_coins: int = Field(description="coins on ideas now, including closed ideas whose settlement is running")
    expired_coins: int = Field(
        description="coins that expired by an acceptance that was not undone or at the campaign's end: granted and carried in, "
        "minus all others; the campaign's verify route recomputes it from the postings"
    )
    carried_out_coins: int = Field(description="coins that went to other campaigns or rounds")
    returned_coins: int = Field(
        description="coins returned from withdrawn and rejected ideas so far; now in wallets or spent again"
    )
    members_with_wallet: int = Field(description="people with a wallet in this campaign, including those who left")
    active_members: int = Field(description="of those, people who have put a coin on an idea")
    moved_coins: int = Field(
        description=f"coins that members put on ideas, moved between ideas or took back in the last {VELOCITY_DAYS} days "
        f"of the calendar in UTC: today so far and the {VELOCITY_DAYS - 1} whole days before it. A coin moved twice counts "
        "twice"
    )
    velocity: float | None = Field(description="moved_coins / granted_coins; null if nothing was granted")
    gini: float | None = Field(
        description="Gini coefficient of the coins per idea, over all ideas that take or took coins: 0 if all have the "
        "same, near 1 if one has all; null if no idea has a coin"
    )
    top_ideas: list[IdeaCoins] = Field(description=f"the {TOP_IDEAS} ideas with the most coins")


@dataclass(frozen=True, slots=True)
class _Idea:
    idea_id: UUID
    is_open: bool
    is_returned: bool
    staked_coins: int
    coins: int
    backers: int


def gini(values: Sequence[int]) -> float | None:
    """The Gini coefficient of amounts that are not negative; None if there are none or their sum is 0.

    With x sorted ascending and i from 1: sum((2i - n - 1) x_i) / (n sum(x)). Source: Damgaard and Weiner, "Describing
    inequality in plant size or fecundity", Ecology 81(4), 2000, p. 1139. This is the coefficient of a population, so it
    omits their correction factor n / (n - 1) for samples.
    """
    total, n = sum(values), len(values)
    if total == 0:
        return None
    return sum((2 * i - n - 1) * value for i, value in enumerate(sorted(values), start=1)) / (n * total)


async def get_statistics(session: AsyncSession, campaign_id: UUID) -> CoinStatistics:
    """The figures of one campaign at one moment. Ends the session's transaction and begins a read-only one."""
    await begin_snapshot(session)
    await allow_time(session)
    # a plan that was made for smaller tables would read all rows
    await session.execute(text("SET LOCAL enable_seqscan = off"))
    at = clock.now()
    scope = {"campaign_id": campaign_id}
    members = (await session.execute(queries.MEMBERS, scope)).one()
    outside = (await session.execute(queries.OUTSIDE, scope)).one()
    aggregated_xid = await session.scalar(queries.AGGREGATED_XID)
    since_on = at.astimezone(UTC).date() - timedelta(days=VELOCITY_DAYS - 1)
    moved: int = await session.scalar(
        queries.MOVED, {**scope, "since_on": since_on, "kinds": list(MOVEMENTS), "aggregated_xid": aggregated_xid}
    )
    rows = await session.execute(queries.IDEAS, {**scope, "aggregated_xid": aggregated_xid})
    ideas = [_Idea(**row) for row in rows.mappings()]
    staked = sum(idea.staked_coins for idea in ideas)
    top = sorted(ideas, key=lambda idea: (-idea.coins, idea.idea_id))[:TOP_IDEAS]
    return CoinStatistics(
        campaign_id=campaign_id,
        at=at,
        granted_coins=outside.granted_coins,
        carried_in_coins=outside.carried_in_coins,
        wallet_coins=members.wallet_coins,
        held_coins=members.held_coins,
        staked_coins=staked,
        expired_coins=outside.granted_coins
        + outside.carried_in_coins
        - outside.carried_out_coins
        - members.wallet_coins
        - members.held_coins
        - staked,
        carried_out_coins=outside.carried_out_coins,
        returned_coins=sum(idea.coins - idea.staked_coins for idea in ideas if idea.is_returned),
        members_with_wallet=members.members_with_wallet,
        active_members=members.active_members,
        moved_coins=moved,
        velocity=moved / outside.granted_coins if outside.granted_coins else None,
        gini=gini([idea.coins for idea in ideas]),
        top_ideas=[IdeaCoins.model_validate(idea) for idea in top],
    )
