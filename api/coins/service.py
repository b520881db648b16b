"""The ledger's face. Every write is a call of a database function; nothing here decides what the database has not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from api.coins import errors
from api.coins.commands.moves import SQL, Move, Outcome, as_arguments
from api.coins.commands.policies import get_policy, list_policies, set_policy
from api.coins.reading import queries
from api.coins.schemas import BackerRead, Balance, CampaignCoins, PolicyWrite, StakeRead
from api.events.service import current_request_id
from api.kernel import clock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from typing import Literal
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

__all__ = ["Move", "Outcome", "get_policy", "list_policies", "set_policy"]


# accounts that a command settles in its own transaction; more are left to the background
SETTLE_INLINE_MAX = 1000
SETTLE_TIMEOUT_MS = 60_000


@dataclass(frozen=True)
class Conservation:
    """Where the coins of one campaign are; all figures in coins but the last two, which count what is wrong."""

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
        """Issued + carried in = wallets + held + stakes + expired + carried out, and every kept balance is its postings' sum."""
        wrong = self.wrong_balances + self.unbalanced_transfers + self.wrong_totals
        return self.difference_coins == 0 and wrong == 0


@dataclass(frozen=True)
class Wallet:
    """A member's wallet; frozen, it keeps its coins and gives none."""

    wallet_coins: int
    is_frozen: bool


@dataclass(frozen=True)
class Closing:
    """What the wallets of a closed ledger held, and whether the background is still emptying them."""

    wallet_coins: int
    is_settling: bool


@dataclass(frozen=True)
class Total:
    """An idea's coins and backers, now or when it was settled."""

    coins: int
    backers: int
    is_settling: bool = False


async def open_ledger(session: AsyncSession, campaign_id: UUID, policy: PolicyWrite, *, actor_id: UUID | None) -> None:
    """Open the books of a campaign with the first version of its policy."""
    await session.execute(
        text("SELECT app.coins_open_ledger(:campaign_id, CAST(:policy AS jsonb), :actor_id)"),
        {"campaign_id": campaign_id, "policy": policy.model_dump_json(), "actor_id": actor_id},
    )


async def set_window(
    session: AsyncSession, campaign_id: UUID, *, opens_at: datetime | None, closes_at: datetime | None
) -> None:
    """Set the campaign's window: the first and the last moment at which members' coins move, None for no bound.

    The ledger applies the narrower of this window and the policy's, by the database's clock.
    """
    await session.execute(
        text("SELECT app.coins_set_window(:campaign_id, :opens_at, :closes_at)"),
        {"campaign_id": campaign_id, "opens_at": opens_at, "closes_at": closes_at},
    )


async def grant_coins(
    session: AsyncSession,
    campaign_id: UUID,
    user_ids: Sequence[UUID],
    *,
    actor_id: UUID | None,
    effective_at: datetime | None = None,
) -> list[UUID]:
    """Open a wallet with the policy's coins for each member who has none, thaw the others'; who was granted coins."""
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
    """A member's wallet now."""
    row = (await session.execute(queries.WALLET, {"campaign_id": campaign_id, "user_id": user_id})).one_or_none()
    return Wallet(row.wallet_coins, row.is_frozen) if row else None


async def freeze_wallet(session: AsyncSession, campaign_id: UUID, user_id: UUID) -> None:
    """Keep a wallet from being used, and what is in it."""
    await session.execute(
        text("SELECT app.coins_freeze_wallet(:campaign_id, :user_id)"), {"campaign_id": campaign_id, "user_id": user_id}
    )


async def open_targets(session: AsyncSession, campaign_id: UUID, authors: dict[UUID, UUID | None]) -> None:
    """Open ideas for coins; `authors` maps each idea to who wrote it."""
    await session.execute(
        text("SELECT app.coins_open_targets(:campaign_id, CAST(:idea_ids AS uuid[]), CAST(:author_ids AS uuid[]))"),
        {"campaign_id": campaign_id, "idea_ids": list(authors), "author_ids": list(authors.values())},
    )


async def close_targets(
    session: AsyncSession,
    campaign_id: UUID,
    idea_ids: Sequence[UUID],
    *,
    kind: Literal["expire", "return", "settle"],
    actor_id: UUID | None,
    reason: str | None = None,
    effective_at: datetime | None = None,
) -> dict[UUID, Total]:
    """Close ideas for coins, and let their stakes expire or go back to the wallets; what each idea had."""
    await allow_time(session)
    rows = await session.execute(
        text(
            "SELECT idea_id, settled_coins, settled_backers, is_settling FROM app.coins_close_targets"
            "(:campaign_id, CAST(:idea_ids AS uuid[]), :kind, :actor_id, :reason, :effective_at, :inline_max, :request_id)"
        ),
        {
            "campaign_id": campaign_id,
            "idea_ids": list(idea_ids),
            "kind": kind,
            "actor_id": actor_id,
            "reason": reason,
            "effective_at": effective_at or clock.effective_at(),
            "inline_max": _inline_max(),
            "request_id": current_request_id(),
        },
    )
    return {row.idea_id: Total(row.settled_coins, row.settled_backers, row.is_settling) for row in rows}


async def get_settled(session: AsyncSession, idea_id: UUID) -> Total:
    """What a closed idea had when it was closed."""
    row = (await session.execute(queries.SETTLED, {"idea_id": idea_id})).one()
    return Total(row.coins, row.backers, row.is_settling)


async def reopen_target(
    session: AsyncSession, campaign_id: UUID, idea_id: UUID, *, actor_id: UUID | None, reason: str | None
) -> Total:
    """Undo an acceptance: the stakes that expired are put back by transfers that name what they reverse."""
    await allow_time(session)
    rows = await session.execute(
        text("SELECT coins, backers FROM app.coins_reopen_target(:campaign_id, :idea_id, :actor_id, :reason)"),
        {"campaign_id": campaign_id, "idea_id": idea_id, "actor_id": actor_id, "reason": reason},
    )
    row = rows.one()
    return Total(row.coins, row.backers)


def _inline_max() -> int | None:
    """How many accounts a command may settle itself; at a moment that is not now (the demo, an import) it settles all."""
    return None if clock.effective_at() else SETTLE_INLINE_MAX


async def allow_time(session: AsyncSession) -> None:
    """Bound the transaction by what a settlement of 100,000 stakes takes, not by what a usual request may."""
    await session.execute(text(f"SET LOCAL statement_timeout = {SETTLE_TIMEOUT_MS}"))


async def close_ledger(
    session: AsyncSession, campaign_id: UUID, *, actor_id: UUID | None, effective_at: datetime | None = None
) -> Closing:
    """Close a campaign's ledger: every open stake and every wallet expires, in the background where there are many.

    `effective_at` is the moment of an import, which settles at once.
    """
    await allow_time(session)
    rows = await session.execute(
        text(
            "SELECT wallet_coins, is_settling FROM app.coins_close_ledger"
            "(:campaign_id, :actor_id, :effective_at, :inline_max, :request_id)"
        ),
        {
            "campaign_id": campaign_id,
            "actor_id": actor_id,
            "effective_at": effective_at or clock.effective_at(),
            "inline_max": None if effective_at else _inline_max(),
            "request_id": current_request_id(),
        },
    )
    row = rows.one()
    return Closing(row.wallet_coins, row.is_settling)


async def move_coins(
    session: AsyncSession,
    moves: Sequence[Move],
    *,
    actor_id: UUID | None = None,
    effective_at: datetime | None = None,
    is_import: bool = False,
) -> list[Outcome]:
    """Carry out many movements in the session's own transaction; an outcome a movement, in their order.

    For imports and the demo. Requests go through the batcher, which gathers them.
    """
    connection = await session.connection()
    arguments = as_arguments(moves, actor_id, effective_at or clock.effective_at(), is_import=is_import)
    rows = await connection.exec_driver_sql(SQL, arguments)
    return sorted((Outcome(**row) for row in rows.mappings()), key=lambda outcome: outcome.item)


async def get_balance(session: AsyncSession, campaign_id: UUID, user_id: UUID, at: datetime | None = None) -> Balance:
    """A member's coins in one campaign, now or at a moment in the past.

    Raises:
        NotAMember: there is no wallet.
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
        # nothing else enters a member's accounts, and nothing else leaves them
        granted_coins=sum(row.coins for row in accounts) + expired_coins,
        wallet_coins=sum(row.coins for row in accounts if row.kind == "wallet"),
        held_coins=sum(row.coins for row in accounts if row.kind == "held"),
        staked_coins=sum(stake.coins for stake in stakes),
        expired_coins=expired_coins,
        returned_coins=sum(row.returned_coins for row in accounts),
        stakes=stakes,
    )


async def list_my_campaigns(session: AsyncSession, user_id: UUID) -> list[CampaignCoins]:
    """A user's coins over all campaigns."""
    rows = await session.execute(queries.MY_CAMPAIGNS, {"user_id": user_id})
    return [CampaignCoins.model_validate(row) for row in rows]


async def get_aggregated_at(session: AsyncSession) -> datetime:
    """As of when the totals of many ideas are."""
    aggregated_at: datetime = await session.scalar(queries.AGGREGATED_AT)
    return aggregated_at


async def list_backers(
    session: AsyncSession, idea_id: UUID, *, limit: int, after: tuple[UUID] | None
) -> list[BackerRead]:
    """Whose coins lie on an idea, or lay on it when it was settled, in the order of their ids.

    Who may read it is the caller's to check: the policy's `stakes_visible_to` says.
    """
    rows = await session.execute(
        queries.BACKERS, {"idea_id": idea_id, "limit": limit, "after": after[0] if after else None}
    )
    return [BackerRead.model_validate(row) for row in rows]


async def verify(session: AsyncSession, campaign_id: UUID | None = None) -> list[Conservation]:
    """Recompute every balance from the postings, for one campaign or all; a row a campaign."""
    rows = await session.execute(queries.VERIFY, {"campaign_id": campaign_id})
    return [Conservation(**row) for row in rows.mappings()]
