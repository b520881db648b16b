"""An invalid item of a batch affects no other item, whether it is refused or raises an unexpected error."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import text

from api.coins.commands.batcher import Batcher
from tests.factories.ledgers import Ledger, conservation, make_ledger

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.coins.service import Move
    from api.kernel.db import Database
    from settings import Settings

ITEMS, INVALID = 100, 42


async def batches_of(db: Database, ledger: Ledger) -> list[int]:
    """The number of movements per transaction."""
    async with db.session() as session:
        rows = await session.scalars(
            text("SELECT count(*) FROM app.coin_transfers WHERE campaign_id = :id AND kind = 'allocate' GROUP BY xid"),
            {"id": ledger.campaign_id},
        )
        return sorted(rows)


class TestABatchWithOneInvalidItem:
    async def test_that_is_refused_commits_the_others_together(
        self, database: Settings, db: Database, *, figure: Callable[[str], None]
    ) -> None:
        async with db.session() as session:
            ledger = await make_ledger(session, members=ITEMS, coins_per_member=10)
        async with Batcher(database.database, database.ledger) as batcher:
            moves = [ledger.move(11 if n == INVALID else 10, member=n, target=1, key="once") for n in range(ITEMS)]
            outcomes = await asyncio.gather(*(batcher.move(move) for move in moves))
        assert [n for n, outcome in enumerate(outcomes) if outcome.outcome != "moved"] == [INVALID]
        assert (outcomes[INVALID].outcome, outcomes[INVALID].has_coins) == ("insufficient_coins", 10)
        assert await batches_of(db, ledger) == [ITEMS - 1]
        assert (await conservation(db, ledger)).staked_coins == 10 * (ITEMS - 1)
        figure(f"1 refused item in a batch of {ITEMS}: {ITEMS - 1} committed in one transaction")

    @pytest.mark.parametrize(
        ("what", "invalid_move", "error"),
        [
            (
                "more coins than a column holds",
                lambda ledger: ledger.move(2**70, member=INVALID, target=1, key="once"),
                psycopg.errors.NumericValueOutOfRange,
            ),
            (
                "a key longer than its check allows",
                lambda ledger: ledger.move(10, member=INVALID, target=1, key="k" * 256),
                psycopg.errors.CheckViolation,
            ),
            (
                "a text that PostgreSQL cannot store",
                lambda ledger: ledger.move(10, member=INVALID, target=1, key="k\0"),
                psycopg.DataError,
            ),
        ],
        ids=["range", "check", "text"],
    )
    async def test_that_fails_unexpectedly_commits_the_others(
        self,
        database: Settings,
        db: Database,
        what: str,
        invalid_move: Callable[[Ledger], Move],
        error: type[Exception],
        *,
        figure: Callable[[str], None],
    ) -> None:
        async with db.session() as session:
            ledger = await make_ledger(session, members=ITEMS, coins_per_member=10)
        moves = [ledger.move(10, member=n, target=1, key="once") for n in range(ITEMS)]
        moves[INVALID] = invalid_move(ledger)
        async with Batcher(database.database, database.ledger) as batcher:
            results = await asyncio.gather(*(batcher.move(move) for move in moves), return_exceptions=True)
            failed = results.pop(INVALID)
            assert isinstance(failed, error)
            outcomes = Counter(result.outcome for result in results if not isinstance(result, BaseException))
            assert outcomes == {"moved": ITEMS - 1}
            afterwards = await batcher.move(ledger.move(10, member=INVALID, target=1, key="twice"))
        assert afterwards.outcome == "moved"
        assert (await conservation(db, ledger)).staked_coins == 10 * ITEMS
        figure(f"{what} in a batch of {ITEMS}: {outcomes['moved']} moved, 1 failed with {type(failed).__name__}")
