"""For each field of the coin policy, the behaviour that it prevents; the fields of the earliest policy are in test_moves.py."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from api.coins import errors
from api.coins import service as coins
from api.coins.commands.corrections import Correction, correct_coins
from api.coins.commands.moves import as_error
from api.coins.policies import PolicyWrite
from api.kernel import clock
from tests.factories.ledgers import make_ledger

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from tests.factories.ledgers import Ledger

START = datetime(2126, 3, 1, tzinfo=UTC)  # after the time of the tests, so that no account moves later
END = START + timedelta(days=10)


def after(**time: float) -> datetime:
    return START + timedelta(**time)


async def move(
    session: AsyncSession, ledger: Ledger, coins_: int, *, at: datetime = START, **sides: Any
) -> coins.Outcome:
    (outcome,) = await coins.move_coins(session, [ledger.move(coins_, **sides)], effective_at=at)
    return outcome


async def stake(session: AsyncSession, ledger: Ledger, *members: int, amount: int = 30) -> None:
    for member in members:
        assert (await move(session, ledger, amount, member=member, target=1)).outcome == "moved"


async def accept(session: AsyncSession, ledger: Ledger, *, at: datetime = START) -> coins.Total:
    closed = await coins.close_targets(
        session, ledger.campaign_id, [ledger.ideas[1]], kind="expire", actor_id=None, effective_at=at
    )
    return closed[ledger.ideas[1]]


async def wallet(session: AsyncSession, ledger: Ledger, user_id: UUID) -> int:
    return (await coins.get_balance(session, ledger.campaign_id, user_id)).wallet_coins


class TestIdeaMaxPercent:
    """Against all coins on one idea, whatever the grant is."""

    async def test_a_member_has_at_most_that_part_of_the_grant_on_one_idea(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session, coins_per_member=99, coins_per_member_and_idea_max_percent=25)
        assert (await move(session, ledger, 24, target=1)).outcome == "moved"
        refused = await move(session, ledger, 1, target=1)
        assert (refused.outcome, refused.limit_coins, refused.has_coins) == ("above_maximum", 24, 24)
        assert (await move(session, ledger, 24, target=2)).outcome == "moved"


class TestLateGrant:
    """Against choosing the time of joining."""

    @pytest.mark.parametrize(
        ("late_grant", "at", "granted"),
        [
            ("full", after(days=9), 100), ("none", START, 100), ("none", after(seconds=1), 0), ("pro_rata", START, 100),
            ("pro_rata", after(days=5), 50), ("pro_rata", after(days=9, hours=23), 1), ("pro_rata", END, 0),
            ("pro_rata", after(days=5, seconds=1), 50), ("none", END, 0),
        ],
    )  # fmt: skip
    async def test_who_joins_late_gets_that_part(
        self, session: AsyncSession, late_grant: str, at: datetime, granted: int
    ) -> None:
        ledger = await make_ledger(
            session,
            members=1,
            allocation_opens_at=START.isoformat(),
            allocate_until=END.isoformat(),
            late_grant=late_grant,
        )
        late = ledger.campaign_id  # any id of a user
        got = await coins.grant_coins(session, ledger.campaign_id, [late], actor_id=None, effective_at=at)
        assert got == ([late] if granted else [])
        assert await wallet(session, ledger, late) == granted

    async def test_the_members_of_the_first_grant_are_not_late(self, session: AsyncSession) -> None:
        """A campaign may be activated after the beginning of allocation."""
        ledger = await make_ledger(session, late_grant="none", allocation_opens_at="2020-01-01T00:00:00Z")
        assert [await wallet(session, ledger, member) for member in ledger.members] == [100, 100, 100]

    @pytest.mark.parametrize(("at", "outcome"), [(START, "granted"), (after(days=5), "granted"), (END, "too_late")])
    async def test_a_grant_by_a_manager_follows_it(self, session: AsyncSession, at: datetime, outcome: str) -> None:
        ledger = await make_ledger(
            session,
            members=1,
            allocation_opens_at=START.isoformat(),
            allocate_until=END.isoformat(),
            late_grant="pro_rata",
        )
        grant = Correction(ledger.campaign_id, ledger.campaign_id, "grant", None, None)
        with clock.at(at):
            (corrected,) = await correct_coins(session, [grant], actor_id=None)
        assert corrected.outcome == outcome
        if outcome == "granted":
            assert corrected.wallet_coins == (100 if at == START else 50)

    @pytest.mark.parametrize(("late_grant", "at"), [("pro_rata", after(days=5)), ("none", after(days=5))])
    async def test_a_repeated_grant_of_all_coins_changes_nothing(
        self, session: AsyncSession, late_grant: str, at: datetime
    ) -> None:
        ledger = await make_ledger(
            session,
            members=1,
            allocation_opens_at=START.isoformat(),
            allocate_until=END.isoformat(),
            late_grant=late_grant,
        )
        grant = Correction(ledger.campaign_id, ledger.members[0], "grant", 100, None)
        with clock.at(at):
            (corrected,) = await correct_coins(session, [grant], actor_id=None)
        assert corrected.outcome == "already_granted"

    async def test_leaving_and_joining_again_grants_nothing(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session)
        await stake(session, ledger, 1)
        await coins.freeze_wallets(session, ledger.campaign_id, [ledger.members[1]])
        assert await coins.grant_coins(session, ledger.campaign_id, [ledger.members[1]], actor_id=None) == []
        assert await wallet(session, ledger, ledger.members[1]) == 70


class TestTakeBackUntil:
    """Against withdrawing coins at the last minute."""

    async def test_coins_stay_on_ideas_after_it(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session, take_back_until=after(days=1).isoformat())
        await stake(session, ledger, 1)
        assert (await move(session, ledger, 5, member=1, source=1, at=after(days=1))).outcome == "moved"
        late = await move(session, ledger, 5, member=1, source=1, at=after(days=1, seconds=1))
        assert late.outcome == "take_back_refused"
        error = as_error(ledger.move(5, member=1, source=1), late)
        assert error.extensions["take_back_until"] == after(days=1)
        elsewhere = await move(session, ledger, 5, member=1, source=1, target=2, at=after(days=2))
        assert elsewhere.outcome == "moved"


class TestMoveCooldown:
    """Against coins that jump between ideas to look like more."""

    @pytest.mark.parametrize("target", [None, 2])
    async def test_coins_stay_on_an_idea_after_each_movement(self, session: AsyncSession, target: int | None) -> None:
        ledger = await make_ledger(session, move_cooldown_s=60)
        await stake(session, ledger, 1)
        soon = await move(session, ledger, 5, member=1, source=1, target=target, at=after(seconds=59))
        assert (soon.outcome, soon.opens_at) == ("cooling_down", after(seconds=60))
        assert isinstance(as_error(ledger.move(5, member=1, source=1), soon), errors.CoolingDown)
        assert (
            await move(session, ledger, 5, member=1, source=1, target=target, at=after(seconds=60))
        ).outcome == "moved"
        again = await move(session, ledger, 5, member=1, source=1, target=target, at=after(seconds=61))
        assert again.outcome == "cooling_down"

    async def test_more_coins_may_be_added_at_any_time(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session, move_cooldown_s=60)
        await stake(session, ledger, 1, 1)
        assert await wallet(session, ledger, ledger.members[1]) == 40


class TestDecisionMode:
    """Against decisions while others still move their coins."""

    async def test_ideas_are_accepted_after_the_end_of_allocation_only(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session, decision_mode="at_close", allocate_until=END.isoformat())
        await stake(session, ledger, 1)
        with pytest.raises(errors.DecisionTooEarly) as refused:
            async with session.begin_nested():
                await accept(session, ledger, at=END)
        assert refused.value.extensions["closes_at"] == END
        assert (await accept(session, ledger, at=END + timedelta(seconds=1))).coins == 30

    async def test_the_earlier_end_of_campaign_and_policy_counts(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session, decision_mode="at_close", allocate_until=END.isoformat())
        await coins.set_window(session, ledger.campaign_id, opens_at=None, closes_at=after(days=2))
        await accept(session, ledger, at=after(days=3))

    async def test_without_an_end_nothing_is_accepted(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session, decision_mode="at_close")
        with pytest.raises(errors.DecisionTooEarly, match="which is not set") as refused:
            async with session.begin_nested():
                await accept(session, ledger)
        assert refused.value.extensions["closes_at"] is None

    async def test_a_rejection_is_possible_at_any_time(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session, decision_mode="at_close", allocate_until=END.isoformat())
        await stake(session, ledger, 1)
        await coins.close_targets(session, ledger.campaign_id, [ledger.ideas[1]], kind="return", actor_id=None)
        assert await wallet(session, ledger, ledger.members[1]) == 100


class TestSupport:
    """Against acceptance without support: accept_threshold_coins and backers_min."""

    @pytest.mark.parametrize(
        ("policy", "backers", "outcome"),
        [
            ({"accept_threshold_coins": 61}, (1, 2), "refused"), ({"accept_threshold_coins": 60}, (1, 2), "accepted"),
            ({"backers_min": 3}, (1, 2), "refused"), ({"backers_min": 3}, (0, 1, 2), "accepted"),
            ({"backers_min": 2, "accept_threshold_coins": 60}, (1, 1), "refused"), ({"backers_min": 1}, (), "refused"),
        ],
    )  # fmt: skip
    async def test_an_idea_needs_that_many(
        self, session: AsyncSession, policy: dict[str, int], backers: tuple[int, ...], outcome: str
    ) -> None:
        ledger = await make_ledger(session, **policy)
        await stake(session, ledger, *backers)
        if outcome == "accepted":
            assert (await accept(session, ledger)).backers == len(backers)
            return
        with pytest.raises(errors.TooLittleSupport) as refused:
            async with session.begin_nested():
                await accept(session, ledger)
        assert refused.value.extensions | {
            "idea_id": str(ledger.ideas[1]), "coins": 30 * len(backers), "backers": len(set(backers))
        } == refused.value.extensions  # fmt: skip
        assert (await move(session, ledger, 10, member=0, target=1)).outcome == "moved"


class TestReturnedCoins:
    """Against backing an idea that loses for a free second vote."""

    @pytest.mark.parametrize("kind", ["return", "withdraw"])
    async def test_the_coins_of_rejected_and_withdrawn_ideas_expire(self, session: AsyncSession, kind: Any) -> None:
        ledger = await make_ledger(session, returned_coins="expire")
        await stake(session, ledger, 1, 2)
        closed = await coins.close_targets(session, ledger.campaign_id, [ledger.ideas[1]], kind=kind, actor_id=None)
        assert closed[ledger.ideas[1]] == coins.Total(60, 2)
        balance = await coins.get_balance(session, ledger.campaign_id, ledger.members[1])
        assert (balance.wallet_coins, balance.expired_coins, balance.returned_coins) == (70, 30, 0)
        (found,) = await coins.verify(session, ledger.campaign_id)
        assert found.holds

    async def test_a_withdrawal_in_a_grace_time_returns_them(self, session: AsyncSession) -> None:
        """Backers may take them back then, whatever the other fields say."""
        ledger = await make_ledger(session, returned_coins="expire", take_back=False)
        await stake(session, ledger, 1)
        await coins.begin_grace(session, ledger.campaign_id, ledger.ideas[1])
        await coins.close_targets(session, ledger.campaign_id, [ledger.ideas[1]], kind="withdraw", actor_id=None)
        balance = await coins.get_balance(session, ledger.campaign_id, ledger.members[1])
        assert (balance.wallet_coins, balance.expired_coins, balance.returned_coins) == (100, 0, 30)


class TestAuthorWithdrawUntil:
    """Against an author who pulls an idea that leads."""

    async def test_the_author_cannot_withdraw_after_it_and_others_can(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session, author_withdraw_until=after(days=1).isoformat(), own_ideas=True)
        idea, author = ledger.ideas[0], ledger.members[0]

        async def withdraw(actor_id: UUID, at: datetime) -> None:
            async with session.begin_nested():
                await coins.close_targets(
                    session, ledger.campaign_id, [idea], kind="withdraw", actor_id=actor_id, effective_at=at
                )

        with pytest.raises(errors.WithdrawnTooLate) as refused:
            await withdraw(author, after(days=1, seconds=1))
        assert refused.value.extensions["author_withdraw_until"] == after(days=1)
        await withdraw(author, after(days=1))


class TestStoredTogether:
    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            (
                {"coins_per_member_and_idea_max": 5, "coins_per_member_and_idea_max_percent": 5},
                "give coins_per_member_and_idea_max or coins_per_member_and_idea_max_percent, not both",
            ),
            (
                {"coins_per_member": 10, "coins_per_allocation_min": 3, "coins_per_member_and_idea_max_percent": 29},
                "coins_per_member_and_idea_max_percent is less than coins_per_allocation_min",
            ),
            ({"take_back": False, "take_back_until": "2030-01-01T00:00:00Z"}, "take_back_until needs take_back"),
            ({"late_grant": "none"}, "late_grant needs allocation_opens_at"),
            (
                {"late_grant": "pro_rata", "allocation_opens_at": "2030-01-01T00:00:00Z"},
                "late_grant pro_rata needs allocate_until",
            ),
        ],
    )
    async def test_contradictions_are_refused_here_and_in_the_database(
        self, session: AsyncSession, fields: dict[str, Any], reason: str
    ) -> None:
        with pytest.raises(ValueError, match=reason):
            PolicyWrite.model_validate_json(json.dumps(fields))
        ledger = await make_ledger(session, members=0)
        stored = text("SELECT app.coins_set_policy(:id, CAST(:policy AS jsonb), NULL)")
        with pytest.raises(IntegrityError, match="ck_coin_policies_"):
            async with session.begin_nested():
                await session.execute(stored, {"id": ledger.campaign_id, "policy": json.dumps(fields)})

    @pytest.mark.parametrize("name", sorted(set(PolicyWrite.model_fields) - {"at_end", "coins_per_member"}))
    async def test_each_field_is_frozen_after_the_first_stake(self, session: AsyncSession, name: str) -> None:
        ledger = await make_ledger(session, allocation_opens_at=START.isoformat(), allocate_until=END.isoformat())
        before = await coins.get_policy(session, ledger.campaign_id)
        await stake(session, ledger, 1)
        other = {
            "late_grant": "none", "decision_mode": "at_close", "returned_coins": "expire", "stakes_visible_to": "members",
            "own_ideas": True, "take_back": False, "take_back_until": END, "author_withdraw_until": END,
            "allocation_opens_at": START - timedelta(days=1), "allocate_until": END - timedelta(days=1),
        }.get(name, 7)  # fmt: skip
        stored = before.model_dump(include=set(PolicyWrite.model_fields))
        with pytest.raises(errors.PolicyFrozen) as refused:
            await coins.set_policy(session, ledger.campaign_id, PolicyWrite(**(stored | {name: other})), actor_id=None)
        assert refused.value.extensions["fields"] == [name]
