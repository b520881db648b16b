"""Everybody at the same wallets and ideas, in opposite orders, with every other writer of the ledger beside."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import psycopg

from tests.factories.ledgers import conservation, make_ledger
from tests.proofs.ledger_traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.kernel.db import Database
    from settings import Settings

MOVERS = 8
OUTCOMES = {
    "moved", "busy", "insufficient_coins", "insufficient_stake", "idea_not_open",
    "corrected", "granted",
}  # fmt: skip


async def deadlocks_seen(admin_url: str) -> int:
    """What the server has counted in this database, once every other connection has told it."""
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
    traffic = Traffic(database.role_url("app"), ledger, list(ledger.ideas))
    async with traffic.of(
        *[traffic.move_upward, traffic.move_downward] * (MOVERS // 2),
        traffic.accept_and_undo,
        traffic.accept_and_undo,
        traffic.give_back,
        traffic.give_back_in_steps,
        traffic.correct,
        traffic.correct,
        traffic.fold,
    ):
        await asyncio.sleep(60 if full else 3)
    assert traffic.errors == {}
    assert set(traffic.outcomes) <= OUTCOMES
    assert traffic.outcomes["moved"] > 0
    assert min(traffic.commands.values()) > 0
    assert await deadlocks_seen(admin_url) == before
    await conservation(db, ledger)
    figure(f"0 deadlocks, 0 errors; commands: {traffic.told()}; items: {dict(traffic.outcomes)}")
