"""Every snapshot that is read during movements contains each coin exactly once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psycopg
from psycopg import IsolationLevel

from tests.factories.ledgers import conservation, make_ledger
from tests.proofs.ledger_traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.kernel.db import Database
    from settings import Settings

MEMBERS, COINS, READERS = 60, 1000, 4

# stored balances; mint and expired store none, so theirs are the sums of their postings
ACCOUNTS = """
    SELECT coalesce(sum(a.balance_coins), 0)::bigint + (
        SELECT coalesce(sum(p.amount_coins), 0)::bigint FROM app.coin_postings AS p
        JOIN app.coin_accounts AS e ON e.id = p.account_id
        WHERE e.campaign_id = %(campaign)s AND e.kind = 'expired'
    )
    FROM app.coin_accounts AS a WHERE a.campaign_id = %(campaign)s
"""
POSTINGS = """
    SELECT coalesce(sum(p.amount_coins), 0)::bigint, count(*) FROM app.coin_postings AS p
    JOIN app.coin_accounts AS a ON a.id = p.account_id WHERE a.campaign_id = %(campaign)s
"""
# accounts whose stored balance differs from the sum of their postings
DIFFERENCES = """
    SELECT count(*) FROM (
        SELECT a.id FROM app.coin_accounts AS a LEFT JOIN app.coin_postings AS p ON p.account_id = a.id
        WHERE a.campaign_id = %(campaign)s AND a.balance_coins IS NOT NULL
        GROUP BY a.id HAVING a.balance_coins <> coalesce(sum(p.amount_coins), 0)
    ) AS d
"""


@dataclass
class Readings:
    """Results of the readers; each snapshot is read more than once."""

    totals: set[int] = field(default_factory=set)
    posted: set[int] = field(default_factory=set)
    differences: set[int] = field(default_factory=set)
    postings: set[int] = field(default_factory=set)
    snapshots: int = 0


async def read(url: str, campaign: object, readings: Readings, is_over: asyncio.Event) -> None:
    async def one(statement: str) -> tuple[int, ...]:
        cursor = await connection.execute(statement.encode(), {"campaign": campaign})
        row = await cursor.fetchone()
        assert row is not None
        return row

    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
        await connection.set_read_only(True)
        while not is_over.is_set():
            (first,) = await one(ACCOUNTS)
            total, count = await one(POSTINGS)
            (differences,) = await one(DIFFERENCES)
            assert await one(ACCOUNTS) == (first,)
            await connection.rollback()
            readings.totals.add(first)
            readings.posted.add(total)
            readings.differences.add(differences)
            readings.postings.add(count)
            readings.snapshots += 1


async def test_every_snapshot_has_the_same_total(
    database: Settings, db: Database, *, full: bool, figure: Callable[[str], None]
) -> None:
    async with db.session() as session:
        ledger = await make_ledger(session, members=MEMBERS, ideas=20, coins_per_member=COINS)
    url = database.database.role_url("app")
    traffic = Traffic(url, ledger, list(ledger.ideas))
    readings, is_over = Readings(), asyncio.Event()
    async with traffic.running(
        *[traffic.move] * 4,
        traffic.accept_and_undo,
        traffic.withdraw,
        traffic.withdraw_in_steps,
        traffic.expire_in_steps,
        traffic.aggregate,
    ):
        readers = [asyncio.create_task(read(url, ledger.campaign_id, readings, is_over)) for _ in range(READERS)]
        await asyncio.sleep(30 if full else 2)
        is_over.set()
        await asyncio.gather(*readers)
    assert traffic.errors == {}
    assert min(traffic.commands.values()) > 0
    assert len(readings.postings) > 1, "no snapshot was taken between two writes"
    assert readings.totals == {MEMBERS * COINS}
    assert readings.posted == {0}
    assert readings.differences == {0}
    found = await conservation(db, ledger)
    assert found.issued_coins == MEMBERS * COINS
    figure(
        f"{readings.snapshots} snapshots by {READERS} readers at {len(readings.postings)} different moments: the total is "
        f"{MEMBERS * COINS} coins in each, the postings sum to 0; commands meanwhile: {traffic.summary()}"
    )
