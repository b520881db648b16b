"""Removal of members by a manager, and leaving by oneself: stakes, wallets, ways back, and the ledger."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from api.coins import service as coins
from api.coins.chain import chains
from tests.auth.calls import problem
from tests.factories.campaigns import World, make_world
from tests.factories.containers import parts
from tests.factories.ledgers import seal_now

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient, Response

    from api.auth.models import User
    from api.kernel.db import Database


async def remove(world: World, user: User, **query: Any) -> Response:
    return await world.call(world.manager, "DELETE", f"/campaigns/{{id}}/members/{user.id}", params=query)


async def add(world: World, user: User) -> None:
    added = await world.call(world.manager, "POST", "/campaigns/{id}/members", json={"email": user.email})
    assert added.status_code == 201, added.text


async def wallet(world: World, user: User) -> coins.Wallet | None:
    async with parts(world.app).database.session() as session:
        return await coins.find_wallet(session, world.campaign_id, user.id)


async def staked_coins(world: World, user: User) -> int:
    async with parts(world.app).database.session() as session:
        return (await coins.get_balance(session, world.campaign_id, user.id)).staked_coins


async def assert_consistent(world: World, db: Database) -> None:
    """Coins are conserved, and the chain of sealed transfers agrees with them."""
    async with db.session() as session:
        (found,) = await coins.verify(session, world.campaign_id)
    assert found.holds, found
    await seal_now(db)
    async with db.session() as session:
        assert (await chains.check_chain(session, world.campaign_id)).holds


class TestRemoval:
    async def test_returns_the_stakes_and_freezes_the_wallet(
        self, application: FastAPI, client: AsyncClient, db: Database
    ) -> None:
        """Also outside the window, and under a policy that does not let members take coins back."""
        policy = {"take_back": False, "stakes_visible_to": "managers"}
        world = await make_world(application, client, policy=policy)
        author, member, other = world.members
        one, two = await world.submit(author), await world.submit(author)
        for user, idea, amount in ((member, one, 30), (member, two, 20), (other, one, 7)):
            assert (await world.allocate(user, idea, amount)).status_code == 201
        ended = await world.call(world.manager, "PATCH", "/campaigns/{id}", json={"ends_at": "2026-01-01T00:00:00Z"})
        assert ended.status_code == 200
        assert (await remove(world, member)).status_code == 204
        assert await wallet(world, member) == coins.Wallet(100, is_frozen=True)
        assert (await staked_coins(world, member), await staked_coins(world, other)) == (0, 7)
        await assert_consistent(world, db)
        returned, last = [], await world.audit(limit=3)
        for event in last[1:]:
            assert (event["kind"], event["actor_id"]) == ("coins_taken_back", str(world.manager.id))
            assert (event["user_id"], event["request_id"]) == (str(member.id), last[0]["request_id"])
            returned.append((UUID(event["idea_id"]), event["data"]["coins"]))
        assert sorted(returned) == sorted([(one, 30), (two, 20)])
        assert (last[0]["kind"], last[0]["before"], last[0]["after"]) == (
            "member_removed",
            {"wallet_coins": 50, "is_frozen": False},
            {"wallet_coins": 100, "is_frozen": True},
        )

    async def test_only_a_manager_can_add_the_person_again_who_gets_the_wallet_back(
        self, application: FastAPI, client: AsyncClient, db: Database
    ) -> None:
        world = await make_world(application, client)
        idea, member = await world.submit(world.members[0]), world.members[1]
        await world.allocate(member, idea, 40)
        await remove(world, member)
        refused = await world.call(member, "POST", "/campaigns/{id}/join")
        assert problem(refused) == (403, "removed-from-campaign")
        await add(world, member)
        assert await wallet(world, member) == coins.Wallet(100, is_frozen=False)
        assert (await world.allocate(member, idea, 15)).status_code == 201
        assert (await world.call(member, "POST", "/campaigns/{id}/leave")).status_code == 204
        assert (await world.call(member, "POST", "/campaigns/{id}/join")).status_code == 200
        await assert_consistent(world, db)

    async def test_leaves_coins_of_decided_ideas(self, application: FastAPI, client: AsyncClient, db: Database) -> None:
        world = await make_world(application, client)
        accepted, competing = await world.submit(world.members[0]), await world.submit(world.members[0])
        member = world.members[1]
        await world.allocate(member, accepted, 25)
        await world.allocate(member, competing, 10)
        assert (await world.step(world.manager, accepted, "accepted")).status_code == 200
        await remove(world, member)
        assert await wallet(world, member) == coins.Wallet(75, is_frozen=True)
        await assert_consistent(world, db)

    async def test_the_coins_return_when_the_acceptance_is_undone(
        self, application: FastAPI, client: AsyncClient, db: Database
    ) -> None:
        """The stakes of those who left by themselves, and of a removed member who was added again, remain."""
        world = await make_world(application, client, members=4)
        idea = await world.submit(world.members[0])
        member, left, added = world.members[1:]
        for user, amount in ((member, 25), (left, 5), (added, 7)):
            assert (await world.allocate(user, idea, amount)).status_code == 201
        assert (await world.step(world.manager, idea, "accepted")).status_code == 200
        await remove(world, member)
        await world.call(left, "POST", "/campaigns/{id}/leave")
        await remove(world, added)
        await add(world, added)
        assert (await world.step(world.manager, idea, "competing", "By mistake")).status_code == 200
        assert await wallet(world, member) == coins.Wallet(100, is_frozen=True)
        assert [await staked_coins(world, user) for user in (member, left, added)] == [0, 5, 7]
        event, *_ = await world.audit(kind="idea_acceptance_undone")
        assert (event["after"]["stake_coins"], event["after"]["backers"]) == (12, 2)
        await assert_consistent(world, db)

    async def test_a_dry_run_changes_nothing(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea, member = await world.submit(world.members[0]), world.members[1]
        await world.allocate(member, idea, 40)
        before = await world.audit(limit=200)
        assert (await remove(world, member, dry_run=True)).status_code == 204
        assert await wallet(world, member) == coins.Wallet(60, is_frozen=False)
        assert await world.audit(limit=200) == before
        assert problem(await remove(world, world.manager, dry_run=True)) == (409, "last-manager")

    async def test_the_audit_does_not_show_whose_coins_they_were_if_the_policy_hides_it(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client)
        idea, member = await world.submit(world.members[0]), world.members[1]
        await world.allocate(member, idea, 40)
        await remove(world, member)
        removed, returned = await world.audit(limit=2)
        assert removed["before"] == {"is_frozen": False}
        assert [returned[name] for name in ("user_id", "actor_id", "request_id")] == [None, None, None]

    async def test_a_draft_and_a_completed_campaign_have_no_stakes_to_return(
        self, application: FastAPI, client: AsyncClient, db: Database
    ) -> None:
        world = await make_world(application, client)
        idea, member = await world.submit(world.members[0]), world.members[1]
        await world.allocate(member, idea, 40)
        assert (await world.call(world.manager, "POST", "/campaigns/{id}/complete")).status_code == 200
        assert (await remove(world, member)).status_code == 204
        assert await wallet(world, member) == coins.Wallet(0, is_frozen=True)
        await assert_consistent(world, db)
        draft = await world.call(world.manager, "POST", "/campaigns", json={"title": "A draft of a campaign"})
        world.campaign_id = UUID(draft.json()["id"])
        await add(world, member)
        assert (await remove(world, member)).status_code == 204
        assert await wallet(world, member) is None

    async def test_of_oneself_is_leaving(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        other = world.members[0]
        path = f"/campaigns/{{id}}/members/{other.id}"
        await world.call(world.manager, "PUT", f"{path}/role", params={"role": "manager"})
        assert (await world.call(other, "DELETE", path)).status_code == 204
        assert (await world.call(other, "POST", "/campaigns/{id}/join")).json()["role"] == "member"

    @pytest.mark.parametrize("rounds", [3])
    async def test_waits_for_movements_of_the_member_and_refuses_later_ones(
        self, application: FastAPI, client: AsyncClient, db: Database, rounds: int
    ) -> None:
        world = await make_world(application, client, members=rounds + 1)
        idea = await world.submit(world.members[0])
        for member in world.members[1:]:
            await world.headers(member)
            *moves, removed = await asyncio.gather(
                *(world.allocate(member, idea, 1) for _ in range(5)), remove(world, member)
            )
            assert removed.status_code == 204
            assert {move.status_code for move in moves} <= {201, 403}
            assert await wallet(world, member) == coins.Wallet(100, is_frozen=True)
        await assert_consistent(world, db)


class TestLeaving:
    async def test_keeps_the_stakes_and_freezes_the_wallet(
        self, application: FastAPI, client: AsyncClient, db: Database
    ) -> None:
        world = await make_world(application, client)
        idea, member = await world.submit(world.members[0]), world.members[1]
        await world.allocate(member, idea, 40)
        assert (await world.call(member, "POST", "/campaigns/{id}/leave")).status_code == 204
        assert await wallet(world, member) == coins.Wallet(60, is_frozen=True)
        assert await staked_coins(world, member) == 40
        assert (await world.call(member, "POST", "/campaigns/{id}/join")).status_code == 200
        assert await wallet(world, member) == coins.Wallet(60, is_frozen=False)
        await assert_consistent(world, db)
