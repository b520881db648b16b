"""Saved views: who sees, uses and changes them, their limits, and queries that can no longer be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from api.ideas.lists import views
from api.ideas.lists.grammar import QUERY_LENGTH_MAX
from tests.factories.campaigns import World, make_world
from tests.factories.containers import parts

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient, Response

    from api.auth.models import User

VIEWS = "/campaigns/{id}/idea-views"


@pytest.fixture
async def world(application: FastAPI, client: AsyncClient) -> World:
    return await make_world(application, client)


async def save(world: World, user: User, name: str, query: str = "is:mine", **fields: Any) -> Response:
    return await world.call(user, "POST", VIEWS, json={"name": name, "query": query, **fields})


async def names(world: World, user: User) -> list[str]:
    response = await world.call(user, "GET", VIEWS)
    assert response.status_code == 200, response.text
    return [view["name"] for view in response.json()]


def slug(response: Response) -> tuple[int, str]:
    return response.status_code, response.json()["type"].rpartition(":")[2]


class TestSave:
    async def test_keeps_a_query_for_its_owner(self, world: World) -> None:
        ann, bob, _ = world.members
        saved = await save(world, ann, "Mine", 'is:mine  coins:>5 sort:coins-desc "two words"')
        assert saved.status_code == 201, saved.text
        view = saved.json()
        assert view["query"] == 'is:mine coins:6.. "two words" sort:coins'
        assert (view["owner_id"], view["owner_name"], view["is_shared"]) == (str(ann.id), ann.display_name, False)
        assert (await names(world, ann), await names(world, bob)) == (["Mine"], [])
        assert slug(await world.call(bob, "DELETE", f"{VIEWS}/{view['id']}")) == (404, "view-not-found")

    async def test_is_refused(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        ann = world.members[0]
        refused = await save(world, ann, "Bad", "statu:competing")
        assert (*slug(refused), refused.json()["nearest"]) == (422, "invalid-filter", "status")
        # fits as it is, and not with the quotation marks with which it is stored
        long = "tag:" + ",".join(f":{n:02}{'x' * 15}" for n in range(49))
        assert len(long) < QUERY_LENGTH_MAX
        assert slug(await save(world, ann, "Long", long)) == (422, "invalid-filter")
        assert slug(await save(world, ann, "Shared", is_shared=True)) == (403, "view-sharing-not-allowed")
        assert (await save(world, ann, "Mine")).status_code == 201
        assert slug(await save(world, ann, "MINE")) == (409, "view-name-taken")
        assert (await save(world, world.members[1], "MINE")).status_code == 201
        monkeypatch.setattr(views, "OWN_VIEWS_MAX", 2)
        assert (await save(world, ann, "Second")).status_code == 201
        assert (*slug(await save(world, ann, "Third")), 2) == (409, "too-many-views", 2)


class TestShare:
    async def test_shows_the_view_to_everyone(self, world: World) -> None:
        ann = world.members[0]
        view = (await save(world, world.manager, "To do", "has:comments -has:answer", is_shared=True)).json()
        await save(world, ann, "Own")
        assert await names(world, ann) == ["Own", "To do"]
        assert slug(await world.call(ann, "PATCH", f"{VIEWS}/{view['id']}", json={"name": "X"})) == (
            403, "view-sharing-not-allowed",
        )  # fmt: skip
        assert slug(await save(world, world.manager, "to do", is_shared=True)) == (409, "view-name-taken")
        edited = await world.call(world.manager, "PATCH", f"{VIEWS}/{view['id']}", json={"is_shared": False})
        assert (edited.status_code, await names(world, ann)) == (200, ["Own"])
        assert (await world.call(world.manager, "DELETE", f"{VIEWS}/{view['id']}")).status_code == 204
        assert await names(world, world.manager) == []

    async def test_ends_by_its_owner_only(self, world: World) -> None:
        """Another manager would learn the names of the owner's views."""
        other = world.members[1]
        await world.call(world.manager, "PUT", f"/campaigns/{{id}}/members/{other.id}/role", params={"role": "manager"})
        view = (await save(world, world.manager, "To do", is_shared=True)).json()
        path = f"{VIEWS}/{view['id']}"
        refused = await world.call(other, "PATCH", path, json={"is_shared": False})
        assert slug(refused) == (403, "view-sharing-not-allowed")
        assert (await world.call(other, "PATCH", path, json={"name": "All"})).status_code == 200
        assert (await world.call(other, "DELETE", path)).status_code == 204


class TestUse:
    async def test_filters_by_its_query_and_what_is_added(self, world: World) -> None:
        ann, bob, _ = world.members
        for user, title in ((ann, "Bicycle racks"), (ann, "Canteen"), (bob, "Bicycle lanes")):
            await world.submit(user, title)
        view = (await save(world, ann, "Mine", "is:mine coins:0 sort:title")).json()["id"]
        for added, found in (
            ({}, ["Bicycle racks", "Canteen"]),
            ({"q": "bicycle"}, ["Bicycle racks"]),
            ({"sort": "title-desc"}, ["Canteen", "Bicycle racks"]),
            ({"coins_min": "1"}, []),
        ):
            response = await world.call(ann, "GET", "/campaigns/{id}/ideas/filter", params={"view": view, **added})
            assert [idea["title"] for idea in response.json()["items"]] == found
        hidden = await world.call(bob, "GET", "/campaigns/{id}/ideas/filter", params={"view": view})
        assert slug(hidden) == (404, "view-not-found")

    async def test_reports_a_query_that_can_no_longer_be_read(self, world: World) -> None:
        ann = world.members[0]
        await world.submit(ann)
        view = (await save(world, ann, "Old")).json()["id"]
        async with parts(world.app).database.session() as session:
            await session.execute(text("UPDATE app.idea_views SET query = 'colour:red' WHERE id = :id"), {"id": view})
        used = await world.call(ann, "GET", "/campaigns/{id}/ideas/filter", params={"view": view})
        assert used.status_code == 200
        assert (used.json()["items"], used.json()["total"], used.json()["query"]) == ([], 0, "colour:red")
        assert "there is no key 'colour'" in used.json()["problem"]
        (listed,) = (await world.call(ann, "GET", VIEWS)).json()
        assert listed["problem"] == used.json()["problem"]

    async def test_reports_a_tag_that_no_longer_exists(self, world: World) -> None:
        tag = (await world.call(world.manager, "POST", "/campaigns/{id}/tags", json={"name": "Parks"})).json()["id"]
        await world.call(world.manager, "POST", "/campaigns/{id}/tags", json={"name": "Roads"})
        await save(world, world.members[0], "Parks", "tag:parks")
        (listed,) = (await world.call(world.members[0], "GET", VIEWS)).json()
        assert listed["problem"] is None
        await world.call(world.manager, "DELETE", f"/campaigns/{{id}}/tags/{tag}")
        (listed,) = (await world.call(world.members[0], "GET", VIEWS)).json()
        assert listed["problem"] == "The campaign has no tag 'parks'."
