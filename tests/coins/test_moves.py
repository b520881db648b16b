"""app.coins_move: movements, refusals and their order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from api.coins import service as coins
from api.coins.commands.moves import as_error, as_json
from api.coins.reading.statements import list_statement
from api.coins.schemas import Movement
from api.kernel import clock
from tests.factories.ledgers import Ledger, make_ledger

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.coins.service import Move, Outcome


async def one(session: AsyncSession, move: Move) -> Outcome:
    (outcome,) = await coins.move_coins(session, [move])
    return outcome


async def holds(session: AsyncSession, ledger: Ledger) -> bool:
    (conservation,) = await coins.verify(session, ledger.campaign_id)
    return conservation.holds


class TestAllocate:
    async def test_coins_move_from_the_wallet_to_the_idea(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session, coins_per_member=100)
        outcome = await one(session, ledger.move(30, target=1))
        assert (outcome.outcome, outcome.from_balance_coins, outcome.to_balance_coins) == ("moved", 70, 30)
        balance = await coins.get_balance(session, ledger.campaign_id, ledger.members[1])
        assert (balance.granted_coins, balance.wallet_coins, balance.staked_coins) == (100, 70, 30)
        assert [(stake.idea_id, stake.coins) for stake in balance.stakes] == [(ledger.ideas[1], 30)]
        assert await holds(session, ledger)

    async def test_a_second_allocation_adds_to_the_stake(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session)
        outcomes = await coins.move_coins(session, [ledger.move(10, target=1), ledger.move(5, target=1)])
        assert [outcome.to_balance_coins for outcome in outcomes] == [10, 15]
        backers = await coins.list_backers(session, ledger.ideas[1], limit=10, after=None)
        assert [(backer.user_id, backer.coins) for backer in backers] == [(ledger.members[1], 15)]

    async def test_each_success_has_one_event(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session, coins_per_member=10)
        await coins.move_coins(session, [ledger.move(10, target=1), ledger.move(1, target=1)])
        events = await session.execute(
            text("SELECT kind, user_id, idea_id, data FROM app.events WHERE campaign_id = :id"),
            {"id": ledger.campaign_id},
        )
        (event,) = events.all()
        assert (event.kind, event.user_id, event.idea_id) == ("coins_allocated", ledger.members[1], ledger.ideas[1])
        assert event.data["coins"] == 10


class TestRefusals:
    @pytest.mark.parametrize(
        ("policy", "move", "outcome", "has", "limit"),
        [
            ({"coins_per_member": 9}, {"coins": 10, "target": 1}, "insufficient_coins", 9, None),
            ({}, {"coins": 1, "source": 1, "target": 2}, "insufficient_stake", 0, None),
            ({}, {"coins": 1, "member": 0, "target": 0}, "own_idea", 100, None),
            ({"coins_per_allocation_min": 5}, {"coins": 4, "target": 1}, "below_minimum", 100, 5),
            ({"coins_per_member_and_idea_max": 5}, {"coins": 6, "target": 1}, "above_maximum", 0, 5),
            ({}, {"coins": 1, "source": 1, "target": 1}, "same_account", 0, None),
            ({}, {"coins": 0, "target": 1}, "not_positive", 100, None),
            ({}, {"coins": -5, "target": 1}, "not_positive", 100, None),
        ],
    )
    async def test_is_an_outcome_with_its_amounts(
        self,
        session: AsyncSession,
        policy: dict[str, int],
        move: dict[str, int],
        outcome: str,
        has: int,
        limit: int | None,
    ) -> None:
        ledger = await make_ledger(session, **policy)
        refused = await one(session, ledger.move(**move))  # type: ignore[arg-type]
        assert (refused.outcome, refused.has_coins, refused.limit_coins) == (outcome, has, limit)
        assert refused.transfer_id is None
        assert await holds(session, ledger)

    async def test_own_ideas_can_be_allowed(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session, own_ideas=True)
        assert (await one(session, ledger.move(1, member=0, target=0))).outcome == "moved"

    async def test_take_back_can_be_refused_while_reallocation_is_not(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session, take_back=False)
        outcomes = await coins.move_coins(
            session, [ledger.move(5, target=1), ledger.move(5, source=1), ledger.move(5, source=1, target=2)]
        )
        assert [outcome.outcome for outcome in outcomes] == ["moved", "take_back_refused", "moved"]

    async def test_an_idea_must_not_keep_less_than_the_minimum(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session, coins_per_allocation_min=5)
        outcomes = await coins.move_coins(
            session, [ledger.move(8, target=1), ledger.move(6, source=1), ledger.move(8, source=1)]
        )
        assert [outcome.outcome for outcome in outcomes] == ["moved", "below_minimum", "moved"]

    async def test_an_idea_of_another_campaign_is_unknown(self, session: AsyncSession) -> None:
        ledger, other = await make_ledger(session), await make_ledger(session)
        move = coins.Move(ledger.campaign_id, ledger.members[1], None, other.ideas[1], 1)
        assert (await one(session, move)).outcome == "unknown_idea"

    async def test_a_user_who_is_not_a_member_has_no_wallet(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session)
        move = coins.Move(ledger.campaign_id, uuid4(), None, ledger.ideas[1], 1)
        assert (await one(session, move)).outcome == "not_a_member"

    async def test_a_frozen_wallet_moves_nothing_until_it_is_unfrozen(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session)
        await coins.freeze_wallets(session, ledger.campaign_id, [ledger.members[1]])
        assert (await one(session, ledger.move(1, target=1))).outcome == "wallet_frozen"
        granted = await coins.grant_coins(session, ledger.campaign_id, [ledger.members[1]], actor_id=None)
        assert granted == []
        assert (await one(session, ledger.move(1, target=1))).outcome == "moved"

    async def test_the_window_of_the_policy_applies(self, session: AsyncSession) -> None:
        opens = datetime(2026, 3, 1, tzinfo=UTC)
        ledger = await make_ledger(session, allocation_opens_at=opens, allocate_until=opens + timedelta(days=7))
        outcomes = {}
        for day in (-1, 0, 7, 8):
            with clock.at(opens + timedelta(days=day)):
                outcomes[day] = (await one(session, ledger.move(1, target=1))).outcome
        assert outcomes == {-1: "window_closed", 0: "moved", 7: "moved", 8: "window_closed"}

    @pytest.mark.parametrize(
        "outcome",
        [
            "insufficient_coins", "insufficient_stake", "above_maximum", "below_minimum", "window_closed",
            "unknown_idea", "own_idea", "take_back_refused", "same_account", "not_a_member", "wallet_frozen", "key_reused",
            "busy",
        ],
    )  # fmt: skip
    def test_every_refusal_has_an_error(self, outcome: str) -> None:
        ledger = Ledger(uuid4(), [uuid4(), uuid4()], [uuid4(), uuid4()])
        row = coins.Outcome(1, outcome, None, None, None, None, 3, 7, None, None)
        error = as_error(ledger.move(5, target=1), row)
        assert error.detail
        assert 400 <= error.status < 600


class TestResponse:
    @pytest.mark.parametrize("kind", ["allocate", "reallocate", "take_back"])
    @pytest.mark.parametrize("microsecond", [0, 120_000, 123_456])
    @pytest.mark.parametrize("is_dry_run", [False, True])
    def test_is_the_json_of_its_model(self, kind: str, microsecond: int, *, is_dry_run: bool) -> None:
        source, target = {"allocate": (None, uuid4()), "reallocate": (uuid4(), uuid4())}.get(kind, (uuid4(), None))
        move = coins.Move(uuid4(), uuid4(), source, target, 3)
        at = datetime(2026, 11, 27, 6, 0, 1, microsecond, tzinfo=ZoneInfo("UTC"))
        outcome = coins.Outcome(1, "moved", uuid4(), at, 40, 3, None, None, None, None)
        body = as_json(move, outcome, is_dry_run=is_dry_run)
        read = Movement.model_validate_json(body)
        assert body == read.model_dump_json().encode()
        assert (read.kind, read.effective_at) == (kind, at)
        assert (read.debit.idea_id, read.debit.balance_coins) == (source, 40)
        assert (read.credit.idea_id, read.credit.balance_coins) == (target, 3)
        assert read.transfer_id == (None if is_dry_run else outcome.transfer_id)


class TestBatches:
    async def test_items_of_one_wallet_are_processed_in_order(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session, coins_per_member=10)
        moves = [ledger.move(4, target=1), ledger.move(7, target=2), ledger.move(6, target=2), ledger.move(1, target=1)]
        outcomes = await coins.move_coins(session, moves)
        assert [outcome.outcome for outcome in outcomes] == [
            "moved",
            "insufficient_coins",
            "moved",
            "insufficient_coins",
        ]
        assert await holds(session, ledger)


class TestKeys:
    async def test_a_replay_returns_the_first_outcome(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session)
        first = await one(session, ledger.move(5, target=1, key="a"))
        await one(session, ledger.move(5, target=1, key="b"))
        again = await one(session, ledger.move(5, target=1, key="a"))
        assert again.outcome == "replayed"
        assert (again.transfer_id, again.effective_at) == (first.transfer_id, first.effective_at)
        assert (again.from_balance_coins, again.to_balance_coins) == (95, 5)

    async def test_another_request_with_the_same_key_is_refused(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session)
        await one(session, ledger.move(5, target=1, key="a"))
        reused = await one(session, ledger.move(6, target=1, key="a", request_hash=b"other"))
        assert reused.outcome == "key_reused"

    async def test_a_refusal_does_not_use_the_key(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session, coins_per_member=10)
        assert (await one(session, ledger.move(11, target=1, key="a"))).outcome == "insufficient_coins"
        assert (await one(session, ledger.move(10, target=1, key="a", request_hash=b"b"))).outcome == "moved"

    async def test_a_key_belongs_to_one_member(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session)
        outcomes = await coins.move_coins(
            session, [ledger.move(5, member=1, target=1, key="a"), ledger.move(6, member=2, target=1, key="a")]
        )
        assert [outcome.outcome for outcome in outcomes] == ["moved", "moved"]

    async def test_the_same_key_twice_in_one_batch_counts_once(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session)
        outcomes = await coins.move_coins(session, [ledger.move(5, target=1, key="a")] * 3)
        assert [outcome.outcome for outcome in outcomes] == ["moved", "replayed", "replayed"]
        assert len({outcome.transfer_id for outcome in outcomes}) == 1


class TestPastBalances:
    async def test_a_past_balance_is_that_of_its_moment(self, session: AsyncSession) -> None:
        start = datetime(2026, 3, 1, tzinfo=UTC)
        with clock.at(start):
            ledger = await make_ledger(session)
        for day, coins_moved in ((1, 10), (2, 20), (3, 30)):
            with clock.at(start + timedelta(days=day)):
                await one(session, ledger.move(coins_moved, target=1))
        wallets = []
        for day in (-1, 0, 1, 2, 3):
            balance = await coins.get_balance(
                session, ledger.campaign_id, ledger.members[1], start + timedelta(days=day, hours=1)
            )
            assert balance.wallet_coins + balance.staked_coins == balance.granted_coins
            wallets.append(balance.wallet_coins)
        assert wallets == [0, 100, 90, 70, 40]

    async def test_times_within_an_account_never_decrease(self, session: AsyncSession) -> None:
        late, early = datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
        with clock.at(late):
            ledger = await make_ledger(session)
        with clock.at(early):
            outcome = await one(session, ledger.move(1, target=1))
        assert outcome.effective_at == late


class TestStatement:
    async def test_every_movement_is_listed_with_its_cause_and_the_balances_after_it(
        self, session: AsyncSession
    ) -> None:
        ledger = await make_ledger(session)
        for move in (ledger.move(30, target=1), ledger.move(10, source=1, target=2), ledger.move(5, source=1)):
            assert (await one(session, move)).outcome == "moved"
        await coins.close_targets(
            session, ledger.campaign_id, [ledger.ideas[2]], kind="return", actor_id=None, reason="no"
        )
        lines = await list_statement(session, ledger.campaign_id, ledger.members[1], limit=10, after=None)
        assert [(line.kind, line.coins, line.wallet_after_coins) for line in lines] == [
            ("return", 10, 85),
            ("take_back", 5, 75),
            ("reallocate", 10, None),
            ("allocate", 30, 70),
            ("grant", 100, 100),
        ]
        assert lines[0].reason == "no"
        last = lines[1]
        older = await list_statement(
            session, ledger.campaign_id, ledger.members[1], limit=10,
            after=(last.effective_at, last.transfer_id),
        )  # fmt: skip
        assert older == lines[2:]
