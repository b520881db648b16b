"""Followers of ideas."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from tests.factories.campaigns import World, event_kinds, make_world
from tests.factories.containers import parts
from tests.factories.users import commit_user

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient

    from api.auth.models import User


async def followed(world: World, user: User, **params: Any) -> list[str]:
    response = await world.call(user, "GET", "/users/me/following", params=params)
    assert response.status_code == 200, response.text
    return [each["idea_id"] for each in response.json()["items"]]


class TestFollow:
    async def test_counts_each_person_once(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea, (one, other, third) = await world.submit(world.members[0]), world.members
        path = f"/ideas/{idea}/following"
        assert (await world.call(third, "GET", path)).json() == {"followers": 0, "i_follow": False}
        for user, followers in ((one, 1), (one, 1), (other, 2)):
            made = await world.call(user, "PUT", path)
            assert (made.status_code, made.json()) == (200, {"followers": followers, "i_follow": True})
        assert (await world.call(third, "GET", path)).json() == {"followers": 2, "i_follow": False}
        for _ in range(2):
            assert (await world.call(one, "DELETE", path)).json() == {"followers": 1, "i_follow": False}
        kinds = await event_kinds(application, idea)
        assert kinds[1:] == ["idea_followed", "idea_followed", "idea_unfollowed"]

    async def test_twice_at_once_is_one_follower_and_one_event(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        made = await asyncio.gather(
            *(world.call(world.members[1], "PUT", f"/ideas/{idea}/following") for _ in range(4))
        )
        assert {response.status_code for response in made} == {200}
        assert (await event_kinds(application, idea)).count("idea_followed") == 1

    async def test_needs_a_visible_idea(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, is_mediated=True)
        idea = await world.submit(world.members[0])
        assert (await world.call(world.members[1], "PUT", f"/ideas/{idea}/following")).status_code == 404
        await world.step(world.manager, idea, "competing")
        stranger = await commit_user(application)
        assert (await world.call(stranger, "PUT", f"/ideas/{idea}/following")).status_code == 200


class TestListFollowed:
    async def test_has_what_i_may_see_the_newest_first(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        mine = [str(await world.submit(world.members[0])) for _ in range(3)]
        user = world.members[1]
        for idea in mine:
            await world.call(user, "PUT", f"/ideas/{idea}/following")
        assert await followed(world, user) == mine[::-1]
        first = (await world.call(user, "GET", "/users/me/following", params={"limit": 2})).json()
        assert first["items"][0]["status"] == "competing"
        assert await followed(world, user, limit=2, cursor=first["next_cursor"]) == mine[:1]
        assert await followed(world, world.members[2]) == []
        await world.step(world.members[0], mine[2], "withdrawn")  # type: ignore[arg-type]
        assert await followed(world, user) == mine[1::-1]

    async def test_leaves_out_campaigns_that_i_no_longer_see(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, visibility="members")
        idea, user = await world.submit(world.members[0]), world.members[1]
        await world.call(user, "PUT", f"/ideas/{idea}/following")
        assert await followed(world, user) == [str(idea)]
        assert (await world.call(user, "POST", "/campaigns/{id}/leave")).is_success
        assert await followed(world, user) == []

    async def test_keeps_my_own_hidden_idea_and_those_of_managers(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client, is_mediated=True)
        idea = str(await world.submit(world.members[0]))
        for user in (world.members[0], world.manager):
            await world.call(user, "PUT", f"/ideas/{idea}/following")
            assert await followed(world, user) == [idea]
        async with parts(application).database.session() as session:
            await session.execute(
                text("UPDATE app.memberships SET role = 'member' WHERE campaign_id = :id"), {"id": world.campaign_id}
            )
        assert await followed(world, world.manager) == []
