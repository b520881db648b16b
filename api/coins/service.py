"""The interface of the ledger. Every write calls a database function, which applies the rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from api.coins import errors
from api.coins.commands.grace import Grace, begin_grace, find_grace, has_running_grace, refusing_in_grace
from api.coins.commands.moves import SQL, Move, Outcome, as_arguments
from api.coins.commands.policies import find_disclosing_campaigns, get_policy, list_policies, set_policy
from api.coins.reading import queries
from api.coins.schemas import BackerRead, Balance, CampaignCoins, PolicyWrite, StakeRead
from api.events.service import current_request_id
from api.kernel import clock
from api.kernel.db import statements_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from typing import Literal
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.kernel.db import Statements

__all__ = [
    "Grace",
    "Move",
    "Outcome",
    "begin_grace",
    "find_disclosing_campaigns",
    "find_grace",
    "get_policy",
    "has_running_grace",
    "list_policies",
    "set_policy",
]


# accounts that a command settles in its own transaction; more are settled by a background loop
SETTLE_INLINE_MAX = 1000
SETTLE_TIMEOUT_MS = 60_000


@dataclass(frozen=True)
class Conservation:
    """The coins of one campaign by kind of account, and the number of wrong balances, transfers and totals."""

    campaign_id: UUID
    issued_coins: int
    carried_in_coins: int
    wallet_coins: int
    held_coins: int
    staked_coins: int
    expired_coins: int
    carried_out_coins: int
    difference_coins: int
    wrong_balances: int
    unbalanced_transfers: int
    wrong_totals: int

    @property
    def holds(self) -> bool:
        """Whether issued + carried in = wallets + held + stakes + expired + carried out, and nothing is wrong."""
        wrong = self.wrong_balances + self.unbalanced_transfers + self.wrong_totals
        return self.difference_coins == 0 and wrong == 0


@dataclass(frozen=True)
class ListFacts:
    """What a list of ideas needs of the ledger: the time, the time of the totals, and the undo window of the campaign."""

    now: datetime
    aggregated_at: datetime
    undo_window_h: int


@dataclass(frozen=True)
class Wallet:
    """A member's wallet; the coins of a frozen wallet cannot be used."""

    wallet_coins: int
    is_frozen: bool


@dataclass(frozen=True)
class Closing:
    """The coins in the wallets when the ledger was closed, and whether a background loop is still emptying them."""

    wallet_coins: int
    is_settling: bool


@dataclass(frozen=True)
class Remaining:
    """Coins in wallets and on open ideas, and the number of members who have some of them."""

    coins: int
    members: int


@dataclass(frozen=True)
class MemberStake:
    """A member's coins on an idea."""

    user_id: UUID
    idea_id: UUID
    coins: int


@dataclass(frozen=True)
class Total:
    """An idea's coins and backers, now or when it was settled."""

    coins: int
    backers: int
    is_settling: bool = False


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
    """Close ideas for coins; their stakes expire or return to the wallets. Returns the total of each idea.

    Raises:
        GraceRunning: backers of one may take their coins back, and the kind is not `withdraw`, which returns them all.
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
    with refusing_in_grace():
        rows = await session.execute(statement, values)
    return {row.idea_id: Total(row.settled_coins, row.settled_backers, row.is_settling) for row in rows}


async def get_settled(session: AsyncSession, idea_id: UUID) -> Total:
    """The total of a closed idea when it was closed."""
    row = (await session.execute(queries.SETTLED, {"idea_id": idea_id})).one()
    return Total(row.coins, row.backers, row.is_settling)


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
    with refusing_in_grace():
        rows = await session.execute(statement, values)
    row = rows.one()
    return Closing(row.wallet_coins, row.is_settling)


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
