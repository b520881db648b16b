"""A member's balance at any moment: the sum of the postings, at a cost that does not grow with their number."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from sqlalchemy import text

from api.coins import service as coins
from api.coins.commands import settlements
from api.coins.policies import PolicyWrite
from tests.factories.ledgers import Ledger, make_ledger

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.coins.schemas import Balance

BEGAN_AT = datetime(2026, 3, 1, tzinfo=UTC)
MEMBERS, IDEAS = 3, 3

# all postings of a member up to a moment, summed by the kind of transfer
SUMS = text(
    """
    SELECT coalesce(sum(p.amount_coins) FILTER (WHERE t.kind IN ('grant', 'correct')), 0) AS granted,
        coalesce(sum(p.amount_coins) FILTER (WHERE a.kind = 'wallet'), 0) AS wallet,
        coalesce(sum(p.amount_coins) FILTER (WHERE a.kind = 'stake'), 0) AS staked,
        coalesce(-sum(p.amount_coins) FILTER (WHERE t.kind IN ('expire', 'settle', 'reverse')), 0) AS expired,
        coalesce(sum(p.amount_coins) FILTER (WHERE t.kind = 'return' AND p.side = 1), 0) AS returned
    FROM app.coin_accounts AS a
    JOIN app.coin_postings AS p ON p.account_id = a.id
    JOIN app.coin_transfers AS t ON t.id = p.transfer_id
    WHERE a.campaign_id = :campaign_id AND a.user_id = :user_id AND p.effective_at <= :at
    """
)
MOMENTS = text("SELECT DISTINCT effective_at FROM app.coin_transfers WHERE campaign_id = :campaign_id ORDER BY 1")
CORRECT = text(
    "SELECT outcome FROM app.coins_correct(ARRAY[CAST(:campaign_id AS uuid)], ARRAY[CAST(:user_id AS uuid)], "
    "ARRAY['correct'], ARRAY[CAST(:coins AS bigint)], ARRAY['counted wrongly'], ARRAY[NULL], NULL, NULL, :at)"
)


def figures(balance: Balance) -> tuple[int, ...]:
    return (
        balance.granted_coins, balance.wallet_coins, balance.staked_coins, balance.expired_coins, balance.returned_coins,
    )  # fmt: skip


async def play(session: AsyncSession, chance: Random, *, steps: int = 30) -> Ledger:
    """A ledger with random commands, two per moment; refused commands change nothing."""
    ledger = Ledger(uuid4(), [uuid4() for _ in range(MEMBERS)], [uuid4() for _ in range(IDEAS)])
    campaign_id = ledger.campaign_id
    await coins.open_ledger(session, campaign_id, PolicyWrite(coins_per_member=20), actor_id=None)
    await coins.grant_coins(session, campaign_id, ledger.members, actor_id=None, effective_at=BEGAN_AT)
    await coins.open_targets(session, campaign_id, dict.fromkeys(ledger.ideas))
    open_, accepted = set(range(IDEAS)), set[int]()
    for n in range(steps):
        at = BEGAN_AT + timedelta(hours=n // 2)
        member, idea, amount = chance.randrange(MEMBERS), chance.randrange(IDEAS), chance.randint(1, 12)
        match chance.choice(["allocate", "reallocate", "take_back", "correct", "expire", "return", "undo"]):
            case "allocate":
                await coins.move_coins(session, [ledger.move(amount, member=member, target=idea)], effective_at=at)
            case "reallocate":
                move = ledger.move(amount, member=member, source=idea, target=chance.randrange(IDEAS))
                await coins.move_coins(session, [move], effective_at=at)
            case "take_back":
                await coins.move_coins(session, [ledger.move(amount, member=member, source=idea)], effective_at=at)
            case "correct":
                change = amount if chance.random() < 0.5 else -amount
                scope = {"campaign_id": campaign_id, "user_id": ledger.members[member]}
                await session.execute(CORRECT, {**scope, "coins": change, "at": at})
            case "expire" | "return" as kind if idea in open_ and chance.random() < 0.5:
                await coins.close_targets(
                    session, campaign_id, [ledger.ideas[idea]], kind=kind, actor_id=None, effective_at=at
                )
                open_.remove(idea)
                accepted |= {idea} if kind == "expire" else set()
            case "undo" if idea in accepted:
                await coins.reopen_target(session, campaign_id, ledger.ideas[idea], actor_id=None, reason="a mistake")
                accepted.remove(idea)
                open_.add(idea)
    if chance.random() < 0.5:
        await coins.close_ledger(session, campaign_id, actor_id=None, effective_at=BEGAN_AT + timedelta(hours=steps))
    return ledger


class TestAtEveryMoment:
    @pytest.mark.parametrize("seed", range(25))
    async def test_it_is_the_sum_of_the_postings(self, session: AsyncSession, seed: int) -> None:
        """An undo takes effect now, and later movements on its accounts no earlier, so the moments can be far apart."""
        ledger = await play(session, Random(seed))
        scope = {"campaign_id": ledger.campaign_id}
        moments = list(await session.scalars(MOMENTS, scope))
        for member in ledger.members:
            for at in (BEGAN_AT - timedelta(days=1), *moments):
                sums = (await session.execute(SUMS, {**scope, "user_id": member, "at": at})).one()
                assert figures(await coins.get_balance(session, ledger.campaign_id, member, at)) == tuple(sums)
            now = figures(await coins.get_balance(session, ledger.campaign_id, member))
            assert now == tuple(sums)
            (mine,) = await coins.list_my_campaigns(session, member)
            assert (mine.wallet_coins, mine.staked_coins, mine.expired_coins) == now[1:4]
        (found,) = await coins.verify(session, ledger.campaign_id)
        assert found.holds

    async def test_coins_returned_after_the_campaigns_end_are_included(
        self, session: AsyncSession, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A settlement of returns that ends after the wallets were emptied leaves its postings after theirs."""
        monkeypatch.setattr(settlements, "SETTLE_INLINE_MAX", 0)
        ledger = await make_ledger(session, members=2, ideas=3)
        for target, amount in ((1, 30), (2, 20)):
            await coins.move_coins(session, [ledger.move(amount, target=target)])
        await coins.close_targets(session, ledger.campaign_id, ledger.ideas[1:], kind="return", actor_id=None)
        await coins.close_ledger(session, ledger.campaign_id, actor_id=None)
        newest_first = text("SELECT id FROM app.coin_settlements WHERE campaign_id = :id ORDER BY requested_at DESC")
        step = text("SELECT app.coins_settle_next(:id, 1)")
        for settlement_id in list(await session.scalars(newest_first, {"id": ledger.campaign_id})):
            while not await session.scalar(step, {"id": settlement_id}):
                pass
        balance = await coins.get_balance(session, ledger.campaign_id, ledger.members[1])
        assert figures(balance) == (100, 50, 0, 50, 50)


class TestCost:
    async def test_a_long_history_is_not_read(self, session: AsyncSession) -> None:
        """2,000 movements there and back: 4,000 postings of a wallet and a stake. How few are read depends on the plan."""
        ledger = await make_ledger(session, members=2, ideas=2)
        for _ in range(100):
            there_and_back = [ledger.move(1, target=1), ledger.move(1, source=1)] * 10
            outcomes = await coins.move_coins(session, there_and_back)
            assert all(outcome.succeeded for outcome in outcomes)
        moments = list(await session.scalars(MOMENTS, {"campaign_id": ledger.campaign_id}))
        fetched = text("SELECT idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'coin_postings'")
        for at in (None, moments[1], moments[len(moments) // 2], moments[-1]):
            before = await session.scalar(fetched)
            balance = await coins.get_balance(session, ledger.campaign_id, ledger.members[1], at)
            assert balance.wallet_coins + balance.staked_coins == 100
            assert await session.scalar(fetched) - before <= 40
