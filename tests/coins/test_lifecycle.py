"""Grants, closed targets and the closing of a ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import DBAPIError

from api.coins import service as coins
from api.coins.commands import settlements
from tests.factories.ledgers import make_ledger

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession


class TestGrantCoins:
    async def test_a_member_is_granted_once(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session, members=2)
        again = await coins.grant_coins(session, ledger.campaign_id, ledger.members * 2, actor_id=None)
        assert again == []
        (conservation,) = await coins.verify(session, ledger.campaign_id)
        assert conservation.issued_coins == 200

    async def test_no_grant_is_made_after_the_end(self, session: AsyncSession) -> None:
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

    async def test_returned_stakes_are_in_the_wallets(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session)
        await coins.move_coins(session, [ledger.move(30, member=1, target=1), ledger.move(20, member=2, target=1)])
        await coins.close_targets(session, ledger.campaign_id, [ledger.ideas[1]], kind="return", actor_id=None)
        balance = await coins.get_balance(session, ledger.campaign_id, ledger.members[1])
        assert (balance.wallet_coins, balance.returned_coins) == (100, 30)
        (conservation,) = await coins.verify(session, ledger.campaign_id)
        assert conservation.holds

    async def test_stakes_of_one_member_return_from_several_ideas_together(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session)
        await coins.move_coins(session, [ledger.move(30, target=1), ledger.move(20, member=2, target=1)])
        await coins.move_coins(session, [ledger.move(5, target=2)])
        totals = await coins.close_targets(session, ledger.campaign_id, ledger.ideas[1:], kind="return", actor_id=None)
        assert [totals[idea].coins for idea in ledger.ideas[1:]] == [50, 5]
        balance = await coins.get_balance(session, ledger.campaign_id, ledger.members[1])
        assert (balance.wallet_coins, balance.returned_coins) == (100, 35)
        (conservation,) = await coins.verify(session, ledger.campaign_id)
        assert conservation.holds

    @pytest.mark.parametrize("inline_max", [None, 0])
    async def test_an_idea_whose_coins_are_returned_is_not_opened_again(
        self, session: AsyncSession, monkeypatch: pytest.MonkeyPatch, inline_max: int | None
    ) -> None:
        """Neither during the settlement nor after it: there is no acceptance to undo."""
        if inline_max is not None:
            monkeypatch.setattr(settlements, "SETTLE_INLINE_MAX", inline_max)
        ledger = await make_ledger(session)
        await coins.move_coins(session, [ledger.move(30, target=1)])
        totals = await coins.close_targets(session, ledger.campaign_id, [ledger.ideas[1]], kind="return", actor_id=None)
        assert totals[ledger.ideas[1]].is_settling == (inline_max is not None)
        with pytest.raises(DBAPIError, match="had 30 coins when it was closed, and 0 of them expired"):
            async with session.begin_nested():
                await coins.reopen_target(
                    session, ledger.campaign_id, ledger.ideas[1], actor_id=None, reason="a mistake"
                )
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
        assert await coins.get_settled(session, ledger.ideas[1]) == coins.Total(30, 1)
        (backer,) = await coins.list_backers(session, ledger.ideas[1], limit=10, after=None)
        assert (backer.user_id, backer.coins) == (ledger.members[1], 30)


class TestCloseLedger:
    async def test_every_coin_expires(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session)
        await coins.move_coins(session, [ledger.move(30, target=1)])
        closing = await coins.close_ledger(session, ledger.campaign_id, actor_id=None)
        assert closing == coins.Closing(wallet_coins=270, is_settling=False)
        (conservation,) = await coins.verify(session, ledger.campaign_id)
        assert (conservation.expired_coins, conservation.wallet_coins, conservation.holds) == (300, 0, True)

    async def test_a_campaign_without_members_ends_too(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session, members=1, ideas=1)
        await coins.move_coins(session, [])
        assert (await coins.close_ledger(session, ledger.campaign_id, actor_id=None)).wallet_coins == 100
