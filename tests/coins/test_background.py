"""The background loops: settlements in steps, and aggregated totals."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import text

from api.coins import background
from api.coins import service as coins
from api.coins.background import aggregate_totals, settle
from api.coins.commands import settlements
from api.kernel import origins
from api.kernel.background import Background, Loop
from api.kernel.db import statements_of
from tests.factories.clocks import GIVE_UP_AFTER_S, TRIES
from tests.factories.ledgers import Ledger, aggregate_now, conservation, make_ledger

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.kernel.db import Database
    from settings import Settings


async def staked(db: Database, members: int) -> Ledger:
    """A ledger with a coin of every member but the author on the second idea, and on the third."""
    async with db.session() as session:
        ledger = await make_ledger(session, members=members)
        for target in (1, 2):
            await coins.move_coins(session, [ledger.move(1, member=n, target=target) for n in range(1, members)])
    return ledger


async def aggregated_at(session: AsyncSession) -> datetime:
    return (await coins.get_list_facts(await statements_of(session), uuid4())).aggregated_at


async def settle_all(db: Database, ledger: Ledger) -> None:
    """Carry out the ledger's settlements. A worker may do so at the same time."""
    unfinished = text("SELECT count(*) FROM app.coin_settlements WHERE campaign_id = :id AND finished_at IS NULL")
    for _ in range(TRIES):
        await settle(db)
        async with db.session() as session:
            if not await session.scalar(unfinished, {"id": ledger.campaign_id}):
                return
        await asyncio.sleep(0.01)
    msg = "the settlements of this ledger do not end"
    raise AssertionError(msg)


async def verified(session: AsyncSession, ledger: Ledger) -> coins.Conservation:
    """Verify before a commit, since a worker may change committed rows."""
    (found,) = await coins.verify(session, ledger.campaign_id)
    assert found.holds
    return found


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than 10 stakes are left to a settlement, and a step takes 10 accounts."""
    monkeypatch.setattr(settlements, "SETTLE_INLINE_MAX", 10)
    monkeypatch.setattr(background, "ACCOUNTS_PER_STEP", 10)


@pytest.mark.usefixtures("small_steps")
class TestSettle:
    async def test_returns_many_stakes_in_steps(self, db: Database) -> None:
        ledger = await staked(db, 41)
        async with db.session() as session:
            totals = await coins.close_targets(
                session, ledger.campaign_id, [ledger.ideas[1]], kind="return", actor_id=None
            )
            total = totals[ledger.ideas[1]]
            assert (total.coins, total.backers, total.is_settling) == (40, 40, True)
            assert (await verified(session, ledger)).staked_coins == 80
            (outcome,) = await coins.move_coins(session, [ledger.move(1, source=1)])
            assert outcome.outcome == "idea_not_open"
            step = text("SELECT app.coins_settle_next(id, 15) FROM app.coin_settlements WHERE campaign_id = :id")
            assert await session.scalar(step, {"id": ledger.campaign_id}) is False
            assert (await verified(session, ledger)).staked_coins == 65
        await settle_all(db, ledger)
        found = await conservation(db, ledger)
        assert (found.staked_coins, found.expired_coins) == (40, 0)

    async def test_each_step_continues_after_the_last_one_over_several_ideas(self, session: AsyncSession) -> None:
        """With more stakes than a step takes, with fewer, and with none; a member's stakes on two of them in one step."""
        ledger = await make_ledger(session, members=26, ideas=5)
        for target, backers in ((1, 25), (2, 3), (4, 10)):
            await coins.move_coins(session, [ledger.move(1, member=n, target=target) for n in range(1, backers + 1)])
        await coins.close_targets(session, ledger.campaign_id, ledger.ideas[1:], kind="return", actor_id=None)
        step = text("SELECT app.coins_settle_next(id, 10) FROM app.coin_settlements WHERE campaign_id = :id")
        left_coins = []
        while not await session.scalar(step, {"id": ledger.campaign_id}):
            left_coins.append((await verified(session, ledger)).staked_coins)
        assert left_coins == [28, 18, 8, 0, 0]
        settled = await session.scalar(
            text("SELECT count(*) FROM app.coin_targets WHERE campaign_id = :id AND settled_at IS NOT NULL"),
            {"id": ledger.campaign_id},
        )
        assert settled == 4

    async def test_ends_a_campaign_in_steps(self, db: Database) -> None:
        ledger = await staked(db, 41)
        async with db.session() as session:
            closing = await coins.close_ledger(session, ledger.campaign_id, actor_id=None)
            assert closing == coins.Closing(wallet_coins=4100 - 80, is_settling=True)
            assert (await verified(session, ledger)).expired_coins == 0
        await settle_all(db, ledger)
        found = await conservation(db, ledger)
        assert (found.wallet_coins, found.staked_coins, found.expired_coins) == (0, 0, 4100)

    async def test_two_processes_settle_each_account_once(self, db: Database) -> None:
        ledger = await staked(db, 201)
        async with db.session() as session:
            await coins.close_ledger(session, ledger.campaign_id, actor_id=None)
        await asyncio.gather(*(settle_all(db, ledger) for _ in range(4)))
        assert (await conservation(db, ledger)).expired_coins == 20_100

    async def test_wallets_are_emptied_after_the_last_return(
        self, db: Database, monkeypatch: pytest.MonkeyPatch, database: Settings
    ) -> None:
        """The campaign ends while another process returns coins: no coin remains."""
        ledger = await staked(db, 21)
        async with db.session() as session:
            await coins.close_targets(session, ledger.campaign_id, [ledger.ideas[1]], kind="return", actor_id=None)
        monkeypatch.setattr(settlements, "SETTLE_INLINE_MAX", 1000)
        async with db.session() as session:
            assert (await coins.close_ledger(session, ledger.campaign_id, actor_id=None)).is_settling
        async with await psycopg.AsyncConnection.connect(database.database.role_url("app")) as other:
            await other.execute(
                "SELECT app.coins_settle_next(id, 5) FROM app.coin_settlements WHERE campaign_id = %s AND kind = 'return'",
                (ledger.campaign_id,),
            )
            await settle(db)
            found = await conservation(db, ledger)
            assert (found.staked_coins, found.expired_coins) == (40, 0)
            await other.commit()
        await settle_all(db, ledger)
        found = await conservation(db, ledger)
        assert (found.wallet_coins, found.staked_coins, found.expired_coins) == (0, 0, 2100)

    async def test_a_background_settlement_ends_with_a_separate_event(self, db: Database) -> None:
        ledger = await staked(db, 41)
        manager = uuid4()
        with origins.acting(origins.Origin(request_id="asked-for-it")):
            async with db.session() as session:
                await coins.close_targets(
                    session, ledger.campaign_id, [ledger.ideas[1]], kind="return", actor_id=manager
                )
        await settle_all(db, ledger)
        async with db.session() as session:
            await coins.close_ledger(session, ledger.campaign_id, actor_id=manager)
        await settle_all(db, ledger)
        async with db.session() as session:
            rows = await session.execute(
                text(
                    "SELECT actor_id, idea_id, request_id, data FROM app.events "
                    "WHERE campaign_id = :id AND kind = 'coins_settled' ORDER BY id"
                ),
                {"id": ledger.campaign_id},
            )
            returned, ended = rows.all()
        assert (returned.actor_id, returned.idea_id, returned.request_id) == (manager, ledger.ideas[1], "asked-for-it")
        assert (returned.data["settlement"], returned.data["transfers"]) == ("return", 40)
        assert (returned.data["before"], returned.data["after"]) == (
            {"is_settling": True, "stake_coins": 40}, {"is_settling": False, "stake_coins": 0},
        )  # fmt: skip
        assert (ended.idea_id, ended.data["settlement"], ended.data["wallets_emptied"]) == (None, "settle", True)
        # the stakes on the third idea, and every wallet
        assert ended.data["transfers"] == 40 + 41

    async def test_a_settlement_by_a_command_has_no_second_event(self, db: Database) -> None:
        ledger = await staked(db, 3)
        async with db.session() as session:
            await coins.close_ledger(session, ledger.campaign_id, actor_id=None)
            kinds = await session.scalars(
                text("SELECT kind FROM app.events WHERE campaign_id = :id AND kind = 'coins_settled'"),
                {"id": ledger.campaign_id},
            )
            assert kinds.all() == []

    async def test_a_blocked_process_leaves_no_transaction_open(self, db: Database, admin_url: str) -> None:
        ledger = await staked(db, 3)
        async with db.session() as session:
            await session.execute(
                text("SELECT app.coins_close_targets(:id, ARRAY[CAST(:idea AS uuid)], 'return', NULL, NULL, NULL, 0)"),
                {"id": ledger.campaign_id, "idea": ledger.ideas[1]},
            )
        with (
            psycopg.connect(admin_url) as holder,
            psycopg.connect(admin_url, autocommit=True) as watcher,
        ):
            holder.execute(
                "SELECT FROM app.coin_accounts WHERE campaign_id = %s AND kind = 'wallet' FOR UPDATE",
                (ledger.campaign_id,),
            )
            (holder_pid,) = holder.execute("SELECT pg_backend_pid()").fetchone() or (0,)
            settling = asyncio.create_task(settle(db))
            blocked: list[tuple[int]] = []
            while not blocked and not settling.done():
                await asyncio.sleep(0.01)
                blocked = watcher.execute(
                    "SELECT pid FROM pg_stat_activity WHERE %s = ANY (pg_blocking_pids(pid))", (holder_pid,)
                ).fetchall()
            # from here to the last line the event loop, and so the process, is blocked
            holder.rollback()
            state = ""
            while not state.startswith("idle"):
                (state,) = watcher.execute(
                    "SELECT state FROM pg_stat_activity WHERE pid = %s", blocked[0]
                ).fetchone() or ("",)
            assert state == "idle"
            await settling
        await conservation(db, ledger)


class TestAggregateTotals:
    async def test_totals_are_those_of_the_stakes(self, db: Database) -> None:
        ledger = await staked(db, 21)
        await aggregate_now(db)
        async with db.session() as session:
            await coins.move_coins(session, [ledger.move(1, source=1), ledger.move(5, member=2, target=1)])
            await coins.close_targets(session, ledger.campaign_id, [ledger.ideas[2]], kind="return", actor_id=None)
        await aggregate_now(db)
        async with db.session() as session:
            rows = await session.execute(
                text("SELECT idea_id, coins, backers FROM app.coin_totals WHERE campaign_id = :id"),
                {"id": ledger.campaign_id},
            )
            totals = {row.idea_id: (row.coins, row.backers) for row in rows}
        assert totals == {ledger.ideas[1]: (24, 19), ledger.ideas[2]: (0, 0)}
        await conservation(db, ledger)

    async def test_includes_transactions_that_commit_late(self, db: Database, database: Settings) -> None:
        """A transaction that began earlier and commits later than others has the lower xid and the later rows."""
        async with db.session() as session:
            ledger = await make_ledger(session, members=4)
        async with await psycopg.AsyncConnection.connect(database.database.role_url("app")) as slow:
            await slow.execute("SELECT pg_current_xact_id()")
            async with db.session() as session:
                await coins.move_coins(session, [ledger.move(3, member=1, target=1)])
            await aggregate_totals(db)
            await slow.execute(
                "SELECT * FROM app.coins_move(%s::uuid[], %s::uuid[], ARRAY[NULL]::uuid[], %s::uuid[], ARRAY[4]::bigint[], "
                "ARRAY[NULL]::text[], ARRAY[NULL]::bytea[], ARRAY[NULL]::text[])",
                ([ledger.campaign_id], [ledger.members[2]], [ledger.ideas[1]]),
            )
            await slow.commit()
        await aggregate_now(db)
        async with db.session() as session:
            coins_aggregated = await session.scalar(
                text("SELECT coins FROM app.coin_totals WHERE idea_id = :id"), {"id": ledger.ideas[1]}
            )
        assert coins_aggregated == 7
        await conservation(db, ledger)

    async def test_its_time_is_not_newer_than_its_totals(self, db: Database, database: Settings) -> None:
        """While an old transaction delays the aggregation, the time of the totals is before the missing transfers."""
        async with db.session() as session:
            ledger = await make_ledger(session, members=2)
        async with await psycopg.AsyncConnection.connect(database.database.role_url("app")) as slow:
            await slow.execute("SELECT pg_current_xact_id()")
            async with db.session() as session:
                await coins.move_coins(session, [ledger.move(3, target=1)])
            async with db.session() as session:
                moved_by = await session.scalar(text("SELECT clock_timestamp()"))
            for _ in range(3):
                await aggregate_totals(db)
            async with db.session() as session:
                assert await aggregated_at(session) < moved_by
                lacking = text("SELECT count(*) FROM app.coin_totals WHERE campaign_id = :id")
                assert await session.scalar(lacking, {"id": ledger.campaign_id}) == 0
            await slow.commit()
        for _ in range(TRIES):
            await aggregate_now(db)
            async with db.session() as session:
                if await aggregated_at(session) >= moved_by:
                    break
            await asyncio.sleep(0.02)
        else:
            pytest.fail("the totals' time did not follow them")
        async with db.session() as session:
            assert await session.scalar(lacking, {"id": ledger.campaign_id}) == 1

    async def test_days_are_sums_of_their_transfers_in_utc(self, db: Database) -> None:
        """An hour before and after midnight in Paris, where 23:30 UTC is the next day."""
        days = [datetime(2024, 6, day, hour, 30, tzinfo=UTC) for day, hour in ((1, 21), (1, 23), (2, 0))]
        async with db.session() as session:
            ledger = await make_ledger(session, members=0, ideas=0)
            member, idea = uuid4(), uuid4()
            await coins.grant_coins(session, ledger.campaign_id, [member], actor_id=None, effective_at=days[0])
            await coins.open_targets(session, ledger.campaign_id, {idea: None})
            for amount, day in zip((5, 7, 11), days, strict=True):
                move = coins.Move(ledger.campaign_id, member, None, idea, amount)
                await coins.move_coins(session, [move], effective_at=day)
        await aggregate_now(db)
        async with db.session() as session:
            rows = await session.execute(
                text("SELECT flowed_on, kind, coins, transfers FROM app.coin_flows_daily WHERE campaign_id = :id"),
                {"id": ledger.campaign_id},
            )
            assert {tuple(row) for row in rows} == {
                (date(2024, 6, 1), "grant", 100, 1), (date(2024, 6, 1), "allocate", 12, 2),
                (date(2024, 6, 2), "allocate", 11, 1),
            }  # fmt: skip
        await conservation(db, ledger)

    async def test_continues_during_a_long_settlement(self, db: Database) -> None:
        settling, aggregated = asyncio.Event(), asyncio.Event()

        async def settle_for_ever(_: Database) -> None:
            settling.set()
            await asyncio.Event().wait()

        async def note(_: Database) -> None:
            await settling.wait()
            aggregated.set()

        loops = [Loop(name="settle", run=settle_for_ever, pause_s=1), Loop(name="aggregate", run=note, pause_s=1)]
        async with Background(db, loops):
            await asyncio.wait_for(aggregated.wait(), GIVE_UP_AFTER_S)
