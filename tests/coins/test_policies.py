"""Versions of the coin policy, and the fields that are frozen because members rely on them."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import pytest_asyncio
from sqlalchemy import text

from api.coins import errors
from api.coins import service as coins
from api.coins.policies import PolicyWrite
from api.kernel.db import Database
from tests.factories.clocks import TRIES
from tests.factories.ledgers import make_ledger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncSession

    from settings import Settings


@pytest_asyncio.fixture
async def db(database: Settings) -> AsyncIterator[Database]:
    db = Database(database.database)
    yield db
    await db.close()


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
            ({"stakes_visible_to": "managers"}, "stakes_visible_to"),
            ({"stakes_visible_to": "members"}, "stakes_visible_to"),
        ],
    )
    async def test_fields_that_members_relied_on_are_frozen(
        self, session: AsyncSession, change: dict[str, Any], field: str
    ) -> None:
        ledger = await make_ledger(session)
        await coins.move_coins(session, [ledger.move(30, target=1)])
        with pytest.raises(errors.PolicyFrozen) as refused:
            await coins.set_policy(session, ledger.campaign_id, PolicyWrite(**change), actor_id=None)
        assert refused.value.extensions["fields"] == [field]
        assert [policy.version for policy in await coins.list_policies(session, ledger.campaign_id)] == [1]

    async def test_before_the_first_stake_all_fields_except_the_grant_may_change(self, session: AsyncSession) -> None:
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
        longer = PolicyWrite(allocate_until=datetime(2031, 1, 1, tzinfo=UTC))
        assert (await coins.set_policy(session, ledger.campaign_id, longer, actor_id=None)).version == 2


class TestPolicyWrite:
    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            (
                {"coins_per_member": 10, "coins_per_allocation_min": 11},
                "coins_per_allocation_min is more than coins_per_member",
            ),
            (
                {"coins_per_allocation_min": 5, "coins_per_member_and_idea_max": 4},
                "coins_per_member_and_idea_max is less than coins_per_allocation_min",
            ),
            (
                {"allocation_opens_at": "2030-01-02T00:00:00Z", "allocate_until": "2030-01-02T00:00:00Z"},
                "allocation_opens_at is not before allocate_until",
            ),
        ],
    )
    def test_refuses_a_policy_under_which_nobody_could_allocate(self, fields: dict[str, Any], reason: str) -> None:
        with pytest.raises(ValueError, match=reason):
            PolicyWrite.model_validate_json(json.dumps(fields))

    async def test_an_equal_policy_makes_no_new_version(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session)
        present = await coins.get_policy(session, ledger.campaign_id)
        equal = PolicyWrite.model_validate(present.model_dump(include=set(PolicyWrite.model_fields)))
        assert await coins.set_policy(session, ledger.campaign_id, equal, actor_id=None) == present


class TestStakesVisibleTo:
    async def test_is_self_unless_the_policy_says_otherwise(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session)
        assert (await coins.get_policy(session, ledger.campaign_id)).stakes_visible_to == "self"

    async def test_a_policy_that_omits_it_has_the_default_in_the_database_too(self, session: AsyncSession) -> None:
        campaign_id = uuid4()
        made = text("SELECT app.coins_open_ledger(:id, CAST('{}' AS jsonb), NULL)")
        await session.execute(made, {"id": campaign_id})
        assert (await coins.get_policy(session, campaign_id)).stakes_visible_to == "self"

    async def test_may_be_widened_until_the_first_stake(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session)
        wider = PolicyWrite(stakes_visible_to="members")
        assert (await coins.set_policy(session, ledger.campaign_id, wider, actor_id=None)).version == 2

    async def test_may_be_narrowed_at_any_time_and_not_widened_back(self, session: AsyncSession) -> None:
        ledger = await make_ledger(session, stakes_visible_to="members")
        await coins.move_coins(session, [ledger.move(30, target=1)])
        for version, audience in ((2, "managers"), (3, "self")):
            narrower = PolicyWrite.model_validate({"stakes_visible_to": audience})
            assert (await coins.set_policy(session, ledger.campaign_id, narrower, actor_id=None)).version == version
        back = PolicyWrite(stakes_visible_to="managers")
        with pytest.raises(errors.PolicyFrozen) as refused:
            await coins.set_policy(session, ledger.campaign_id, back, actor_id=None)
        assert refused.value.extensions["fields"] == ["stakes_visible_to"]

    async def test_stays_frozen_after_the_stake_was_taken_back(self, session: AsyncSession) -> None:
        """The audit still shows past stakes and their duration."""
        ledger = await make_ledger(session)
        await coins.move_coins(session, [ledger.move(30, target=1), ledger.move(30, source=1)])
        wider = PolicyWrite(stakes_visible_to="managers")
        with pytest.raises(errors.PolicyFrozen):
            await coins.set_policy(session, ledger.campaign_id, wider, actor_id=None)

    async def test_a_first_stake_in_an_open_transaction_counts(self, db: Database) -> None:
        """The member relies on the current policy, and commits while the change waits."""
        async with db.session() as session:
            ledger = await make_ledger(session)
        wider = PolicyWrite(stakes_visible_to="members")

        async def widen() -> None:
            async with db.session() as session:
                await coins.set_policy(session, ledger.campaign_id, wider, actor_id=None)

        async with db.session() as session:
            (outcome,) = await coins.move_coins(session, [ledger.move(30, target=1)])
            assert outcome.succeeded
            widening = asyncio.create_task(widen())
            await _until_a_lock_on_an_idea_is_awaited(db)
        with pytest.raises(errors.PolicyFrozen):
            await widening

    async def test_no_stake_begins_under_a_policy_that_is_about_to_change(self, db: Database) -> None:
        async with db.session() as session:
            ledger = await make_ledger(session)
        async with db.session() as changing:
            await coins.set_policy(
                changing, ledger.campaign_id, PolicyWrite(stakes_visible_to="members"), actor_id=None
            )
            async with db.session() as session:
                (outcome,) = await coins.move_coins(session, [ledger.move(30, target=1)])
                assert outcome.outcome == "busy"


async def _until_a_lock_on_an_idea_is_awaited(db: Database) -> None:
    waiting = text(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    for _ in range(TRIES):
        async with db.session() as session:
            if await session.scalar(waiting):
                return
        await asyncio.sleep(0.02)
    pytest.fail("the change of the policy did not wait")
