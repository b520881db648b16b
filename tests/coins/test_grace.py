"""The grace time of an idea: which coins may be moved in it, and what waits for its end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from api.coins import errors
from api.coins import service as coins
from api.coins.policies import PolicyWrite
from tests.factories.ledgers import Ledger, make_ledger

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.coins.service import Move


async def outcome(session: AsyncSession, move: Move) -> str:
    (found,) = await coins.move_coins(session, [move])
    return found.outcome


async def close_window(session: AsyncSession, ledger: Ledger) -> None:
    past = datetime.now(UTC) - timedelta(hours=1)
    await coins.set_window(session, ledger.campaign_id, opens_at=None, closes_at=past)


async def staked(session: AsyncSession, **policy: Any) -> Ledger:
    """A ledger in which members 1 and 2 have 30 coins on idea 1, and member 1 has 20 on idea 2."""
    ledger = await make_ledger(session, **policy)
    for move in (
        ledger.move(30, member=1, target=1), ledger.move(30, member=2, target=1), ledger.move(20, member=1, target=2),
    ):  # fmt: skip
        assert await outcome(session, move) == "moved"
    return ledger


async def begin(session: AsyncSession, ledger: Ledger, idea: int = 1) -> datetime | None:
    return await coins.begin_grace(session, ledger.campaign_id, ledger.ideas[idea])


async def find(session: AsyncSession, ledger: Ledger, *, idea: int = 1, member: int = 1) -> coins.Grace | None:
    return await coins.find_grace(session, ledger.ideas[idea], user_id=ledger.members[member])


class TestBeginGrace:
    async def test_lasts_the_hours_of_the_policy(self, session: AsyncSession) -> None:
        ledger = await staked(session, grace_h=48)
        until = await begin(session, ledger)
        now = await session.scalar(text("SELECT clock_timestamp()"))
        assert until is not None
        assert now is not None
        assert timedelta(hours=47) < until - now <= timedelta(hours=48)

    async def test_an_idea_without_coins_has_none(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session)
        assert await begin(session, ledger) is None
        assert await find(session, ledger) is None

    async def test_a_policy_of_no_hours_has_none(self, session: AsyncSession) -> None:
        ledger = await staked(session, grace_h=0)
        assert await begin(session, ledger) is None

    async def test_a_second_one_ends_later_and_frees_the_coins_on_the_idea_then(self, session: AsyncSession) -> None:
        ledger = await staked(session, take_back=False)
        first = await begin(session, ledger)
        assert await outcome(session, ledger.move(10, target=1)) == "moved"
        second = await begin(session, ledger)
        assert first is not None
        assert second is not None
        assert second > first
        assert await outcome(session, ledger.move(40, source=1)) == "moved"


class TestMoves:
    @pytest.mark.parametrize("target", [None, 2], ids=["to the wallet", "to another idea"])
    @pytest.mark.parametrize("is_closed", [True, False], ids=["window closed", "window open"])
    @pytest.mark.parametrize("is_paused", [True, False], ids=["paused", "not paused"])
    async def test_coins_of_the_idea_return_to_the_wallet_and_to_no_other_idea(
        self, session: AsyncSession, target: int | None, *, is_closed: bool, is_paused: bool
    ) -> None:
        ledger = await staked(session, take_back=False)
        if is_closed:
            await close_window(session, ledger)
        if is_paused:
            await coins.set_pause(session, ledger.campaign_id, datetime.now(UTC) - timedelta(minutes=1))
        refused = is_closed or is_paused or target is None
        before = await outcome(session, ledger.move(1, source=1, target=target))
        assert (before == "moved") is not refused
        await begin(session, ledger)
        after = "moved" if target is None or not (is_closed or is_paused) else "window_closed"
        assert await outcome(session, ledger.move(29, source=1, target=target)) == after
        (conservation,) = await coins.verify(session, ledger.campaign_id)
        assert conservation.holds

    async def test_only_coins_of_this_idea_are_free(self, session: AsyncSession) -> None:
        ledger = await staked(session, take_back=False)
        await begin(session, ledger)
        assert await outcome(session, ledger.move(5, source=2)) == "take_back_refused"
        await close_window(session, ledger)
        assert await outcome(session, ledger.move(5, source=2, target=1)) == "window_closed"
        assert await outcome(session, ledger.move(5, target=1)) == "window_closed"

    async def test_coins_that_came_later_are_not_free(self, session: AsyncSession) -> None:
        """Otherwise a member could take any coins back through this idea."""
        ledger = await staked(session, take_back=False)
        await begin(session, ledger)
        assert await outcome(session, ledger.move(20, source=2, target=1)) == "moved"
        assert await outcome(session, ledger.move(31, source=1)) == "take_back_refused"
        assert await outcome(session, ledger.move(25, source=1)) == "moved"
        assert await outcome(session, ledger.move(6, source=1)) == "take_back_refused"
        found = await find(session, ledger)
        assert found is not None
        assert found.free_coins == 5
        assert await outcome(session, ledger.move(5, source=1)) == "moved"
        assert await outcome(session, ledger.move(1, source=1)) == "take_back_refused"

    async def test_a_member_who_backed_the_idea_later_has_no_free_coins(self, session: AsyncSession) -> None:
        ledger = await staked(session, take_back=False)
        await begin(session, ledger)
        assert await outcome(session, ledger.move(5, member=0, target=1)) == "moved"
        assert await outcome(session, ledger.move(5, member=0, source=1)) == "take_back_refused"
        found = await find(session, ledger, member=0)
        assert found is not None
        assert found.free_coins == 0

    async def test_a_frozen_wallet_stays_frozen(self, session: AsyncSession) -> None:
        ledger = await staked(session)
        await coins.freeze_wallets(session, ledger.campaign_id, [ledger.members[1]])
        await begin(session, ledger)
        assert await outcome(session, ledger.move(5, source=1)) == "wallet_frozen"

    async def test_an_own_idea_is_still_refused_as_the_target(self, session: AsyncSession) -> None:
        ledger = await staked(session)
        assert await outcome(session, ledger.move(10, member=0, target=1)) == "moved"
        await begin(session, ledger)
        assert await outcome(session, ledger.move(10, member=0, source=1, target=0)) == "own_idea"

    async def test_items_of_one_call_share_the_free_coins(self, session: AsyncSession) -> None:
        ledger = await staked(session, take_back=False)
        await begin(session, ledger)
        found = await coins.move_coins(session, [ledger.move(20, source=1), ledger.move(20, source=1)])
        assert [each.outcome for each in found] == ["moved", "take_back_refused"]


class TestClosing:
    @pytest.mark.parametrize("kind", ["expire", "return", "settle"])
    async def test_is_refused_with_the_time(self, session: AsyncSession, kind: Any) -> None:
        ledger = await staked(session)
        until = await begin(session, ledger)
        with pytest.raises(errors.GraceRunning) as refused:
            async with session.begin_nested():
                await coins.close_targets(session, ledger.campaign_id, [ledger.ideas[1]], kind=kind, actor_id=None)
        assert refused.value.extensions == {"grace_until": until}

    async def test_another_error_is_not_taken_for_a_grace_time(self, session: AsyncSession) -> None:
        ledger = await staked(session)
        kind: Any = "unknown"
        with pytest.raises(DBAPIError, match="stakes of a closed idea expire, return or settle, not unknown"):
            async with session.begin_nested():
                await coins.close_targets(session, ledger.campaign_id, [ledger.ideas[1]], kind=kind, actor_id=None)

    async def test_a_withdrawal_returns_all_coins(self, session: AsyncSession) -> None:
        ledger = await staked(session)
        await begin(session, ledger)
        await coins.close_targets(session, ledger.campaign_id, [ledger.ideas[1]], kind="withdraw", actor_id=None)
        balance = await coins.get_balance(session, ledger.campaign_id, ledger.members[1])
        assert (balance.wallet_coins, balance.returned_coins) == (80, 30)

    async def test_other_ideas_are_closed(self, session: AsyncSession) -> None:
        ledger = await staked(session)
        await begin(session, ledger)
        closed = await coins.close_targets(session, ledger.campaign_id, [ledger.ideas[2]], kind="expire", actor_id=None)
        assert closed[ledger.ideas[2]].coins == 20

    async def test_the_ledger_is_not_closed(self, session: AsyncSession) -> None:
        ledger = await staked(session)
        until = await begin(session, ledger)
        with pytest.raises(errors.GraceRunning) as refused:
            async with session.begin_nested():
                await coins.close_ledger(session, ledger.campaign_id, actor_id=None)
        assert refused.value.extensions == {"grace_until": until}


class TestPolicy:
    async def test_is_frozen_once_a_stake_exists(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session)
        policy = PolicyWrite(grace_h=12)
        await coins.set_policy(session, ledger.campaign_id, policy, actor_id=None)
        assert (await coins.get_policy(session, ledger.campaign_id)).grace_h == 12
        assert await outcome(session, ledger.move(1, target=1)) == "moved"
        with pytest.raises(errors.PolicyFrozen) as refused:
            await coins.set_policy(session, ledger.campaign_id, policy.model_copy(update={"grace_h": 1}), actor_id=None)
        assert refused.value.extensions == {"fields": ["grace_h"]}

    async def test_a_policy_without_the_field_has_24_hours(self, session: AsyncSession) -> None:
        """As the last release writes it."""
        ledger = await make_ledger(session)
        statement = text(
            "SELECT version FROM app.coins_set_policy(:id, jsonb_build_object('coins_per_member', 100), NULL)"
        )
        await session.execute(statement, {"id": ledger.campaign_id})
        assert (await coins.get_policy(session, ledger.campaign_id)).grace_h == 24
