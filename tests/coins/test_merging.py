"""Merges of stakes in the ledger, and their undo."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from api.coins import errors
from api.coins import service as coins
from tests.factories.ledgers import Ledger, make_ledger

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

_STATE = text(
    """
    SELECT a.kind, a.user_id, a.idea_id, a.balance_coins FROM app.coin_accounts AS a
    WHERE a.campaign_id = :id AND a.balance_coins > 0
    UNION ALL
    SELECT 'target', NULL, t.idea_id, t.is_open::integer FROM app.coin_targets AS t WHERE t.campaign_id = :id
    """
)


async def state(session: AsyncSession, ledger: Ledger) -> set[tuple[object, ...]]:
    """All balances, and which ideas are open."""
    return {tuple(row) for row in await session.execute(_STATE, {"id": ledger.campaign_id})}


async def merge(
    session: AsyncSession, ledger: Ledger, target: int, *sources: int
) -> tuple[UUID, list[coins.MergedStakes]]:
    merge_id = uuid4()
    ids = [ledger.ideas[source] for source in sources]
    found = await coins.merge_stakes(
        session, ledger.campaign_id, merge_id, ledger.ideas[target], ids, actor_id=None, reason="the same"
    )
    await check(session, ledger)
    return merge_id, [found[each] for each in ids]


async def undo(
    session: AsyncSession, ledger: Ledger, merge_id: UUID, target: int, *sources: int
) -> list[coins.MovedAccount]:
    moved = await coins.undo_merged_stakes(
        session,
        ledger.campaign_id,
        merge_id,
        ledger.ideas[target],
        [ledger.ideas[source] for source in sources],
        actor_id=None,
        reason="a mistake",
    )
    await check(session, ledger)
    return moved


async def check(session: AsyncSession, ledger: Ledger) -> None:
    await session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    await session.execute(text("SET CONSTRAINTS ALL DEFERRED"))
    (conservation,) = await coins.verify(session, ledger.campaign_id)
    assert conservation.holds, conservation


async def stake(session: AsyncSession, ledger: Ledger, member: int, idea: int) -> int:
    balance = await coins.get_balance(session, ledger.campaign_id, ledger.members[member])
    return next((each.coins for each in balance.stakes if each.idea_id == ledger.ideas[idea]), 0)


class TestMerge:
    async def test_a_member_on_several_keeps_the_sum(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session, members=3, ideas=4)
        moves = [ledger.move(30, target=1), ledger.move(20, target=2), ledger.move(7, target=3)]
        await coins.move_coins(session, [*moves, ledger.move(5, member=2, target=2)])
        _, [two, three] = await merge(session, ledger, 1, 2, 3)
        assert (two, three) == (coins.MergedStakes(25, 2), coins.MergedStakes(7, 1))
        assert [await stake(session, ledger, member, 1) for member in (1, 2)] == [57, 5]
        balance = await coins.get_balance(session, ledger.campaign_id, ledger.members[1])
        assert (balance.wallet_coins, balance.granted_coins, balance.returned_coins) == (43, 100, 0)

    async def test_the_maximum_holds_and_the_rest_returns(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session, members=3, ideas=4, coins_per_member_and_idea_max=40)
        await coins.move_coins(
            session, [ledger.move(30, target=1), ledger.move(25, target=2), ledger.move(8, target=3)]
        )
        sources = sorted((2, 3), key=lambda nth: ledger.ideas[nth])
        _, found = await merge(session, ledger, 1, *sources)
        assert sum(each.returned_coins for each in found) == 23
        assert await stake(session, ledger, 1, 1) == 40
        balance = await coins.get_balance(session, ledger.campaign_id, ledger.members[1])
        assert (balance.wallet_coins, balance.staked_coins) == (60, 40)

    @pytest.mark.parametrize("own_ideas", [True, False])
    async def test_the_author_of_the_target_gets_no_stake_on_it(
        self, session: AsyncSession, *, own_ideas: bool
    ) -> None:
        ledger = await make_ledger(session, own_ideas=own_ideas)
        await coins.move_coins(session, [ledger.move(30, member=0, target=1)])
        _, [found] = await merge(session, ledger, 0, 1)
        assert found == coins.MergedStakes(30, 1, *((0, 0) if own_ideas else (30, 1)))
        assert await stake(session, ledger, 0, 0) == (30 if own_ideas else 0)

    async def test_returned_coins_are_reported_to_the_member(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session, coins_per_member_and_idea_max=40)
        await coins.move_coins(session, [ledger.move(30, target=1), ledger.move(25, target=2)])
        await merge(session, ledger, 1, 2)
        rows = await session.execute(
            text("SELECT user_id, idea_id, data FROM app.events WHERE campaign_id = :id ORDER BY id DESC LIMIT 1"),
            {"id": ledger.campaign_id},
        )
        event = rows.one()
        assert (event.user_id, event.idea_id, event.data["coins"]) == (ledger.members[1], ledger.ideas[2], 15)
        assert event.data["to_idea_id"] is None

    async def test_a_frozen_wallet_gets_its_coins(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session, coins_per_member_and_idea_max=40)
        await coins.move_coins(session, [ledger.move(30, target=1), ledger.move(25, target=2)])
        await coins.freeze_wallets(session, ledger.campaign_id, [ledger.members[1]])
        await merge(session, ledger, 1, 2)
        wallet = await coins.find_wallet(session, ledger.campaign_id, ledger.members[1])
        assert wallet == coins.Wallet(60, is_frozen=True)

    async def test_no_coins_are_put_on_a_merged_idea(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session)
        await merge(session, ledger, 1, 2)
        [outcome] = await coins.move_coins(session, [ledger.move(3, target=2)])
        assert outcome.outcome == "idea_not_open"

    async def test_a_merged_idea_is_neither_merged_nor_a_target(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session)
        await merge(session, ledger, 1, 2)
        for target, source in ((0, 2), (2, 0), (2, 1)):
            with pytest.raises(DBAPIError, match="is not open"):
                async with session.begin_nested():
                    await merge(session, ledger, target, source)

    @pytest.mark.parametrize("graced", [1, 2])
    async def test_waits_for_a_grace_time(self, session: AsyncSession, graced: int) -> None:
        ledger = await make_ledger(session)
        await coins.move_coins(session, [ledger.move(30, target=1), ledger.move(25, target=2)])
        await coins.begin_grace(session, ledger.campaign_id, ledger.ideas[graced])
        with pytest.raises(errors.GraceRunning):
            async with session.begin_nested():
                await merge(session, ledger, 1, 2)

    async def test_balances_at_an_earlier_moment_stay(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session, coins_per_member_and_idea_max=40)
        await coins.move_coins(session, [ledger.move(30, target=1), ledger.move(25, target=2)])
        before = await session.scalar(text("SELECT clock_timestamp()"))
        merge_id, _ = await merge(session, ledger, 1, 2)
        between = await session.scalar(text("SELECT clock_timestamp()"))
        await undo(session, ledger, merge_id, 1, 2)
        found = [
            await coins.get_balance(session, ledger.campaign_id, ledger.members[1], at)
            for at in (before, between, None)
        ]
        assert [{each.coins for each in balance.stakes} for balance in found] == [{30, 25}, {40}, {30, 25}]
        assert [balance.wallet_coins for balance in found] == [45, 60, 45]
        assert {balance.granted_coins for balance in found} == {100}


class TestUndo:
    async def test_restores_every_balance(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session, members=4, ideas=5, coins_per_member_and_idea_max=40)
        moves = [
            ledger.move(coins_, member=member, target=idea)
            for member, idea, coins_ in (
                (0, 1, 9), (0, 2, 9), (1, 0, 30), (1, 1, 25), (1, 2, 8), (2, 3, 12), (3, 3, 5), (3, 4, 6),
            )
        ]  # fmt: skip
        assert {row.outcome for row in await coins.move_coins(session, moves)} == {"moved"}
        before = await state(session, ledger)
        merge_id, _ = await merge(session, ledger, 0, 1, 2, 3)
        assert await state(session, ledger) != before
        assert await undo(session, ledger, merge_id, 0, 1, 2, 3) == []
        assert await state(session, ledger) == before

    async def test_an_idea_is_merged_again_after_it(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session, coins_per_member_and_idea_max=40)
        await coins.move_coins(session, [ledger.move(30, target=1), ledger.move(25, target=2)])
        before = await state(session, ledger)
        for target, source in ((1, 2), (2, 1), (1, 2)):
            merge_id, _ = await merge(session, ledger, target, source)
            assert await undo(session, ledger, merge_id, target, source) == []
            assert await state(session, ledger) == before

    async def test_is_not_done_after_a_movement_and_names_it(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session, members=4, coins_per_member_and_idea_max=40)
        await coins.move_coins(session, [ledger.move(30, target=1), ledger.move(25, target=2)])
        merge_id, _ = await merge(session, ledger, 1, 2)
        merged = await state(session, ledger)
        for moves, moved in (
            ([ledger.move(1, source=1)], {(1, 1), (1, None)}),
            ([ledger.move(1, target=0)], {(1, None)}),
            ([ledger.move(1, member=3, target=1)], {(3, 1)}),
        ):
            async with session.begin_nested() as nested:
                assert {row.outcome for row in await coins.move_coins(session, moves)} == {"moved"}
                found = await undo(session, ledger, merge_id, 1, 2)
                assert {(each.user_id, each.idea_id) for each in found} == {
                    (ledger.members[member], None if idea is None else ledger.ideas[idea]) for member, idea in moved
                }
                await nested.rollback()
        async with session.begin_nested() as nested:  # a movement that does not concern the merge
            await coins.move_coins(session, [ledger.move(1, member=3, target=0)])
            assert await undo(session, ledger, merge_id, 1, 2) == []
            await nested.rollback()
        assert await state(session, ledger) == merged

    async def test_is_not_done_twice(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session)
        merge_id, _ = await merge(session, ledger, 1, 2)
        await undo(session, ledger, merge_id, 1, 2)
        with pytest.raises(DBAPIError, match="is not closed"):
            async with session.begin_nested():
                await undo(session, ledger, merge_id, 1, 2)


class TestMembers:
    async def test_who_had_how_much_where(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session, coins_per_member_and_idea_max=40)
        await coins.move_coins(
            session, [ledger.move(30, target=1), ledger.move(25, target=2), ledger.move(4, member=2, target=2)]
        )
        merge_id, _ = await merge(session, ledger, 1, 2)
        found = await coins.list_merged_members(session, merge_id, ledger.ideas[1])
        assert found == [
            coins.MergedMember(ledger.members[1], {ledger.ideas[2]: 25}, 15, 30, 40),
            coins.MergedMember(ledger.members[2], {ledger.ideas[2]: 4}, 0, 0, 4),
        ]
