"""The interface of the ledger. Every write calls a database function, which applies the rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from api.coins import errors
from api.coins.commands.grace import Grace, begin_grace, find_grace, has_running_grace
from api.coins.commands.moves import SQL, Move, Outcome, as_arguments
from api.coins.commands.policies import find_disclosing_campaigns, get_policy, list_policies, set_policy
from api.coins.commands.settlements import (
    allow_time,
    close_ledger,
    close_targets,
    lock_stakes,
    reopen_target,
    return_stakes,
)
from api.coins.policies import PolicyWrite
from api.coins.reading import queries
from api.coins.records import Closing, Conservation, ListFacts, MemberStake, Remaining, Total, Wallet
from api.coins.schemas import BackerRead, Balance, CampaignCoins, StakeRead
from api.kernel import clock
from api.kernel.db import statements_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.kernel.db import Statements

__all__ = [
    "Closing",
    "Conservation",
    "Grace",
    "ListFacts",
    "MemberStake",
    "Move",
    "Outcome",
    "Remaining",
    "Total",
    "Wallet",
    "allow_time",
    "begin_grace",
    "close_ledger",
    "close_targets",
    "find_disclosing_campaigns",
    "find_grace",
    "get_policy",
    "has_running_grace",
    "list_policies",
    "lock_stakes",
    "reopen_target",
    "return_stakes",
    "set_policy",
]


async def open_ledger(session: AsyncSession, campaign_id: UUID, policy: PolicyWrite, *, actor_id: UUID | None) -> None:
    """Open the ledger of a campaign with the first version of its policy."""
    await session.execute(
        text("SELECT app.coins_open_ledger(:campaign_id, CAST(:policy AS jsonb), :actor_id)"),
        {"campaign_id": campaign_id, "policy": policy.model_dump_json(), "actor_id": actor_id},
    )


async def set_window(
    session: AsyncSession, campaign_id: UUID, *, opens_at: datetime | None, closes_at: datetime | None
) -> None:
    """Set the campaign's window: the first and the last moment at which members can move coins; None is no limit.

    The ledger applies the intersection of this window and that of the policy, by the database's clock.
    """
    await session.execute(
        text("SELECT app.coins_set_window(:campaign_id, :opens_at, :closes_at)"),
        {"campaign_id": campaign_id, "opens_at": opens_at, "closes_at": closes_at},
    )


async def set_pause(session: AsyncSession, campaign_id: UUID, paused_at: datetime | None) -> None:
    """Set since when the campaign is paused, so that members cannot move coins; None if it is not."""
    await session.execute(
        text("SELECT app.coins_set_pause(:campaign_id, :paused_at)"),
        {"campaign_id": campaign_id, "paused_at": paused_at},
    )


async def delete_ledger(session: AsyncSession, campaign_id: UUID) -> bool:
    """Delete the ledger of a draft; false if it has wallets or transfers, and is kept."""
    is_deleted: bool = await session.scalar(text("SELECT app.coins_delete_ledger(:id)"), {"id": campaign_id})
    return is_deleted


async def grant_coins(
    session: AsyncSession,
    campaign_id: UUID,
    user_ids: Sequence[UUID],
    *,
    actor_id: UUID | None,
    effective_at: datetime | None = None,
) -> list[UUID]:
    """Open a wallet with the policy's coins for each member without one, and unfreeze the other wallets.

    Returns the members who were granted coins.
    """
    granted: list[UUID] = await session.scalar(
        text("SELECT app.coins_grant(:campaign_id, CAST(:user_ids AS uuid[]), :actor_id, :effective_at)"),
        {
            "campaign_id": campaign_id,
            "user_ids": list(user_ids),
            "actor_id": actor_id,
            "effective_at": effective_at or clock.effective_at(),
        },
    )
    return granted


async def find_wallet(session: AsyncSession, campaign_id: UUID, user_id: UUID) -> Wallet | None:
    """A member's current wallet, or None."""
    return (await find_wallets(session, campaign_id, [user_id])).get(user_id)


async def find_wallets(session: AsyncSession, campaign_id: UUID, user_ids: Sequence[UUID]) -> dict[UUID, Wallet]:
    """The current wallets of those of the users who have one."""
    rows = await session.execute(queries.WALLETS, {"campaign_id": campaign_id, "user_ids": list(user_ids)})
    return {row.user_id: Wallet(row.wallet_coins, row.is_frozen) for row in rows}


async def freeze_wallets(session: AsyncSession, campaign_id: UUID, user_ids: Sequence[UUID]) -> None:
    """Freeze the wallets of these users: their coins are kept but cannot be used."""
    await session.execute(
        text("SELECT app.coins_freeze_wallets(:campaign_id, CAST(:user_ids AS uuid[]))"),
        {"campaign_id": campaign_id, "user_ids": list(user_ids)},
    )


async def list_staked(session: AsyncSession, idea_id: UUID, user_ids: Sequence[UUID]) -> list[UUID]:
    """Those of the members who have coins on the idea, in the order in which the ledger locks wallets."""
    rows = await (await statements_of(session)).fetch(queries.STAKED, idea_id=idea_id, user_ids=list(user_ids))
    return [row["user_id"] for row in rows]


async def open_targets(session: AsyncSession, campaign_id: UUID, authors: dict[UUID, UUID | None]) -> None:
    """Open ideas for coins; `authors` maps each idea to its author."""
    await session.execute(
        text("SELECT app.coins_open_targets(:campaign_id, CAST(:idea_ids AS uuid[]), CAST(:author_ids AS uuid[]))"),
        {"campaign_id": campaign_id, "idea_ids": list(authors), "author_ids": list(authors.values())},
    )


async def get_settled(session: AsyncSession, idea_id: UUID) -> Total:
    """The total of a closed idea when it was closed."""
    row = (await session.execute(queries.SETTLED, {"idea_id": idea_id})).one()
    return Total(row.coins, row.backers, row.is_settling)


async def has_stake_account(session: AsyncSession, idea_id: UUID, *, user_id: UUID) -> bool:
    """Whether the user has or had coins on the idea."""
    return bool(await session.scalar(queries.HAS_STAKE_ACCOUNT, {"idea_id": idea_id, "user_id": user_id}))


async def get_remaining(session: AsyncSession, campaign_id: UUID) -> Remaining:
    """The coins that the end of the campaign lets expire, and the number of members who have them."""
    row = (await session.execute(queries.REMAINING, {"campaign_id": campaign_id})).one()
    return Remaining(row.coins, row.members)


async def move_coins(
    session: AsyncSession,
    moves: Sequence[Move],
    *,
    actor_id: UUID | None = None,
    effective_at: datetime | None = None,
    is_import: bool = False,
) -> list[Outcome]:
    """Carry out many movements in the session's transaction; returns one outcome per movement, in order.

    For imports and the demo. Requests use the batcher.
    """
    connection = await session.connection()
    arguments = as_arguments(moves, actor_id, effective_at or clock.effective_at(), is_import=is_import)
    rows = await connection.exec_driver_sql(SQL, arguments)
    return sorted((Outcome(**row) for row in rows.mappings()), key=lambda outcome: outcome.item)


async def get_balance(session: AsyncSession, campaign_id: UUID, user_id: UUID, at: datetime | None = None) -> Balance:
    """A member's coins in one campaign, now or at a moment in the past.

    Raises:
        NotAMember: the user has no wallet in the campaign.
    """
    moment = at or clock.now()
    scope: dict[str, Any] = {"campaign_id": campaign_id, "user_id": user_id, "at": moment if at else "infinity"}
    accounts = (await session.execute(queries.BALANCE, scope)).all()
    if not accounts:
        msg = "You have no wallet in this campaign; join it first."
        raise errors.NotAMember(msg)
    stakes = [StakeRead(idea_id=row.idea_id, coins=row.coins) for row in accounts if row.kind == "stake" and row.coins]
    expired_coins = sum(row.expired_coins for row in accounts)
    return Balance(
        campaign_id=campaign_id,
        at=moment,
        # no other coins enter or leave the accounts of a member
        granted_coins=sum(row.coins for row in accounts) + expired_coins,
        wallet_coins=sum(row.coins for row in accounts if row.kind == "wallet"),
        held_coins=sum(row.coins for row in accounts if row.kind == "held"),
        staked_coins=sum(stake.coins for stake in stakes),
        expired_coins=expired_coins,
        returned_coins=sum(row.returned_coins for row in accounts),
        stakes=stakes,
    )


async def list_my_campaigns(session: AsyncSession, user_id: UUID) -> list[CampaignCoins]:
    """A user's coins in each of their campaigns."""
    rows = await session.execute(queries.MY_CAMPAIGNS, {"user_id": user_id})
    return [CampaignCoins.model_validate(row) for row in rows]


async def get_list_facts(statements: Statements, campaign_id: UUID) -> ListFacts:
    """The facts for a list of ideas of a campaign, by one statement.

    Read before the list: its totals are of `aggregated_at` or later, also if an aggregation runs meanwhile.
    """
    [row] = await statements.fetch(queries.LIST_FACTS, campaign_id=campaign_id)
    return ListFacts(**row)


async def list_backers(
    session: AsyncSession, idea_id: UUID, *, limit: int, after: tuple[UUID] | None
) -> list[BackerRead]:
    """The members with coins on an idea, now or when it was settled, ordered by user id.

    The caller of this function must check the permission by the policy's `stakes_visible_to`.
    """
    rows = await session.execute(
        queries.BACKERS, {"idea_id": idea_id, "limit": limit, "after": after[0] if after else None}
    )
    return [BackerRead.model_validate(row) for row in rows]


async def count_wallets(session: AsyncSession, campaign_id: UUID) -> int:
    """The number of people who have a wallet in a campaign."""
    count: int = (await session.execute(queries.WALLET_COUNT, {"campaign_id": campaign_id})).scalar_one()
    return count


async def list_stakes(session: AsyncSession, campaign_id: UUID) -> list[MemberStake]:
    """All coins on ideas of a campaign, now or just before they were settled, in the order of members and ideas.

    Only for callers that may know whose coins are on which idea.
    """
    await allow_time(session)
    rows = await session.execute(queries.STAKES, {"campaign_id": campaign_id})
    return [MemberStake(row.user_id, row.idea_id, row.coins) for row in rows]


async def verify(session: AsyncSession, campaign_id: UUID | None = None) -> list[Conservation]:
    """Recompute every balance from the postings, for one campaign or for all; one row per campaign."""
    rows = await session.execute(queries.VERIFY, {"campaign_id": campaign_id})
    return [Conservation(**row) for row in rows.mappings()]
