"""The audit trail of a campaign's coins; it shows the owners of stakes only if the policy allows it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.factories.campaigns import World, make_world, submit_many

if TYPE_CHECKING:
    from uuid import UUID

    from fastapi import FastAPI
    from httpx2 import AsyncClient

    from api.auth.models import User


class TestOwnersOfStakes:
    """With a policy that allows it, the audit trail shows who moved coins; after the policy is narrowed, it does not."""

    async def _played(self, application: FastAPI, client: AsyncClient, audience: str) -> tuple[World, User]:
        world = await make_world(application, client, policy={"stakes_visible_to": audience})
        idea = await world.submit(world.members[0])
        assert (await world.allocate(world.members[1], idea, 30)).status_code == 201
        return world, world.members[1]

    @pytest.mark.parametrize("audience", ["managers", "members"])
    async def test_are_shown_and_found_if_the_policy_allows_it(
        self, application: FastAPI, client: AsyncClient, audience: str
    ) -> None:
        world, member = await self._played(application, client, audience)
        for filters in ({"user_id": str(member.id)}, {"actor_id": str(member.id)}):
            (event,) = await world.audit(kind="coins_allocated", **filters)
            assert (event["actor_id"], event["user_id"]) == (str(member.id), str(member.id))
            assert (event["before"], event["after"]) == (
                {"wallet_coins": 100, "to_stake_coins": 0}, {"wallet_coins": 70, "to_stake_coins": 30},
            )  # fmt: skip
        assert await world.audit(kind="coins_allocated", user_id=str(world.members[2].id)) == []

    async def test_the_policy_in_force_decides(self, application: FastAPI, client: AsyncClient) -> None:
        world, member = await self._played(application, client, "members")
        narrower = {"stakes_visible_to": "self"}
        changed = await world.call(world.manager, "PUT", "/campaigns/{id}/coins/policies", json=narrower)
        assert changed.status_code == 200, changed.text
        (event,) = await world.audit(kind="coins_allocated")
        assert (event["actor_id"], event["user_id"], event["after"]) == (None, None, {"to_stake_coins": 30})
        assert await world.audit(kind="coins_allocated", user_id=str(member.id)) == []

    async def test_cannot_be_widened_after_the_first_stake(self, application: FastAPI, client: AsyncClient) -> None:
        world, _ = await self._played(application, client, "self")
        wider = {"stakes_visible_to": "managers"}
        refused = await world.call(world.manager, "PUT", "/campaigns/{id}/coins/policies", json=wider)
        assert (refused.status_code, refused.json()["fields"]) == (409, ["stakes_visible_to"])
        (event,) = await world.audit(kind="coins_allocated")
        assert event["user_id"] is None


class TestAudit:
    async def _played(self, application: FastAPI, client: AsyncClient) -> tuple[World, UUID, UUID]:
        world = await make_world(application, client)
        one, two = await submit_many(world, 2)
        await world.allocate(world.members[1], one, 30)
        await world.reallocate(world.members[1], one, two, 10)
        await world.reallocate(world.members[1], one, None, 5)
        assert (await world.step(world.manager, one, "accepted")).status_code == 200
        return world, one, two

    async def test_shows_everything_except_the_owners_of_stakes(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world, one, two = await self._played(application, client)
        events = await world.audit()
        accepted, taken_back, reallocated, allocated, *earlier = events
        assert (accepted["kind"], accepted["actor_id"], accepted["idea_id"]) == (
            "idea_accepted", str(world.manager.id), str(one),
        )  # fmt: skip
        assert accepted["request_id"]
        assert (accepted["before"]["stake_coins"], accepted["after"]["stake_coins"]) == (15, 0)
        assert [event["kind"] for event in (taken_back, reallocated, allocated)] == [
            "coins_taken_back", "coins_reallocated", "coins_allocated",
        ]  # fmt: skip
        assert (reallocated["idea_id"], reallocated["data"]["from_idea_id"], reallocated["data"]["coins"]) == (
            str(two), str(one), 10,
        )  # fmt: skip
        for event in (taken_back, reallocated, allocated):
            assert (event["actor_id"], event["user_id"]) == (None, None)
            assert str(world.members[1].id) not in str(event)
            assert "wallet" not in str(event), "a correction names its wallet's balance with its owner"
        assert (reallocated["before"], reallocated["after"]) == (
            {"from_stake_coins": 30, "to_stake_coins": 0}, {"from_stake_coins": 20, "to_stake_coins": 10},
        )  # fmt: skip
        joined = {event["user_id"] for event in earlier if event["kind"] == "member_joined"}
        assert joined == {str(user.id) for user in (world.manager, *world.members)}

    async def test_a_filter_by_person_finds_none_of_their_movements(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world, *_ = await self._played(application, client)
        member = str(world.members[1].id)
        assert [event["kind"] for event in await world.audit(user_id=member)] == ["member_joined"]
        assert await world.audit(actor_id=member) == []
        assert await world.audit(actor_id=member, kind="coins_allocated") == []
        by_manager = {event["kind"] for event in await world.audit(actor_id=str(world.manager.id))}
        assert by_manager >= {"campaign_created", "campaign_activated", "idea_accepted", "member_joined"}

    async def test_filters_by_kind_idea_and_time(self, application: FastAPI, client: AsyncClient) -> None:
        world, one, two = await self._played(application, client)
        kinds = await world.audit(kind=["coins_allocated", "idea_accepted"])
        assert [event["kind"] for event in kinds] == ["idea_accepted", "coins_allocated"]
        of_one = [event["kind"] for event in await world.audit(idea_id=str(one))]
        assert of_one == ["idea_accepted", "coins_taken_back", "coins_reallocated", "coins_allocated", "idea_submitted"]
        assert [event["kind"] for event in await world.audit(idea_id=str(two))] == [
            "coins_reallocated", "idea_submitted",
        ]  # fmt: skip
        moment = kinds[1]["occurred_at"]
        since = await world.audit(**{"from": moment})
        assert [event["kind"] for event in since][-1] == "coins_allocated"
        before = (datetime.fromisoformat(moment) + timedelta(microseconds=1)).isoformat()
        assert (await world.audit(until=before))[0]["kind"] == "coins_allocated"
        assert (await world.audit(until=moment))[0]["kind"] != "coins_allocated"

    async def test_pages_contain_every_event_once(self, application: FastAPI, client: AsyncClient) -> None:
        world, *_ = await self._played(application, client)
        whole, pages, cursor = await world.audit(limit=200), [], ""
        while cursor is not None:
            params = {"limit": 3, **({"cursor": cursor} if cursor else {})}
            page = (await world.call(world.manager, "GET", "/campaigns/{id}/coins/audit", params=params)).json()
            pages += page["items"]
            cursor = page["next_cursor"]
        assert pages == whole

    async def test_contains_only_this_campaign(self, application: FastAPI, client: AsyncClient) -> None:
        world, *_ = await self._played(application, client)
        other = await make_world(application, client)
        assert not {event["event_id"] for event in await other.audit()} & {
            event["event_id"] for event in await world.audit()
        }
