"""The batcher when something fails: one bad item, an unreachable database, a request that was cancelled."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest

from api.coins.commands.batcher import Batcher, expire
from api.coins.commands.moves import Move, Outcome, as_error
from api.coins.errors import LedgerBusy
from cli.local.ports import free_port
from tests.factories.ledgers import Ledger, conservation, make_ledger

if TYPE_CHECKING:
    from api.kernel.db import Database
    from settings import Settings

COINS = 10
BEYOND_BIGINT = 2**63


async def committed_ledger(db: Database) -> Ledger:
    async with db.session() as session:
        return await make_ledger(session, members=2, ideas=2, coins_per_member=100)


class TestAnUnexpectedError:
    async def test_fails_only_the_item_that_causes_it(self, database: Settings, db: Database) -> None:
        ledger = await committed_ledger(db)
        async with Batcher(database.database, database.ledger) as batcher:
            good, bad = await asyncio.gather(
                batcher.move(ledger.move(COINS, member=0, target=1, key="good")),
                batcher.move(replace(ledger.move(COINS, member=1, target=1, key="bad"), coins=BEYOND_BIGINT)),
                return_exceptions=True,
            )
            assert isinstance(good, Outcome)
            assert good.outcome == "moved"
            assert isinstance(bad, psycopg.DataError)
            # and the batcher goes on
            assert (await batcher.move(ledger.move(COINS, member=1, target=1, key="next"))).outcome == "moved"
        assert (await conservation(db, ledger)).staked_coins == 2 * COINS


class TestExpire:
    async def test_a_request_with_an_outcome_keeps_it(self) -> None:
        """The timer can fire in the turn in which the outcome arrives."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        outcome = Outcome(1, "moved", uuid4(), None, 1, 1, None, None, None, None)
        future.set_result(outcome)
        expire(future)
        assert await future is outcome

    async def test_another_one_gets_an_error_with_advice(self) -> None:
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        expire(future)
        with pytest.raises(LedgerBusy, match="The database has not responded yet"):
            await future


class TestAnUnreachableDatabase:
    async def test_is_reported_after_the_deadline(self, database: Settings, db: Database) -> None:
        ledger = await committed_ledger(db)
        nowhere = re.sub(r":\d+/", f":{free_port()}/", str(database.database.url))
        settings = database.with_(database_url=nowhere, ledger_deadline_ms=100)
        async with Batcher(settings.database, settings.ledger) as batcher:
            with pytest.raises(LedgerBusy, match="The database is unavailable; try again with the same key"):
                await batcher.move(ledger.move(COINS, key="lost"))
        assert (await conservation(db, ledger)).staked_coins == 0


class TestACancelledRequest:
    async def test_is_carried_out_and_its_key_returns_the_outcome(self, database: Settings, db: Database) -> None:
        ledger = await committed_ledger(db)
        move = ledger.move(COINS, target=1, key="cancelled")
        async with Batcher(database.database, database.ledger) as batcher:
            request = asyncio.create_task(batcher.move(move))
            await asyncio.sleep(0)  # it is in the queue
            request.cancel()
            with pytest.raises(asyncio.CancelledError):
                await request
            assert (await batcher.move(move)).outcome == "replayed"
        assert (await conservation(db, ledger)).staked_coins == COINS


class TestAfterItsEnd:
    async def test_movements_are_refused(self, database: Settings, db: Database) -> None:
        ledger = await committed_ledger(db)
        async with Batcher(database.database, database.ledger) as batcher:
            pass
        with pytest.raises(LedgerBusy):
            await batcher.move(ledger.move(COINS, key="late"))


def test_an_outcome_that_the_code_does_not_know_is_an_error() -> None:
    move = Move(uuid4(), uuid4(), None, uuid4(), COINS)
    with pytest.raises(AssertionError, match="unknown outcome: unheard_of"):
        as_error(move, Outcome(1, "unheard_of", None, None, None, None, None, None, None, None))
