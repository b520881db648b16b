"""The backers of an idea, shown only to the readers that the coin policy allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.factories.campaigns import World, make_world
from tests.factories.users import commit_user

if TYPE_CHECKING:
    from uuid import UUID

    from fastapi import FastAPI
    from httpx2 import AsyncClient


async def backed(application: FastAPI, client: AsyncClient, audience: str, **campaign: Any) -> tuple[World, UUID]:
    """An idea with 30 and 20 coins of two members; a third took all coins back."""
    world = await make_world(application, client, members=5, policy={"stakes_visible_to": audience}, **campaign)
    idea = await world.submit(world.members[0])
    for member, coins in ((1, 30), (2, 20), (3, 10)):
        assert (await world.allocate(world.members[member], idea, coins)).status_code == 201
    await world.reallocate(world.members[3], idea, None, 10)
    return world, idea


def as_listed(world: World) -> list[dict[str, Any]]:
    return sorted(
        (
            {"user_id": str(member.id), "display_name": member.display_name, "coins": coins}
            for member, coins in ((world.members[1], 30), (world.members[2], 20))
        ),
        key=lambda backer: str(backer["user_id"]),
    )


class TestReaders:
    @pytest.mark.parametrize(
        ("audience", "readers"),
        [("self", set()), ("managers", {"manager", "admin"}), ("members", {"manager", "admin", "backer", "member"})],
    )
    async def test_are_those_of_the_policy(
        self, application: FastAPI, client: AsyncClient, audience: str, readers: set[str]
    ) -> None:
        world, idea = await backed(application, client, audience)
        people = {
            "manager": world.manager,
            "admin": await commit_user(application, roles=["system_admin"]),
            "executive": await commit_user(application, roles=["executive"]),
            "backer": world.members[1],
            "member": world.members[0],
            "stranger": await commit_user(application),
        }
        for name, user in people.items():
            response = await world.call(user, "GET", f"/ideas/{idea}/stakes")
            if name in readers:
                assert (response.status_code, response.json()["items"]) == (200, as_listed(world)), name
            else:
                problem = response.json()
                assert (response.status_code, problem["type"]) == (403, "urn:ideamint:problem:stakes-not-visible"), name
                assert problem["stakes_visible_to"] == audience

    async def test_excludes_people_who_may_not_see_the_idea(self, application: FastAPI, client: AsyncClient) -> None:
        world, idea = await backed(application, client, "members", visibility="members")
        stranger = await commit_user(application)
        assert (await world.call(stranger, "GET", f"/ideas/{idea}/stakes")).status_code == 404
        assert (await world.step(world.manager, idea, "rejected", "Not now")).status_code == 200
        assert (await world.call(world.members[4], "GET", f"/ideas/{idea}/stakes")).status_code == 404
        assert (await world.call(world.members[1], "GET", f"/ideas/{idea}/stakes")).status_code == 200
        assert (await world.call(world.manager, "GET", f"/ideas/{idea}/stakes")).status_code == 200

    async def test_excludes_a_member_who_left(self, application: FastAPI, client: AsyncClient) -> None:
        world, idea = await backed(application, client, "members")
        assert (await world.call(world.members[1], "POST", "/campaigns/{id}/leave")).status_code == 204
        assert (await world.call(world.members[1], "GET", f"/ideas/{idea}/stakes")).status_code == 403
        assert (await world.call(world.members[2], "GET", f"/ideas/{idea}/stakes")).json()["items"] == as_listed(world)

    async def test_a_narrowed_policy_excludes_members(self, application: FastAPI, client: AsyncClient) -> None:
        world, idea = await backed(application, client, "members")
        narrower = {"stakes_visible_to": "managers"}
        await world.call(world.manager, "PUT", "/campaigns/{id}/coins/policies", json=narrower)
        assert (await world.call(world.members[1], "GET", f"/ideas/{idea}/stakes")).status_code == 403
        assert (await world.call(world.manager, "GET", f"/ideas/{idea}/stakes")).status_code == 200


class TestPages:
    @pytest.mark.parametrize(("status", "reason"), [(None, None), ("accepted", None), ("rejected", "Not now")])
    async def test_contain_every_backer_once_also_after_the_settlement(
        self, application: FastAPI, client: AsyncClient, status: str | None, reason: str | None
    ) -> None:
        world, idea = await backed(application, client, "managers")
        if status is not None:
            assert (await world.step(world.manager, idea, status, reason)).status_code == 200
        found, cursor = [], ""
        while cursor is not None:
            params = {"limit": 1, **({"cursor": cursor} if cursor else {})}
            page = (await world.call(world.manager, "GET", f"/ideas/{idea}/stakes", params=params)).json()
            found += page["items"]
            cursor = page["next_cursor"]
        assert found == as_listed(world)


class TestBackersOfAClosedIdea:
    @pytest.mark.parametrize("status", ["withdrawn", "rejected"])
    async def test_keep_reading_it_and_the_reason(self, application: FastAPI, client: AsyncClient, status: str) -> None:
        world, idea = await backed(application, client, "self")
        closer = world.members[0] if status == "withdrawn" else world.manager
        assert (await world.step(closer, idea, status, "Built by another team")).status_code == 200
        stranger = await commit_user(application)
        await world.call(stranger, "POST", "/campaigns/{id}/join")
        for reader, reads in ((world.members[1], True), (world.members[3], True), (stranger, False)):
            found = await world.call(reader, "GET", f"/ideas/{idea}")
            assert found.status_code == (200 if reads else 404)
            if reads:
                assert found.json()["reason"] == "Built by another team"
            for query in ("", "?backed=true"):
                listed = (await world.call(reader, "GET", f"/campaigns/{{id}}/ideas{query}")).json()["items"]
                assert [item["id"] for item in listed] == ([str(idea)] if reads else [])
