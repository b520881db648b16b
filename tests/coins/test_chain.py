"""The chain of sealed transfers: its order, and sealing by concurrent processes and during movements."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections import Counter
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import text

from api.coins import background, errors
from api.coins import service as coins
from api.coins.chain import chains
from api.kernel.background import Background
from tests.factories.clocks import TRIES
from tests.factories.ledgers import Ledger, make_ledger, seal_now

if TYPE_CHECKING:
    from uuid import UUID

    from api.kernel.db import Database
    from settings import Settings

MOVE = (
    "SELECT outcome FROM app.coins_move(%s::uuid[], %s::uuid[], ARRAY[NULL]::uuid[], %s::uuid[], ARRAY[%s]::bigint[], "
    "ARRAY[NULL]::text[], ARRAY[NULL]::bytea[], ARRAY[NULL]::text[])"
)
NO_HASH = bytes(32)


async def moved(db: Database, ledger: Ledger, *amounts: int) -> None:
    """One transfer per transaction."""
    for amount in amounts:
        async with db.session() as session:
            (outcome,) = await coins.move_coins(session, [ledger.move(amount, target=1)])
        assert outcome.succeeded


async def opened(db: Database, **policy: Any) -> Ledger:
    async with db.session() as session:
        return await make_ledger(session, **policy)


async def blocks(db: Database, campaign_id: UUID) -> list[Any]:
    async with db.session() as session:
        return list(
            await session.execute(
                text("SELECT * FROM app.coin_blocks WHERE campaign_id = :id ORDER BY height"), {"id": campaign_id}
            )
        )


async def sealed_order(db: Database, campaign_id: UUID) -> list[UUID]:
    async with db.session() as session:
        return list(
            await session.scalars(
                text(
                    "SELECT transfer_id FROM app.coin_block_transfers WHERE campaign_id = :id ORDER BY height, position"
                ),
                {"id": campaign_id},
            )
        )


async def written_order(db: Database, campaign_id: UUID) -> list[UUID]:
    async with db.session() as session:
        return list(
            await session.scalars(
                text("SELECT id FROM app.coin_transfers WHERE campaign_id = :id ORDER BY xid, id"), {"id": campaign_id}
            )
        )


async def assert_holds(db: Database, ledger: Ledger) -> None:
    async with db.session() as session:
        found = await chains.check_chain(session, ledger.campaign_id)
    assert (found.holds, found.findings) == (True, [])
    order = await sealed_order(db, ledger.campaign_id)
    assert order == await written_order(db, ledger.campaign_id)
    assert len(order) == found.sealed_transfers


class TestSeal:
    async def test_each_block_follows_the_previous_one(self, quiet_db: Database) -> None:
        ledger = await opened(quiet_db)
        await seal_now(quiet_db)
        # in one transaction: sealing can stop between two, below a transaction that another test has open
        async with quiet_db.session() as session:
            await coins.move_coins(session, [ledger.move(5, target=1), ledger.move(6, target=1)])
        await seal_now(quiet_db)
        one, two, *more = await blocks(quiet_db, ledger.campaign_id)
        assert more == []
        assert (one.height, one.previous_hash, one.sealed_transfers) == (1, NO_HASH, 3)
        assert (two.height, two.previous_hash, two.sealed_transfers) == (2, one.hash, 5)
        async with quiet_db.session() as session:
            head = await chains.get_head(session, ledger.campaign_id)
        assert (head.height, head.hash, head.sealed_transfers) == (2, two.hash.hex(), 5)
        assert head.sealed_at == two.sealed_at
        await assert_holds(quiet_db, ledger)

    async def test_without_new_transfers_there_is_no_new_block(self, quiet_db: Database) -> None:
        ledger = await opened(quiet_db)
        await seal_now(quiet_db)
        assert await background.seal(quiet_db) == 0
        assert len(await blocks(quiet_db, ledger.campaign_id)) == 1

    async def test_an_empty_chain_has_a_head(self, quiet_db: Database) -> None:
        ledger = await opened(quiet_db)
        async with quiet_db.session() as session:
            head = await chains.get_head(session, ledger.campaign_id)
            assert (head.height, head.hash, head.sealed_transfers, head.sealed_at) == (0, "0" * 64, 0, None)
            assert await chains.get_head(session, ledger.campaign_id, 0) == head
            found = await chains.check_chain(session, ledger.campaign_id, chains.KeptHead(0, "0" * 64))
        assert (found.holds, found.has_kept_head) == (True, True)

    async def test_an_unknown_campaign_has_no_head(self, quiet_db: Database) -> None:
        async with quiet_db.session() as session:
            with pytest.raises(errors.UnknownLedger):
                await chains.get_head(session, uuid4())

    async def test_campaigns_have_a_chain_and_a_key_each(self, quiet_db: Database, quiet_admin_url: str) -> None:
        ledgers = [await opened(quiet_db) for _ in range(3)]
        await seal_now(quiet_db)
        for ledger in ledgers:
            assert [block.sealed_transfers for block in await blocks(quiet_db, ledger.campaign_id)] == [3]
            await assert_holds(quiet_db, ledger)
        with psycopg.connect(quiet_admin_url) as connection:
            rows = connection.execute("SELECT key FROM app.coin_chains").fetchall()
        assert len({key for (key,) in rows}) == len(rows) >= 3

    async def test_runs_in_parts(self, quiet_db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        await seal_now(quiet_db)
        monkeypatch.setattr(background, "SEAL_MAX", 4)
        ledger = await opened(quiet_db, members=9)
        await seal_now(quiet_db)
        assert [block.sealed_transfers for block in await blocks(quiet_db, ledger.campaign_id)] == [4, 8, 9]
        await assert_holds(quiet_db, ledger)

    async def test_a_late_commit_is_sealed_in_the_order_of_transactions(
        self, quiet_db: Database, quiet_database: Settings
    ) -> None:
        """A transaction that began earlier and commits later than others has the lower xid: no later transfer is sealed before it."""
        ledger = await opened(quiet_db, members=4)
        await seal_now(quiet_db)
        async with await psycopg.AsyncConnection.connect(quiet_database.database.role_url("app")) as slow:
            await slow.execute("SELECT pg_current_xact_id()")
            await moved(quiet_db, ledger, 1, 2, 3)
            assert await background.seal(quiet_db) == 0
            arguments = ([ledger.campaign_id], [ledger.members[2]], [ledger.ideas[1]], 4)
            assert await (await slow.execute(MOVE, arguments)).fetchone() == ("moved",)
            assert await background.seal(quiet_db) == 0
            await slow.commit()
        await seal_now(quiet_db)
        written = await written_order(quiet_db, ledger.campaign_id)
        async with quiet_db.session() as session:
            late = await session.scalar(
                text("SELECT transfer_id FROM app.coin_postings WHERE transfer_id = ANY (:ids) AND amount_coins = 4"),
                {"ids": written},
            )
        assert written.index(late) == 4, "it precedes the three that were committed before it"
        await assert_holds(quiet_db, ledger)

    async def test_concurrent_processes_seal_each_transfer_once(
        self, quiet_db: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await seal_now(quiet_db)
        monkeypatch.setattr(background, "SEAL_MAX", 7)
        ledgers = [await opened(quiet_db, members=30) for _ in range(3)]
        finished = asyncio.Event()
        outcomes: Counter[str] = Counter()

        async def sealer() -> None:
            while not finished.is_set():
                sealed = await background.seal(quiet_db)
                outcomes["gave way" if sealed is None else "sealed" if sealed else "nothing"] += 1

        sealers = [asyncio.create_task(sealer()) for _ in range(6)]
        await asyncio.gather(*(moved(quiet_db, ledger, *[1] * 20) for ledger in ledgers))
        await seal_now(quiet_db)
        finished.set()
        await asyncio.gather(*sealers)
        for ledger in ledgers:
            await assert_holds(quiet_db, ledger)
            assert len(await sealed_order(quiet_db, ledger.campaign_id)) == 50
        assert outcomes["sealed"] > 0
        assert outcomes["gave way"] > 0

    async def test_a_transaction_that_seals_delays_no_movement(
        self, quiet_db: Database, quiet_database: Settings
    ) -> None:
        ledger = await opened(quiet_db)
        await seal_now(quiet_db)
        await moved(quiet_db, ledger, 1)
        arguments = ([ledger.campaign_id], [ledger.members[1]], [ledger.ideas[1]], 2)
        async with await psycopg.AsyncConnection.connect(quiet_database.database.role_url("app")) as sealing:
            for _ in range(TRIES):
                row = await (await sealing.execute("SELECT app.coins_seal(100)")).fetchone()
                if row == (1,):
                    break
                await sealing.rollback()
                await asyncio.sleep(0.02)
            assert row == (1,)
            locks = await sealing.execute(
                "SELECT DISTINCT c.relname FROM pg_locks AS l JOIN pg_class AS c ON c.oid = l.relation AND c.relkind = 'r' "
                "WHERE l.pid = pg_backend_pid() AND l.mode <> 'AccessShareLock'"
            )
            assert {name for (name,) in await locks.fetchall()} == {
                "coin_seals", "coin_chains", "coin_blocks", "coin_block_transfers",
            }  # fmt: skip
            async with await psycopg.AsyncConnection.connect(quiet_database.database.role_url("app")) as moving:
                await moving.execute("SET lock_timeout = 1")
                assert await (await moving.execute(MOVE, arguments)).fetchone() == ("moved",)
                await moving.commit()
            assert await background.seal(quiet_db) is None
            await sealing.commit()
        await seal_now(quiet_db)
        await assert_holds(quiet_db, ledger)

    async def test_reports_a_transaction_counter_below_the_sealed_transfers(
        self, quiet_db: Database, quiet_admin_url: str
    ) -> None:
        await opened(quiet_db)
        await seal_now(quiet_db)
        with psycopg.connect(quiet_admin_url) as connection:
            connection.execute("UPDATE app.coin_seals SET sealed_xid = '99999999999'")
            with pytest.raises(
                psycopg.errors.ObjectNotInPrerequisiteState, match="sealed up to transaction 99999999999"
            ):
                connection.execute("SELECT app.coins_seal(1)")
            connection.rollback()


class TestBackground:
    async def test_seals_an_existing_ledger_from_its_beginning(
        self, quiet_db: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(background, "SEAL_MAX", 2)
        ledger = await opened(quiet_db, members=5)
        async with Background(quiet_db, background.LOOPS):
            for _ in range(TRIES):
                if len(await sealed_order(quiet_db, ledger.campaign_id)) == 5:
                    break
                await asyncio.sleep(0.02)
        assert len(await blocks(quiet_db, ledger.campaign_id)) >= 3
        await assert_holds(quiet_db, ledger)


class TestKeyedHashes:
    async def test_are_hmacs_under_the_campaigns_key(self, quiet_db: Database, quiet_admin_url: str) -> None:
        ledger = await opened(quiet_db)
        async with quiet_db.session() as session:
            await coins.close_targets(
                session, ledger.campaign_id, [ledger.ideas[2]], kind="expire", actor_id=ledger.members[0]
            )
            await coins.move_coins(session, [ledger.move(3, target=1)], actor_id=ledger.members[2])
        await seal_now(quiet_db)
        with psycopg.connect(quiet_admin_url) as connection:
            row = connection.execute(
                "SELECT c.key, r.actor, r.debit_member, r.credit_member, r.credit_account FROM app.coin_records AS r "
                "JOIN app.coin_chains AS c ON c.campaign_id = r.campaign_id WHERE r.campaign_id = %s AND r.kind = 'allocate'",
                (ledger.campaign_id,),
            ).fetchone()
            assert row is not None
            reason = connection.execute(
                "SELECT app.coins_hmac(inner_key, outer_key, 'reason|' || 'żółw'), key FROM app.coin_chains "
                "WHERE campaign_id = %s",
                (ledger.campaign_id,),
            ).fetchone()
        key = row[0]

        def keyed(what: str) -> str:
            return hmac.new(key, what.encode(), hashlib.sha256).hexdigest()

        member = keyed(f"member|{ledger.members[1]}")
        assert row[1:] == (keyed(f"member|{ledger.members[2]}"), member, member, "stake")
        assert reason == (keyed("reason|żółw"), key)


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        (
            "coin_transfers",
            "id campaign_id batch_id kind actor_id reason reverses_id effective_at recorded_at xid",
        ),
        (
            "coin_postings",
            "transfer_id side account_id amount_coins account_version balance_after_coins effective_at",
        ),
    ],
)
async def test_every_column_is_sealed(quiet_db: Database, table: str, columns: str) -> None:
    """A new column is added to app.coin_records, with a new name of the format, or listed here as not sealed."""
    async with quiet_db.session() as session:
        found = await session.scalars(
            text("SELECT attname FROM pg_attribute WHERE attrelid = CAST(:name AS regclass) AND attnum > 0"),
            {"name": f"app.{table}"},
        )
        assert set(found) == set(columns.split())
