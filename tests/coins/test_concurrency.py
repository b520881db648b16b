"""Concurrent movements: the batcher over real connections, and changes of an idea's state during movements."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import psycopg
import pytest

from api.coins import service as coins
from api.coins.commands.batcher import Batcher
from api.coins.errors import LedgerBusy
from tests.factories.clocks import GIVE_UP_AFTER_S
from tests.factories.ledgers import conservation, make_ledger

if TYPE_CHECKING:
    from api.kernel.db import Database
    from settings import Settings

CLIENTS = 32


class TestOneHotIdea:
    async def test_no_coin_is_made_or_lost_and_each_key_counts_once(self, database: Settings, db: Database) -> None:
        """32 clients on one idea; every fourth command repeats a key, and each client requests more than its wallet has."""
        async with db.session() as session:
            ledger = await make_ledger(session, members=CLIENTS, ideas=2, coins_per_member=50)
        async with Batcher(database.database, database.ledger) as batcher:

            async def client(member: int) -> Counter[str]:
                outcomes: Counter[str] = Counter()
                for n in range(20):
                    key = f"key-{n - n % 4 // 3}"
                    outcome = await batcher.move(ledger.move(5, member=member, target=1, key=key))
                    outcomes[outcome.outcome] += 1
                return outcomes

            totals = await asyncio.gather(*(client(member) for member in range(CLIENTS)))
        for outcomes in totals:
            # 15 keys, 10 of which the wallet can pay; a repeated key is a replay, or a refusal again
            assert outcomes["moved"] == 10
            assert outcomes["moved"] + outcomes["replayed"] + outcomes["insufficient_coins"] == 20
            assert outcomes["replayed"] > 0
        found = await conservation(db, ledger)
        assert (found.staked_coins, found.wallet_coins) == (CLIENTS * 50, 0)


class TestAcceptanceAgainstAllocations:
    async def test_nothing_is_staked_on_an_accepted_idea(self, database: Settings, db: Database) -> None:
        async with db.session() as session:
            ledger = await make_ledger(session, members=CLIENTS, ideas=9, coins_per_member=1000)
        accepted = ledger.ideas[1:]
        async with Batcher(database.database, database.ledger) as batcher:
            stopping = asyncio.Event()

            async def client(member: int) -> Counter[str]:
                outcomes: Counter[str] = Counter()
                n = 0
                while not stopping.is_set():
                    n += 1
                    move = ledger.move(1, member=member, target=1 + n % len(accepted), key=f"race-{n}")
                    outcomes[(await batcher.move(move)).outcome] += 1
                return outcomes

            clients = [asyncio.create_task(client(member)) for member in range(CLIENTS)]
            for idea_id in accepted:
                await asyncio.sleep(0.03)
                async with db.session() as session:
                    await coins.close_targets(session, ledger.campaign_id, [idea_id], kind="expire", actor_id=None)
            await asyncio.sleep(0.03)
            stopping.set()
            outcomes = sum(await asyncio.gather(*clients), Counter[str]())
        assert outcomes["moved"] > 0
        assert outcomes["idea_not_open"] > 0
        found = await conservation(db, ledger)
        assert found.staked_coins == 0
        assert found.expired_coins == outcomes["moved"]


class TestLostConnections:
    async def test_a_batch_whose_connection_was_lost_is_sent_again(
        self, database: Settings, db: Database, admin_url: str
    ) -> None:
        async with db.session() as session:
            ledger = await make_ledger(session, members=CLIENTS)
        async with (
            await psycopg.AsyncConnection.connect(admin_url, autocommit=True) as killer,
            Batcher(database.database, database.ledger) as batcher,
        ):
            for n in range(5):
                pending = [
                    asyncio.create_task(batcher.move(ledger.move(1, member=member, target=1, key=f"cut-{n}")))
                    for member in range(CLIENTS)
                ]
                await asyncio.sleep(0.002 * n)
                await killer.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE application_name = 'ideamint-coins' AND datname = current_database()"
                )
                outcomes = await asyncio.gather(*pending)
                assert {outcome.outcome for outcome in outcomes} <= {"moved", "replayed"}
        found = await conservation(db, ledger)
        assert found.staked_coins == CLIENTS * 5

    async def test_a_retry_of_a_cancelled_request_returns_its_outcome(self, database: Settings, db: Database) -> None:
        async with db.session() as session:
            ledger = await make_ledger(session)
        async with Batcher(database.database, database.ledger) as batcher:
            for n in range(50):
                task = asyncio.create_task(batcher.move(ledger.move(1, target=1, key=f"cancel-{n}")))
                await asyncio.sleep(0)
                task.cancel()
            outcomes = [await batcher.move(ledger.move(1, target=1, key=f"cancel-{n}")) for n in range(50)]
        assert {outcome.outcome for outcome in outcomes} <= {"moved", "replayed"}
        found = await conservation(db, ledger)
        assert found.staked_coins == 50

    async def test_a_cancelled_request_stays_in_the_queue_until_it_is_carried_out(
        self, database: Settings, db: Database
    ) -> None:
        """Otherwise clients that time out and retry would fill the memory while the database does not respond."""
        async with db.session() as session:
            ledger = await make_ledger(session)
        async with Batcher(database.database, database.with_(ledger_queue_max=10).ledger) as batcher:
            waiting = [asyncio.create_task(batcher.move(ledger.move(1, target=1, key=f"left-{n}"))) for n in range(10)]
            await asyncio.sleep(0)
            for task in waiting:
                task.cancel()
            await asyncio.wait(waiting)
            with pytest.raises(LedgerBusy, match="10 coin commands are waiting"):
                await batcher.move(ledger.move(1, target=1, key="late"))
            async with asyncio.timeout(GIVE_UP_AFTER_S):
                while batcher._items:  # noqa: ASYNC110 - there is no event to wait for
                    await asyncio.sleep(0.005)
            assert (await batcher.move(ledger.move(1, target=1, key="late"))).outcome == "moved"
        found = await conservation(db, ledger)
        assert found.staked_coins == 11
