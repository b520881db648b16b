"""Routes of coins."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.factories.campaigns import make_world, submit_many

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient


class TestAllocate:
    async def test_returns_the_transfer_and_both_balances(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        response = await world.allocate(world.members[1], idea, 30)
        movement = response.json()
        assert (response.status_code, movement["kind"], movement["coins"]) == (201, "allocate", 30)
        assert movement["debit"] == {"account": "wallet", "idea_id": None, "balance_coins": 70}
        assert movement["credit"] == {"account": "stake", "idea_id": str(idea), "balance_coins": 30}
        assert datetime.fromisoformat(movement["effective_at"]).tzinfo is not None

    async def test_requires_a_key(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        response = await world.call(
            world.members[1], "POST", "/campaigns/{id}/coins/allocate", json={"idea_id": str(idea), "coins": 1}
        )
        assert (response.status_code, response.json()["type"]) == (400, "urn:ideamint:problem:idempotency-key")

    async def test_a_replay_is_the_same_bytes(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        first = await world.allocate(world.members[1], idea, 30, key="k")
        await world.allocate(world.members[1], idea, 5)
        again = await world.allocate(world.members[1], idea, 30, key="k")
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert ("idempotency-replayed" in first.headers, again.headers["idempotency-replayed"]) == (False, "true")
        other = await world.allocate(world.members[1], idea, 31, key="k")
        assert (other.status_code, other.json()["type"]) == (422, "urn:ideamint:problem:idempotency-key-reused")
        assert (await world.balance(world.members[1]))["wallet_coins"] == 65

    async def test_a_refusal_has_the_amounts(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, policy={"coins_per_member_and_idea_max": 60})
        made = await submit_many(world, 2)
        await world.allocate(world.members[1], made[0], 50)
        poor = (await world.allocate(world.members[1], made[1], 51)).json()
        assert (poor["status"], poor["has_coins"], poor["wants_coins"]) == (409, 50, 51)
        capped = (await world.allocate(world.members[1], made[0], 11)).json()
        assert (capped["limit_coins"], capped["left_coins"]) == (60, 10)

    @pytest.mark.parametrize("coins", [0, -1, 1.5, "5", 10**10, None, True])
    async def test_accepts_only_whole_coins(self, application: FastAPI, client: AsyncClient, coins: object) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        response = await world.call(
            world.members[1], "POST", "/campaigns/{id}/coins/allocate",
            key=uuid4().hex, json={"idea_id": str(idea), "coins": coins},
        )  # fmt: skip
        assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "coins")

    async def test_requires_a_token(self, client: AsyncClient) -> None:
        response = await client.post(f"/api/v1/campaigns/{uuid4()}/coins/allocate", json={})
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Bearer")

    async def test_many_clients_on_one_idea(self, application: FastAPI, client: AsyncClient) -> None:
        """32 concurrent members; some request more than their wallets have, some repeat their keys."""
        world = await make_world(application, client, members=33, policy={"coins_per_member": 10})
        idea = await world.submit(world.members[0])

        async def spend(member: int) -> Counter[int]:
            codes: Counter[int] = Counter()
            for n in range(8):
                response = await world.allocate(world.members[member], idea, 3, key=f"{n // 2}")
                codes[response.status_code] += 1
            return codes

        counts = await asyncio.gather(*(spend(member) for member in range(1, 33)))
        # four keys, each used twice: three are paid (and replayed once), the fourth is refused twice
        assert all(codes == {201: 6, 409: 2} for codes in counts)
        found = (await world.call(world.members[0], "GET", f"/ideas/{idea}")).json()
        assert (found["coins"], found["backers"]) == (32 * 9, 32)


class TestIdeaNotOpen:
    async def test_names_the_idea_and_its_status(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        one, two = await submit_many(world, 2)
        await world.allocate(world.members[1], two, 10)
        await world.step(world.manager, one, "accepted")
        refused = (await world.allocate(world.members[1], one, 1)).json()
        assert (refused["type"], refused["idea_status"]) == ("urn:ideamint:problem:idea-not-open", "accepted")
        await world.step(world.manager, one, "in_progress")
        body = {"from_idea_id": str(two), "to_idea_id": str(one), "coins": 5}
        path = "/campaigns/{id}/coins/reallocate"
        for arguments in ({"key": "k"}, {"params": {"dry_run": True}}):
            refused = (await world.call(world.members[1], "POST", path, json=body, **arguments)).json()
            assert (refused["idea_id"], refused["idea_status"]) == (str(one), "in_progress")

    async def test_names_the_one_that_coins_are_taken_from(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        one, two = await submit_many(world, 2)
        await world.allocate(world.members[1], two, 10)
        await world.step(world.manager, two, "rejected", "Not now.")
        body = {"from_idea_id": str(two), "to_idea_id": str(one), "coins": 5}
        path = "/campaigns/{id}/coins/reallocate"
        refused = (await world.call(world.members[1], "POST", path, key="k", json=body)).json()
        assert (refused["idea_id"], refused["idea_status"]) == (str(two), "rejected")


class TestDryRun:
    async def test_needs_no_key_and_moves_nothing(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        path = "/campaigns/{id}/coins/allocate"

        async def dry_run(coins: int) -> dict[str, Any]:
            body = {"idea_id": str(idea), "coins": coins}
            response = await world.call(world.members[1], "POST", path, params={"dry_run": True}, json=body)
            movement: dict[str, Any] = response.json()
            return movement

        simulated = await dry_run(30)
        assert (simulated["transfer_id"], simulated["debit"]["balance_coins"]) == (None, 70)
        refused = await dry_run(101)
        assert (refused["has_coins"], refused["wants_coins"]) == (100, 101)
        assert (await world.balance(world.members[1]))["wallet_coins"] == 100


class TestReallocate:
    async def test_moves_between_ideas_and_back_to_the_wallet(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        one, two = await submit_many(world, 2)
        member = world.members[1]
        await world.allocate(member, one, 30)
        path = "/campaigns/{id}/coins/reallocate"
        moved = await world.call(
            member, "POST", path, key="a", json={"from_idea_id": str(one), "to_idea_id": str(two), "coins": 10}
        )
        assert (moved.status_code, moved.json()["kind"]) == (201, "reallocate")
        back = await world.call(member, "POST", path, key="b", json={"from_idea_id": str(one), "coins": 20})
        assert (back.json()["kind"], back.json()["credit"]["balance_coins"]) == ("take_back", 90)
        balance = await world.balance(member)
        assert balance["stakes"] == [{"idea_id": str(two), "coins": 10}]


class TestReading:
    async def test_a_balance_in_the_past(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        before = datetime.now(UTC)
        await world.allocate(world.members[1], idea, 30)
        path = "/campaigns/{id}/coins/balance"
        then = (await world.call(world.members[1], "GET", path, params={"at": before.isoformat()})).json()
        assert (then["wallet_coins"], then["staked_coins"]) == (100, 0)

    async def test_a_statement_in_pages(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        for coins in (1, 2, 3, 4):
            await world.allocate(world.members[1], idea, coins)
        lines = []
        cursor: str | None = None
        while True:
            params = {"limit": 2, **({"cursor": cursor} if cursor else {})}
            page = (await world.call(world.members[1], "GET", "/campaigns/{id}/coins/history", params=params)).json()
            lines += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert [line["coins"] for line in lines] == [4, 3, 2, 1, 100]
        assert [line["stake_after_coins"] for line in lines] == [10, 6, 3, 1, None]

    async def test_my_coins_in_all_campaigns(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        await world.allocate(world.members[1], idea, 30)
        (mine,) = (await world.call(world.members[1], "GET", "/users/me/coins")).json()
        assert (mine["campaign_id"], mine["wallet_coins"], mine["staked_coins"]) == (str(world.campaign_id), 70, 30)
