"""Merges of ideas: their stakes move to the stakes on another idea, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import text

from api.coins.commands.refusals import refusing
from api.coins.commands.settlements import allow_time
from api.events.service import current_request_id
from api.kernel import clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

_MERGE = text(
    """
    SELECT idea_id, stake_coins, backers, returned_coins, returned_backers FROM app.coins_merge(
        :campaign_id, :merge_id, :target_id, CAST(:source_ids AS uuid[]), :actor_id, :reason, :effective_at, :request_id)
    """
)
_UNDO = text(
    """
    SELECT user_id, idea_id FROM app.coins_undo_merge(
        :campaign_id, :merge_id, :target_id, CAST(:source_ids AS uuid[]), :actor_id, :reason, :effective_at)
    """
)
# a stake on the target that was not there before the merge has only postings of the merge
_MEMBERS = text(
    """
    SELECT s.user_id, s.idea_ids, s.coins, s.returned_coins, s.moved_coins, coalesce(t.balance_coins, 0) AS target_coins
    FROM (
        SELECT x.user_id, array_agg(x.idea_id ORDER BY x.idea_id) AS idea_ids,
            array_agg(x.coins ORDER BY x.idea_id) AS coins, sum(x.returned)::bigint AS returned_coins,
            sum(x.coins - x.returned)::bigint AS moved_coins
        FROM (
            SELECT p.user_id, p.idea_id, sum(p.coins)::bigint AS coins,
                coalesce(sum(p.coins) FILTER (WHERE p.is_return), 0)::bigint AS returned
            FROM app.coins_merge_postings(:merge_id) AS p
            GROUP BY p.user_id, p.idea_id
        ) AS x
        GROUP BY x.user_id
    ) AS s
    LEFT JOIN app.coin_accounts AS t ON t.idea_id = :target_id AND t.user_id = s.user_id AND t.kind = 'stake'
    ORDER BY s.returned_coins DESC, s.user_id
    """
)


@dataclass(frozen=True)
class MergedStakes:
    """The coins and backers of an idea before it was merged, and those whose coins returned to their wallets."""

    coins: int = 0
    backers: int = 0
    returned_coins: int = 0
    returned_backers: int = 0


@dataclass(frozen=True)
class MergedMember:
    """A member's coins on the merged ideas before, what returned to the wallet, and their coins on the target before and after."""

    user_id: UUID
    stakes: dict[UUID, int]
    returned_coins: int
    before_coins: int
    after_coins: int


@dataclass(frozen=True)
class MovedAccount:
    """A stake, or a wallet if `idea_id` is None, whose coins have moved."""

    user_id: UUID
    idea_id: UUID | None


async def merge_stakes(
    session: AsyncSession,
    campaign_id: UUID,
    merge_id: UUID,
    target_id: UUID,
    source_ids: Sequence[UUID],
    *,
    actor_id: UUID | None,
    reason: str,
) -> dict[UUID, MergedStakes]:
    """Move the coins on the sources to the target, and close the sources; all of them are open for coins.

    A member gets the sum, up to the policy's maximum per member and idea. The rest, and the coins of the target's author if the
    policy does not allow own ideas, return to the wallets. Returns the coins of each source.

    Raises:
        GraceRunning: backers of one of the ideas may take their coins back.
    """
    await allow_time(session)
    values = {
        "campaign_id": campaign_id,
        "merge_id": merge_id,
        "target_id": target_id,
        "source_ids": sorted(source_ids),
        "actor_id": actor_id,
        "reason": reason,
        "effective_at": clock.effective_at(),
        "request_id": current_request_id(),
    }
    with refusing():
        rows = await session.execute(_MERGE, values)
    return {
        row.idea_id: MergedStakes(row.stake_coins, row.backers, row.returned_coins, row.returned_backers)
        for row in rows
    }


async def list_merged_members(session: AsyncSession, merge_id: UUID, target_id: UUID) -> list[MergedMember]:
    """The members whose coins a merge of this transaction has moved; those with returned coins first.

    Only for callers that may know whose coins are on which idea.
    """
    rows = await session.execute(_MEMBERS, {"merge_id": merge_id, "target_id": target_id})
    return [
        MergedMember(
            user_id=row.user_id,
            stakes=dict(zip(row.idea_ids, row.coins, strict=True)),
            returned_coins=row.returned_coins,
            before_coins=row.target_coins - row.moved_coins,
            after_coins=row.target_coins,
        )
        for row in rows
    ]


async def undo_merged_stakes(
    session: AsyncSession,
    campaign_id: UUID,
    merge_id: UUID,
    target_id: UUID,
    source_ids: Sequence[UUID],
    *,
    actor_id: UUID | None,
    reason: str,
) -> list[MovedAccount]:
    """Move the coins of a merge back by transfers that reference those of the merge, and open the sources again.

    Returns the accounts whose coins have moved since the merge; if there are any, nothing was done.
    """
    await allow_time(session)
    values = {
        "campaign_id": campaign_id,
        "merge_id": merge_id,
        "target_id": target_id,
        "source_ids": sorted(source_ids),
        "actor_id": actor_id,
        "reason": reason,
        "effective_at": clock.effective_at(),
    }
    rows = await session.execute(_UNDO, values)
    return [MovedAccount(row.user_id, row.idea_id) for row in rows]
