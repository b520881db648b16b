"""The roles of members: what an observer and a moderator may do, and the wallet when a role changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from api.campaigns import service as campaigns
from api.coins import service as coins
from tests.factories.campaigns import DESCRIPTION, World, make_world
from tests.factories.containers import parts
from tests.factories.users import commit_user

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient

    from api.auth.models import User

IDEA = {"title": "Put bicycle racks by the door", "description": DESCRIPTION}


async def add(world: World, role: str) -> User:
    """A new user with this role in the campaign."""
    user = await commit_user(world.app)
    body = {"email": user.email, "role": role}
    added = await world.call(world.manager, "POST", "/campaigns/{id}/members", json=body)
    assert (added.status_code, added.json()["role"]) == (201, role), added.text
    return user


async def set_role(world: World, user: User, role: str) -> None:
    path = f"/campaigns/{{id}}/members/{user.id}/role"
    changed = await world.call(world.manager, "PUT", path, params={"role": role})
    assert (changed.status_code, changed.json()["role"]) == (200, role), changed.text


async def verified(world: World) -> bool:
    """Whether the ledger of the campaign is consistent."""
    async with parts(world.app).database.session() as session:
        (found,) = await coins.verify(session, world.campaign_id)
    return found.holds


class TestObserver:
    async def test_reads_what_members_read_and_changes_nothing(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, visibility="members", policy={"stakes_visible_to": "members"})
        idea = await world.submit(world.members[0])
        observer = await add(world, "observer")
        for path in ("/campaigns/{id}", "/campaigns/{id}/ideas", f"/ideas/{idea}", f"/ideas/{idea}/stakes"):
            assert (await world.call(observer, "GET", path)).status_code == 200
        assert (await world.call(observer, "GET", "/campaigns/{id}")).json()["my_role"] == "observer"
        submitted = await world.call(observer, "POST", "/campaigns/{id}/ideas", json=IDEA)
        assert (submitted.status_code, submitted.json()["type"].rpartition(":")[2]) == (403, "not-a-member")
        refused = await world.allocate(observer, idea, 1)
        assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (403, "not-a-member")
        assert (await world.call(observer, "GET", "/campaigns/{id}/coins/balance")).status_code == 403

    async def test_gets_no_coins_by_activation_bulk_grant_or_joining_again(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        manager, observer = await commit_user(application), await commit_user(application)
        async with parts(application).database.session() as session:
            draft = await campaigns.create_campaign(session, actor_id=manager.id, title="A quiet campaign")
            await campaigns.add_member(session, draft, user_id=observer.id, actor_id=manager.id, role="observer")
            await campaigns.activate_campaign(session, draft, actor_id=manager.id)
        world = World(application, client, draft.id, manager, [])
        item = {"campaign_id": str(draft.id), "user_id": str(observer.id)}
        granted = await world.call(manager, "POST", "/coins/bulk-allocate", key="k", json={"items": [item]})
        assert granted.json()["items"][0]["outcome"] == "not_a_member"
        assert (await world.call(observer, "POST", "/campaigns/{id}/leave")).status_code == 204
        assert (await world.call(observer, "POST", "/campaigns/{id}/join")).json()["role"] == "observer"
        async with parts(application).database.session() as session:
            assert await coins.find_wallet(session, draft.id, observer.id) is None

    async def test_receives_coins_once_when_made_a_member(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        observer = await add(world, "observer")
        for role in ("member", "observer", "moderator"):
            await set_role(world, observer, role)
        assert (await world.balance(observer))["wallet_coins"] == 100
        events = [event for event in reversed(await world.audit()) if event["kind"] == "member_role_changed"]
        assert [event["data"].get("granted_coins") for event in events] == [100, None, None]
        assert await verified(world)

    @pytest.mark.parametrize("role", ["member", "moderator", "manager"])
    async def test_a_member_who_becomes_one_keeps_stakes_and_a_frozen_wallet(
        self, application: FastAPI, client: AsyncClient, role: str
    ) -> None:
        world = await make_world(application, client, policy={"stakes_visible_to": "managers"})
        idea, member = await world.submit(world.members[0]), await add(world, role)
        assert (await world.allocate(member, idea, 30)).status_code == 201
        await set_role(world, member, "observer")
        refused = await world.allocate(member, idea, 1)
        assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (403, "wallet-frozen")
        balance = await world.balance(member)
        assert (balance["wallet_coins"], balance["staked_coins"]) == (70, 30)
        (event,) = [event for event in await world.audit() if event["kind"] == "member_role_changed"]
        states: list[dict[str, Any]] = [event["before"], event["after"]]
        assert states == [
            {"role": role, "wallet_coins": 70, "is_frozen": False},
            {"role": "observer", "wallet_coins": 70, "is_frozen": True},
        ]
        await set_role(world, member, role)
        assert (await world.allocate(member, idea, 1)).status_code == 201
        assert await verified(world)


class TestModerator:
    async def test_sees_and_approves_ideas_and_takes_no_other_step(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client, is_mediated=True)
        moderator = await add(world, "moderator")
        idea = await world.submit(world.members[0])
        seen = (await world.call(moderator, "GET", f"/ideas/{idea}")).json()
        assert (seen["status"], seen["next_statuses"]) == ("pending", ["competing"])
        refused = await world.step(moderator, idea, "rejected", "Not now")
        assert refused.status_code == 403
        assert (await world.step(world.members[0], idea, "competing")).status_code == 403
        assert (await world.step(moderator, idea, "competing")).status_code == 200
        assert (await world.step(moderator, idea, "accepted")).status_code == 403
        assert (await world.allocate(moderator, idea, 5)).status_code == 201

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("GET", "/campaigns/{id}/members", None),
            ("PUT", "/campaigns/{id}/coins/policies", {}),
            ("GET", "/campaigns/{id}/coins/audit", None),
            ("PATCH", "/campaigns/{id}", {"decide_by": None}),
        ],
    )
    async def test_does_not_manage(
        self, application: FastAPI, client: AsyncClient, method: str, path: str, body: dict[str, Any] | None
    ) -> None:
        world = await make_world(application, client)
        moderator = await add(world, "moderator")
        response = await world.call(moderator, method, path, json=body)
        assert (response.status_code, response.json()["type"].rpartition(":")[2]) == (403, "not-a-manager")


class TestSetMemberRole:
    @pytest.mark.parametrize("role", ["observer", "member", "moderator"])
    async def test_a_campaign_keeps_a_manager(self, application: FastAPI, client: AsyncClient, role: str) -> None:
        world = await make_world(application, client)
        path = f"/campaigns/{{id}}/members/{world.manager.id}/role"
        refused = await world.call(world.manager, "PUT", path, params={"role": role})
        assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (409, "last-manager")
