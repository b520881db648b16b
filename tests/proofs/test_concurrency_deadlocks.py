"""All connections use the same wallets and ideas in opposite orders, together with every other writer of the ledger."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest

from api.coins import service as coins
from tests.factories.ledgers import conservation, make_ledger
from tests.proofs.ledger_traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.kernel.db import Database
    from settings import Settings

MOVERS = 8
OUTCOMES = {
    "moved", "busy", "wallet_frozen", "insufficient_coins", "insufficient_stake", "idea_not_open",
    "corrected", "granted", "not_a_member",
}  # fmt: skip


async def deadlocks_seen(admin_url: str) -> int:
    """The deadlock counter of this database, after all other connections have reported their statistics."""
    async with await psycopg.AsyncConnection.connect(admin_url, autocommit=True) as connection:
        cursor = await connection.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        (count,) = await cursor.fetchone() or (0,)
    return int(count)


async def test_opposite_orders_never_deadlock(
    database: Settings, db: Database, admin_url: str, *, full: bool, figure: Callable[[str], None]
) -> None:
    async with db.session() as session:
        ledger = await make_ledger(session, members=40, ideas=8, coins_per_member=1000, own_ideas=True)
    before = await deadlocks_seen(admin_url)
    traffic = Traffic(database.database.role_url("app"), ledger, list(ledger.ideas))
    async with traffic.running(
        *[traffic.move_upward, traffic.move_downward] * (MOVERS // 2),
        traffic.accept_and_undo,
        traffic.accept_and_undo,
        traffic.withdraw,
        traffic.merge_and_undo,
        traffic.merge_and_undo,
        traffic.withdraw_in_steps,
        traffic.correct,
        traffic.correct,
        traffic.leave_and_rejoin,
        traffic.aggregate,
    ):
        await asyncio.sleep(60 if full else 3)
    assert traffic.errors == {}
    assert set(traffic.outcomes) <= OUTCOMES
    assert traffic.outcomes["moved"] > 0
    assert min(traffic.commands.values()) > 0
    assert await deadlocks_seen(admin_url) == before
    await conservation(db, ledger)
    figure(f"0 deadlocks, 0 errors; commands: {traffic.summary()}; items: {dict(traffic.outcomes)}")


async def test_concurrent_rejoins_lock_in_the_order_of_wallets(
    database: Settings, db: Database, admin_url: str
) -> None:
    """Two members whose wallets and ids are in opposite orders rejoin while an idea of both is withdrawn."""
    small, big = sorted((uuid4(), uuid4()))
    async with db.session() as session:
        ledger = await make_ledger(session)
        for member in (big, small):
            await coins.grant_coins(session, ledger.campaign_id, [member], actor_id=None)
        moves = [coins.Move(ledger.campaign_id, member, None, ledger.ideas[1], 1) for member in (big, small)]
        assert {outcome.outcome for outcome in await coins.move_coins(session, moves)} == {"moved"}
        for member in (big, small):
            await coins.freeze_wallets(session, ledger.campaign_id, [member])
    async with await psycopg.AsyncConnection.connect(admin_url, autocommit=True) as watcher:

        async def waits_for_lock(connection: psycopg.AsyncConnection) -> None:
            for _ in range(500):
                blocked = await watcher.execute("SELECT pg_blocking_pids(%s)", (connection.info.backend_pid,))
                if (await blocked.fetchone() or ([],))[0]:
                    return
                await asyncio.sleep(0.01)
            pytest.fail("no session waits for a lock")

        url = database.database.role_url("app")
        async with (
            await psycopg.AsyncConnection.connect(admin_url) as holder,
            await psycopg.AsyncConnection.connect(url, autocommit=True) as returning,
            # forces a plan that the planner may choose: wallets by the index on members
            await psycopg.AsyncConnection.connect(
                url, autocommit=True, options="-c enable_seqscan=off -c enable_bitmapscan=off"
            ) as rejoining,
        ):
            await holder.execute(
                "SELECT FROM app.coin_accounts WHERE user_id = %s AND kind = 'wallet' FOR UPDATE", (big,)
            )
            withdrawn = asyncio.create_task(
                returning.execute(
                    "SELECT app.coins_close_targets(%s, ARRAY[%s::uuid], 'return', NULL)",
                    (ledger.campaign_id, ledger.ideas[1]),
                )
            )
            await waits_for_lock(returning)
            rejoined = asyncio.create_task(
                rejoining.execute("SELECT app.coins_grant(%s, %s::uuid[], NULL)", (ledger.campaign_id, [big, small]))
            )
            await waits_for_lock(rejoining)
            await holder.rollback()
            results = await asyncio.gather(withdrawn, rejoined, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
    await conservation(db, ledger)
