"""Settlements that return coins to the same wallet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from api.coins import service as coins
from api.coins.commands import settlements
from tests.factories.ledgers import make_ledger

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from tests.factories.ledgers import Ledger


async def settle(session: AsyncSession, ledger: Ledger) -> None:
    """Carry out the waiting settlements in the session, oldest first."""
    unfinished = await session.scalars(
        text(
            "SELECT id FROM app.coin_settlements WHERE campaign_id = :id AND finished_at IS NULL ORDER BY requested_at"
        ),
        {"id": ledger.campaign_id},
    )
    for settlement in unfinished.all():
        while not await session.scalar(text("SELECT app.coins_settle_next(:id, 10)"), {"id": settlement}):
            pass


@pytest.mark.parametrize("inline_max", [1000, 0])
async def test_two_ideas_of_one_backer_may_be_returned_together(
    session: AsyncSession, monkeypatch: pytest.MonkeyPatch, inline_max: int
) -> None:
    monkeypatch.setattr(settlements, "SETTLE_INLINE_MAX", inline_max)
    ledger = await make_ledger(session, coins_per_member=100)
    await coins.move_coins(session, [ledger.move(30, target=1), ledger.move(20, target=2)])
    async with session.begin_nested():
        await coins.close_targets(session, ledger.campaign_id, ledger.ideas[1:], kind="return", actor_id=None)
        await settle(session, ledger)
    balance = await coins.get_balance(session, ledger.campaign_id, ledger.members[1])
    assert (balance.wallet_coins, balance.returned_coins) == (100, 50)
