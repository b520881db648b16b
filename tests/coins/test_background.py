"""What goes on beside the commands: settlements in steps, and folded totals."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import psycopg
import pytest_asyncio
from sqlalchemy import text

from api.coins import service as coins
from api.coins.background import settle
from api.kernel.db import Database
from tests.factories.ledgers import Ledger, fold_now, make_ledger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest

    from settings import Settings


@pytest_asyncio.fixture
async def db(database: Settings) -> AsyncIterator[Database]:
    db = Database(database)
    yield db
    await db.close()


async def staked(db: Database, members: int) -> Ledger:
    """A ledger with a coin of every member but the author on the second idea, and on the third."""
    async with db.session() as session:
        ledger = await make_ledger(session, members=members)
        for target in (1, 2):
            await coins.move_coins(session, [ledger.move(1, member=n, target=target) for n in range(1, members)])
    return ledger


async def holds(db: Database, ledger: Ledger) -> coins.Conservation:
    async with db.session() as session:
        (found,) = await coins.verify(session, ledger.campaign_id)
    assert found.holds
    return found


class TestSettle:
    async def test_returns_many_stakes_in_steps(self, db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(coins, "SETTLE_INLINE_MAX", 10)
        ledger = await staked(db, 41)
        async with db.session() as session:
            totals = await coins.close_targets(
                session, ledger.campaign_id, [ledger.ideas[1]], kind="return", actor_id=None
            )
        total = totals[ledger.ideas[1]]
        assert (total.coins, total.backers, total.is_settling) == (40, 40, True)
        assert (await holds(db, ledger)).staked_coins == 80
        async with db.session() as session:
            (outcome,) = await coins.move_coins(session, [ledger.move(1, source=1)])
            assert outcome.outcome == "idea_not_open"
            step = text("SELECT app.coins_settle_next(id, 15) FROM app.coin_settlements WHERE campaign_id = :id")
            assert await session.scalar(step, {"id": ledger.campaign_id}) is False
        assert (await holds(db, ledger)).staked_coins == 65
        assert await settle(db) == 1
        found = await holds(db, ledger)
        assert (found.staked_coins, found.expired_coins) == (40, 0)

    async def test_ends_a_campaign_in_steps(self, db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(coins, "SETTLE_INLINE_MAX", 10)
        ledger = await staked(db, 41)
        async with db.session() as session:
            closing = await coins.close_ledger(session, ledger.campaign_id, actor_id=None)
        assert closing == coins.Closing(wallet_coins=4100 - 80, is_settling=True)
        assert (await holds(db, ledger)).expired_coins == 0
        await settle(db)
        found = await holds(db, ledger)
        assert (found.wallet_coins, found.staked_coins, found.expired_coins) == (0, 0, 4100)

    async def test_two_processes_share_the_work_and_do_nothing_twice(
        self, db: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(coins, "SETTLE_INLINE_MAX", 10)
        ledger = await staked(db, 201)
        async with db.session() as session:
            await coins.close_ledger(session, ledger.campaign_id, actor_id=None)
        await asyncio.gather(*(settle(db) for _ in range(4)))
        await settle(db)
        assert (await holds(db, ledger)).expired_coins == 20_100


class TestFold:
    async def test_totals_are_those_of_the_stakes(self, db: Database) -> None:
        ledger = await staked(db, 21)
        await fold_now(db)
        async with db.session() as session:
            await coins.move_coins(session, [ledger.move(1, source=1), ledger.move(5, member=2, target=1)])
            await coins.close_targets(session, ledger.campaign_id, [ledger.ideas[2]], kind="return", actor_id=None)
        await fold_now(db)
        async with db.session() as session:
            rows = await session.execute(
                text("SELECT idea_id, coins, backers FROM app.coin_totals WHERE campaign_id = :id"),
                {"id": ledger.campaign_id},
            )
            totals = {row.idea_id: (row.coins, row.backers) for row in rows}
        assert totals == {ledger.ideas[1]: (24, 19), ledger.ideas[2]: (0, 0)}
        await holds(db, ledger)

    async def test_misses_nothing_that_commits_late(self, db: Database, database: Settings) -> None:
        """A transaction that began earlier and commits later than others has the lower xid and the later rows."""
        async with db.session() as session:
            ledger = await make_ledger(session, members=4)
        async with await psycopg.AsyncConnection.connect(database.role_url("app")) as slow:
            await slow.execute("SELECT pg_current_xact_id()")
            async with db.session() as session:
                await coins.move_coins(session, [ledger.move(3, member=1, target=1)])
            await fold_now(db)
            await slow.execute(
                "SELECT * FROM app.coins_move(%s::uuid[], %s::uuid[], ARRAY[NULL]::uuid[], %s::uuid[], ARRAY[4]::bigint[], "
                "ARRAY[NULL]::text[], ARRAY[NULL]::bytea[], ARRAY[NULL]::text[])",
                ([ledger.campaign_id], [ledger.members[2]], [ledger.ideas[1]]),
            )
            await slow.commit()
        await fold_now(db)
        async with db.session() as session:
            coins_folded = await session.scalar(
                text("SELECT coins FROM app.coin_totals WHERE idea_id = :id"), {"id": ledger.ideas[1]}
            )
        assert coins_folded == 7
        await holds(db, ledger)
