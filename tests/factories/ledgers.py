"""A ledger without its campaign: the coins domain needs no rows of users, campaigns or ideas for its ids."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import text

from api.coins import service as coins
from api.coins.background import aggregate_totals, seal
from api.coins.policies import PolicyWrite
from api.coins.service import Move
from tests.factories.clocks import GIVE_UP_AFTER_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import Any

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.kernel.db import Database

_OPEN_TRANSACTIONS = text(
    """
    SELECT datname, application_name, state, 'xid', backend_xid, 'since', xact_start, left(query, 80)
    FROM pg_stat_activity
    WHERE backend_xid IS NOT NULL AND backend_xid::text::bigint <= :until AND pid <> pg_backend_pid()
    ORDER BY xact_start
    """
)


@dataclass(frozen=True)
class Ledger:
    """An open ledger with members who have got their coins, and open ideas. `members[0]` is the author of `ideas[0]`."""

    campaign_id: UUID
    members: list[UUID]
    ideas: list[UUID]

    def move(
        self,
        coins: int,
        *,
        member: int = 1,
        source: int | None = None,
        target: int | None = None,
        key: str | None = None,
        request_hash: bytes | None = None,
    ) -> Move:
        """A movement by indexes: `source` and `target` are ideas, None is the wallet."""
        return Move(
            self.campaign_id,
            self.members[member],
            None if source is None else self.ideas[source],
            None if target is None else self.ideas[target],
            coins,
            key,
            request_hash if request_hash is not None or key is None else key.encode(),
            None,
        )


async def make_ledger(session: AsyncSession, *, members: int = 3, ideas: int = 3, **policy: Any) -> Ledger:
    """Open a ledger, grant `members` their coins and open `ideas` for them."""
    ledger = Ledger(uuid4(), [uuid4() for _ in range(members)], [uuid4() for _ in range(ideas)])
    await coins.open_ledger(session, ledger.campaign_id, PolicyWrite(**policy), actor_id=None)
    await coins.grant_coins(session, ledger.campaign_id, ledger.members, actor_id=None)
    authors: dict[UUID, UUID | None] = dict.fromkeys(ledger.ideas)
    if members and ideas:
        authors[ledger.ideas[0]] = ledger.members[0]
    await coins.open_targets(session, ledger.campaign_id, authors)
    return ledger


async def end_graces(admin_url: str, *idea_ids: UUID) -> None:
    """Let the grace times of ideas have ended a second ago."""
    async with await psycopg.AsyncConnection.connect(admin_url, autocommit=True) as connection:
        await connection.execute(
            "UPDATE app.coin_targets SET grace_from = grace_from - make_interval(days => 60), "
            "grace_until = clock_timestamp() - make_interval(secs => 1) WHERE idea_id = ANY (%s)",
            (list(idea_ids),),
        )


async def conservation(database: Database, ledger: Ledger) -> coins.Conservation:
    """Recompute the ledger from its postings; fails if coins are not conserved."""
    async with database.session() as session:
        (found,) = await coins.verify(session, ledger.campaign_id)
    assert found.holds, found
    return found


async def aggregate_now(database: Database) -> None:
    """Aggregate the totals of all committed transfers.

    An aggregation stops below the oldest transaction of the whole server, including those of other test workers, and
    does nothing while another aggregation is running.
    """
    until = await current_xid(database)
    async for _ in attempts(database, until):
        await aggregate_totals(database)
        async with database.session() as session:
            aggregated = await session.scalar(text("SELECT aggregated_xid::text::bigint FROM app.coin_aggregations"))
        if aggregated > until:
            return


async def current_xid(database: Database) -> int:
    """A transaction id above all assigned ones; its transaction has ended."""
    async with database.session() as session:
        xid: int = await session.scalar(text("SELECT pg_current_xact_id()::text::bigint"))
    return xid


async def attempts(database: Database, until: int) -> AsyncIterator[None]:
    """Attempts while the server's watermark has not passed `until`, for as long as a slow test may keep a transaction open.

    Fails after that and lists the open transactions, since a caller with its own open transaction would wait forever.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + GIVE_UP_AFTER_S
    while loop.time() < deadline:
        yield
        await asyncio.sleep(0.02)
    async with database.session() as session:
        rows = await session.execute(_OPEN_TRANSACTIONS, {"until": until})
        holders = "; ".join(" ".join(map(str, row)) for row in rows) or "none that this role can see"
    pytest.fail(f"the watermark did not pass {until} in {GIVE_UP_AFTER_S} s; open transactions below it: {holders}")


async def seal_now(database: Database) -> None:
    """Seal all committed transfers; like an aggregation, sealing stops below the server's oldest transaction."""
    async with database.session() as session:
        unsealed = await session.scalar(text("SELECT coalesce(max(xid::text::bigint), 0) FROM app.coin_transfers"))
    async for _ in attempts(database, unsealed):
        sealed = await seal(database)
        async with database.session() as session:
            # the last transfers of a transaction may be in the next batch
            done = await session.scalar(text("SELECT sealed_xid::text::bigint FROM app.coin_seals"))
        if done > unsealed or (done == unsealed and sealed == 0):
            return


async def make_sealed_ledger(database: Database, reason: str) -> Ledger:
    """A ledger of three blocks: 3 grants; 2 movements to `ideas[1]`; their expiry by `members[0]`, for `reason`."""
    async with database.session() as session:
        ledger = await make_ledger(session)
    await seal_now(database)
    async with database.session() as session:
        await coins.move_coins(session, [ledger.move(30, target=1), ledger.move(20, member=2, target=1)])
    await seal_now(database)
    async with database.session() as session:
        await coins.close_targets(
            session, ledger.campaign_id, [ledger.ideas[1]], kind="expire", actor_id=ledger.members[0], reason=reason
        )
    await seal_now(database)
    return ledger
