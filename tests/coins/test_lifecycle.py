"""What happens to a campaign's ledger as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import DBAPIError

from api.coins import errors
from api.coins import service as coins
from api.coins.schemas import PolicyWrite
from tests.factories.ledgers import make_ledger

if TYPE_CHECKING:
    from typing import Any

    from sqlalchemy.ext.asyncio import AsyncSession


class TestGrantCoins:
    async def test_a_member_is_granted_once(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session, members=2)
        again = await coins.grant_coins(session, ledger.campaign_id, ledger.members * 2, actor_id=None)
        assert again == []
        (conservation,) = await coins.verify(session, ledger.campaign_id)
        assert conservation.issued_coins == 200

    async def test_nobody_is_granted_after_the_end(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session)
        await coins.close_ledger(session, ledger.campaign_id, actor_id=None)
        with pytest.raises(DBAPIError, match="is closed"):
            async with session.begin_nested():
                await coins.grant_coins(session, ledger.campaign_id, ledger.members, actor_id=None)


class TestCloseTargets:
    async def test_accepted_stakes_expire(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session)
        await coins.move_coins(session, [ledger.move(30, member=1, target=1), ledger.move(20, member=2, target=1)])
        totals = await coins.close_targets(session, ledger.campaign_id, [ledger.ideas[1]], kind="expire", actor_id=None)
        assert (totals[ledger.ideas[1]].coins, totals[ledger.ideas[1]].backers) == (50, 2)
        (conservation,) = await coins.verify(session, ledger.campaign_id)
        assert (conservation.expired_coins, conservation.staked_coins, conservation.holds) == (50, 0, True)

    async def test_returned_stakes_are_in_the_wallets_again(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session)
        await coins.move_coins(session, [ledger.move(30, member=1, target=1), ledger.move(20, member=2, target=1)])
        await coins.close_targets(session, ledger.campaign_id, [ledger.ideas[1]], kind="return", actor_id=None)
        balance = await coins.get_balance(session, ledger.campaign_id, ledger.members[1])
        assert (balance.wallet_coins, balance.returned_coins) == (100, 30)
        (conservation,) = await coins.verify(session, ledger.campaign_id)
        assert conservation.holds

    async def test_no_coin_moves_afterwards(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session)
        await coins.move_coins(session, [ledger.move(30, target=1), ledger.move(5, target=2)])
        await coins.close_targets(session, ledger.campaign_id, [ledger.ideas[1]], kind="expire", actor_id=None)
        outcomes = await coins.move_coins(
            session, [ledger.move(1, target=1), ledger.move(1, source=1), ledger.move(1, source=2, target=1)]
        )
        assert {outcome.outcome for outcome in outcomes} == {"idea_not_open"}

    async def test_the_totals_stay_readable(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session)
        await coins.move_coins(session, [ledger.move(30, target=1)])
        await coins.close_targets(session, ledger.campaign_id, [ledger.ideas[1]], kind="expire", actor_id=None)
        assert (await coins.get_totals(session, ledger.ideas))[ledger.ideas[1]].coins == 30
        assert await coins.get_my_stakes(session, ledger.members[1], ledger.ideas) == {ledger.ideas[1]: 30}


class TestCloseLedger:
    async def test_every_coin_expires(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session)
        await coins.move_coins(session, [ledger.move(30, target=1)])
        left_coins = await coins.close_ledger(session, ledger.campaign_id, actor_id=None)
        assert left_coins == 270
        (conservation,) = await coins.verify(session, ledger.campaign_id)
        assert (conservation.expired_coins, conservation.wallet_coins, conservation.holds) == (300, 0, True)

    async def test_a_campaign_without_members_ends_too(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session, members=1, ideas=1)
        await coins.move_coins(session, [])
        assert await coins.close_ledger(session, ledger.campaign_id, actor_id=None) == 100


class TestSetPolicy:
    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"coins_per_member": 101}, "coins_per_member"),
            ({"coins_per_allocation_min": 2}, "coins_per_allocation_min"),
            ({"coins_per_member_and_idea_max": 50}, "coins_per_member_and_idea_max"),
            ({"own_ideas": True}, "own_ideas"),
            ({"take_back": False}, "take_back"),
            ({"allocation_opens_at": "2020-01-01T00:00:00Z"}, "allocation_opens_at"),
            ({"allocate_until": "2030-01-01T00:00:00Z"}, "allocate_until"),
        ],
    )
    async def test_what_people_acted_on_is_frozen_by_name(
        self, session: AsyncSession, change: dict[str, Any], field: str
    ) -> None:
        ledger = await make_ledger(session)
        await coins.move_coins(session, [ledger.move(30, target=1)])
        with pytest.raises(errors.PolicyFrozen) as refused:
            await coins.set_policy(session, ledger.campaign_id, PolicyWrite(**change), actor_id=None)
        assert refused.value.extensions["fields"] == [field]
        assert [policy.version for policy in await coins.list_policies(session, ledger.campaign_id)] == [1]

    async def test_before_the_first_stake_all_but_the_grant_may_change(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session)
        policy = await coins.set_policy(
            session, ledger.campaign_id, PolicyWrite(coins_per_member_and_idea_max=20, own_ideas=True), actor_id=None
        )
        assert (policy.version, policy.coins_per_member_and_idea_max, policy.own_ideas) == (2, 20, True)
        (outcome,) = await coins.move_coins(session, [ledger.move(21, target=1)])
        assert outcome.outcome == "above_maximum"

    async def test_the_window_may_be_extended_at_any_time(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session, allocate_until="2030-01-01T00:00:00Z")
        await coins.move_coins(session, [ledger.move(30, target=1)])
        longer = PolicyWrite(allocate_until="2031-01-01T00:00:00Z")
        assert (await coins.set_policy(session, ledger.campaign_id, longer, actor_id=None)).version == 2
