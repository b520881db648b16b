"""The tags that a campaign defines, and the tags of ideas in such a campaign."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from api.ideas import tags as tags_module
from tests.auth.calls import problem
from tests.factories.campaigns import DESCRIPTION, World, make_world
from tests.factories.containers import parts

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient, Response

TAGS = "/campaigns/{id}/tags"
IDEAS = "/campaigns/{id}/ideas"


async def define(world: World, name: str, **body: Any) -> str:
    made = await world.call(world.manager, "POST", TAGS, json={"name": name, **body})
    assert made.status_code == 201, made.text
    tag_id: str = made.json()["id"]
    return tag_id


async def submit(world: World, *tags: str, category: str | None = None) -> Response:
    body = {"title": "Racks by the door", "description": DESCRIPTION, "tags": tags, "category": category}
    return await world.call(world.members[0], "POST", IDEAS, json=body)


async def idea_with(world: World, *tags: str, category: str | None = None) -> str:
    made = await submit(world, *tags, category=category)
    assert made.status_code == 201, made.text
    idea_id: str = made.json()["id"]
    return idea_id


async def labels(world: World, idea: str) -> tuple[list[str], list[str]]:
    read = (await world.call(world.members[0], "GET", f"/ideas/{idea}")).json()
    return read["tags"], read["category"]


async def listed(world: World) -> list[tuple[str, int, int]]:
    found = await world.call(world.members[1], "GET", TAGS)
    assert found.status_code == 200, found.text
    return [(tag["name"], tag["level"], tag["ideas"]) for tag in found.json()]


class TestCreate:
    async def test_lists_each_tag_below_its_parent_in_order(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        assert await listed(world) == []
        town = await define(world, "Town", position=1, colour="#00ff7f", is_required=True)
        await define(world, "Country", position=0)
        north = await define(world, "North", parent_id=town, position=2)
        await define(world, "Harbour", parent_id=north)
        await define(world, "East", parent_id=town, position=1)
        await idea_with(world, "Harbour", "North")
        assert await listed(world) == [
            ("Country", 1, 0), ("Town", 1, 0), ("East", 2, 0), ("North", 2, 1), ("Harbour", 3, 1),
        ]  # fmt: skip

    async def test_is_refused_for_a_taken_name_or_place(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        one = await define(world, "One")
        two = await define(world, "Two", parent_id=one)
        three = await define(world, "Three", parent_id=two)
        for body, expected in (
            ({"name": "ONE"}, (409, "tag-name-taken")),
            ({"name": "Four", "parent_id": three}, (422, "tags-too-deep")),
            ({"name": "Four", "parent_id": one, "is_required": True}, (422, "tags-too-deep")),
            ({"name": "Four", "parent_id": str(uuid4())}, (404, "tag-not-found")),
            ({"name": "Four", "colour": "green"}, (422, "validation")),
        ):
            assert problem(await world.call(world.manager, "POST", TAGS, json=body)) == expected
        refused = await world.call(world.members[0], "POST", TAGS, json={"name": "Four"})
        assert problem(refused) == (403, "not-a-manager")

    async def test_is_refused_above_the_largest_number(
        self, application: FastAPI, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = await make_world(application, client)
        monkeypatch.setattr(tags_module, "TAGS_MAX", 1)
        await define(world, "One")
        refused = await world.call(world.manager, "POST", TAGS, json={"name": "Two"})
        assert problem(refused) == (409, "too-many-tags")

    async def test_takes_over_free_tags_and_categories_of_its_name(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client)
        first = await idea_with(world, "cycling", "Cycling", "roads", category="CYCLING")
        second = await idea_with(world, "roads")
        await define(world, "Cycling")
        assert await labels(world, first) == (["Cycling", "roads"], ["Cycling"])
        assert await labels(world, second) == (["roads"], [])
        assert await listed(world) == [("Cycling", 1, 1)]
        kept = await world.call(world.members[0], "PATCH", f"/ideas/{first}", json={"tags": ["roads", "cycling"]})
        assert kept.json()["tags"] == ["Cycling", "roads"], "an idea keeps the free tags that it has"

    async def test_of_the_same_name_at_once_happens_once(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        made = await asyncio.gather(
            *(world.call(world.manager, "POST", TAGS, json={"name": name}) for name in ("Same", "same", "SAME"))
        )
        assert sorted(each.status_code for each in made) == [201, 409, 409]

    async def test_the_database_refuses_a_fourth_level_and_a_parent_elsewhere(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world, other = [await make_world(application, client) for _ in range(2)]
        tag = await define(world, "One")
        insert = text(
            "INSERT INTO app.campaign_tags (campaign_id, parent_id, level, name) VALUES (:campaign, :parent, :level, 'Two')"
        )
        for campaign, level, constraint in (
            (world.campaign_id, 4, "ck_campaign_tags_level"),
            (world.campaign_id, 3, "fk_campaign_tags_parent_id_campaign_tags"),
            (world.campaign_id, 1, "ck_campaign_tags_parent"),
            (other.campaign_id, 2, "fk_campaign_tags_parent_id_campaign_tags"),
        ):
            with pytest.raises(IntegrityError, match=constraint):
                async with parts(application).database.session() as session:
                    await session.execute(insert, {"campaign": campaign, "parent": tag, "level": level})


class TestEdit:
    async def test_a_new_name_reaches_the_ideas(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        free = await idea_with(world, "bikes")
        tag = await define(world, "Cycling")
        idea = await idea_with(world, "cycling", category="CYCLING")
        renamed = await world.call(world.manager, "PATCH", f"{TAGS}/{tag}", json={"name": "Bikes", "colour": "#0000ff"})
        assert (renamed.json()["name"], renamed.json()["colour"]) == ("Bikes", "#0000ff")
        assert await labels(world, idea) == (["Bikes"], ["Bikes"])
        assert await labels(world, free) == (["Bikes"], [])
        assert await listed(world) == [("Bikes", 1, 2)]
        found = (await world.call(world.members[1], "GET", IDEAS, params={"tag": "bikes"})).json()["items"]
        assert {each["id"] for each in found} == {idea, free}

    async def test_a_new_name_that_an_idea_has_as_a_free_tag_is_kept_once(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client, members=1)
        body = {"title": "Plant trees", "description": DESCRIPTION, "tags": ["green", "eco"]}
        idea = await world.call(world.members[0], "POST", "/campaigns/{id}/ideas", json=body)
        eco = await world.call(world.manager, "POST", "/campaigns/{id}/tags", json={"name": "eco"})
        renamed = await world.call(
            world.manager, "PATCH", f"/campaigns/{{id}}/tags/{eco.json()['id']}", json={"name": "Green"}
        )
        assert renamed.status_code == 200, renamed.text
        assert (await world.call(world.manager, "GET", f"/ideas/{idea.json()['id']}")).json()["tags"] == ["Green"]

    async def test_moves_a_tag_with_those_below_it(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        one, other = await define(world, "One"), await define(world, "Other")
        two = await define(world, "Two", parent_id=one)
        three = await define(world, "Three", parent_id=two)

        async def move(tag: str, parent: str | None) -> Response:
            return await world.call(world.manager, "PATCH", f"{TAGS}/{tag}", json={"parent_id": parent})

        assert (await move(two, other)).status_code == 200
        assert [(name, level) for name, level, _ in await listed(world)] == [
            ("One", 1), ("Other", 1), ("Two", 2), ("Three", 3),
        ]  # fmt: skip
        assert problem(await move(other, one)) == (422, "tags-too-deep")
        assert problem(await move(other, three)) == (422, "tags-too-deep")
        assert problem(await move(two, two)) == (422, "tags-too-deep")
        assert (await move(three, None)).json()["level"] == 1
        assert (await move(other, one)).json()["level"] == 2
        assert [(name, level) for name, level, _ in await listed(world)] == [
            ("One", 1), ("Other", 2), ("Two", 3), ("Three", 1),
        ]  # fmt: skip

    async def test_of_a_tag_of_another_campaign_is_not_found(self, application: FastAPI, client: AsyncClient) -> None:
        world, other = [await make_world(application, client) for _ in range(2)]
        tag = await define(other, "Elsewhere")
        for method, path, body in (
            ("PATCH", "", {"name": "Mine"}), ("DELETE", "", None), ("POST", "/merge", {"into_id": tag}),
        ):  # fmt: skip
            refused = await world.call(world.manager, method, f"{TAGS}/{tag}{path}", json=body)
            assert problem(refused) == (404, "tag-not-found")


class TestMerge:
    async def test_ideas_keep_one_of_the_tags(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        bikes, cycling = await define(world, "Bikes"), await define(world, "Cycling")
        both = await idea_with(world, "Bikes", "Cycling", category="Bikes")
        one = await idea_with(world, "Bikes")
        path, body = f"{TAGS}/{bikes}/merge", {"into_id": cycling}
        simulated = await world.call(world.manager, "POST", f"{path}?dry_run=true", json=body)
        assert simulated.status_code == 200
        assert await labels(world, one) == (["Bikes"], [])
        merged = await world.call(world.manager, "POST", path, json=body)
        assert merged.json()["name"] == "Cycling"
        assert await labels(world, both) == (["Cycling"], ["Cycling"])
        assert await labels(world, one) == (["Cycling"], [])
        assert await listed(world) == [("Cycling", 1, 2)]

    async def test_is_refused_with_itself_and_with_tags_below(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        one, other = await define(world, "One"), await define(world, "Other")
        await define(world, "Two", parent_id=one)
        for into, expected in ((one, (422, "tags-too-deep")), (other, (409, "tag-in-use"))):
            refused = await world.call(world.manager, "POST", f"{TAGS}/{one}/merge", json={"into_id": into})
            assert problem(refused) == expected

    async def test_loses_no_idea_that_is_submitted_meanwhile(self, application: FastAPI, client: AsyncClient) -> None:
        """Each submission is before the merge, or it is refused because the tag no longer exists."""
        world = await make_world(application, client)
        for number in range(3):
            tag, into = await define(world, f"From {number}"), await define(world, f"Into {number}")
            merged, *made = await asyncio.gather(
                world.call(world.manager, "POST", f"{TAGS}/{tag}/merge", json={"into_id": into}),
                *(submit(world, f"From {number}") for _ in range(4)),
            )
            assert merged.status_code == 200, merged.text
            for response in made:
                if response.status_code == 201:
                    assert await labels(world, response.json()["id"]) == ([f"Into {number}"], [])
                else:
                    assert problem(response) == (422, "unknown-tag")


class TestDelete:
    async def test_does_not_reveal_that_a_draft_has_the_tag(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        await define(world, "Schools")
        tag = await define(world, "Streets")
        body = {"title": "Racks by the door", "description": DESCRIPTION, "tags": ["Streets"]}
        draft = (await world.call(world.members[0], "POST", f"{IDEAS}/drafts", json=body)).json()
        assert (await world.call(world.manager, "DELETE", f"{TAGS}/{tag}")).status_code == 204
        assert (await labels(world, draft["id"]))[0] == ["Streets"], "the author decides"
        late = await world.step(world.members[0], draft["id"], "competing")
        assert problem(late) == (422, "unknown-tag")

    async def test_removes_an_unused_tag_only(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        one = await define(world, "One")
        two = await define(world, "Two", parent_id=one)
        idea = await idea_with(world, "Two")
        for tag in (one, two):
            refused = await world.call(world.manager, "DELETE", f"{TAGS}/{tag}")
            assert problem(refused) == (409, "tag-in-use")
        await world.call(world.members[0], "PATCH", f"/ideas/{idea}", json={"tags": []})
        for tag in (two, one):
            assert (await world.call(world.manager, "DELETE", f"{TAGS}/{tag}")).status_code == 204
        assert await listed(world) == []


class TestTagsOfIdeas:
    async def test_an_unknown_one_is_refused_with_the_nearest(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        await define(world, "Cycling")
        await define(world, "Canteen")
        refused = await submit(world, "Cyclign")
        assert problem(refused) == (422, "unknown-tag")
        assert (refused.json()["tag"], refused.json()["nearest"]) == ("Cyclign", "Cycling")
        assert "Did you mean 'Cycling'?" in refused.json()["detail"]
        assert problem(await submit(world, category="Catneen")) == (422, "unknown-tag")
        draft = await world.call(world.members[0], "POST", f"{IDEAS}/drafts", json={"title": "R", "tags": ["Roads"]})
        assert (problem(draft), draft.json()["nearest"]) == ((422, "unknown-tag"), None)
        idea = await idea_with(world, "CYCLING", category="canteen")
        assert await labels(world, idea) == (["Cycling"], ["Canteen"])
        edited = await world.call(world.members[0], "PATCH", f"/ideas/{idea}", json={"tags": ["Cycling", "Bycicle"]})
        assert problem(edited) == (422, "unknown-tag")
        assert await labels(world, idea) == (["Cycling"], ["Canteen"])

    async def test_a_required_group_needs_one_of_its_tags(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        place = await define(world, "Place", is_required=True)
        north = await define(world, "North", parent_id=place)
        await define(world, "Harbour", parent_id=north)
        await define(world, "Cost", is_required=True)
        missing = await submit(world, "Harbour")
        assert (problem(missing), missing.json()["missing"]) == ((422, "tag-missing"), ["Cost"])
        assert (await submit(world)).json()["missing"] == ["Cost", "Place"]
        idea = await idea_with(world, "Harbour", category="Cost")
        author = world.members[0]
        removed = await world.call(author, "PATCH", f"/ideas/{idea}", json={"tags": []})
        assert problem(removed) == (422, "tag-missing")
        assert await labels(world, idea) == (["Harbour"], ["Cost"])
        assert (await world.call(author, "PATCH", f"/ideas/{idea}", json={"title": "Another title"})).status_code == 200
        draft = (await world.call(author, "POST", f"{IDEAS}/drafts", json={"title": "Racks by the door"})).json()
        path = f"/ideas/{draft['id']}"
        await world.call(author, "PATCH", path, json={"description": DESCRIPTION, "tags": ["North"]})
        assert problem(await world.step(author, draft["id"], "competing")) == (422, "tag-missing")
        await world.call(author, "PATCH", path, json={"tags": ["North", "Cost"]})
        assert (await world.step(author, draft["id"], "competing")).status_code == 200

    async def test_a_restored_version_leaves_out_tags_that_no_longer_exist(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client)
        tag, _ = await define(world, "Bikes"), await define(world, "Roads")
        idea = await idea_with(world, "Bikes", "Roads")
        await world.call(world.members[0], "PATCH", f"/ideas/{idea}", json={"tags": [], "title": "Another title"})
        assert (await world.call(world.manager, "DELETE", f"{TAGS}/{tag}")).status_code == 204
        restored = await world.call(world.members[0], "POST", f"/ideas/{idea}/versions/1/restore", json={})
        assert (restored.json()["tags"], restored.json()["title"]) == (["Roads"], "Racks by the door")


class TestAfterTheEnd:
    async def test_tags_of_a_completed_campaign_do_not_change(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        tag, other = await define(world, "Streets"), await define(world, "Schools")
        idea = await idea_with(world, "Streets")
        await world.call(world.manager, "POST", "/campaigns/{id}/complete")
        for method, path, body in (
            ("POST", TAGS, {"name": "Parks"}),
            ("PATCH", f"{TAGS}/{tag}", {"name": "Roads"}),
            ("POST", f"{TAGS}/{tag}/merge", {"into_id": other}),
            ("DELETE", f"{TAGS}/{other}", None),
        ):
            refused = await world.call(world.manager, method, path, json=body)
            assert problem(refused) == (409, "campaign-not-active"), (method, path)
        wanted: dict[str, Any] = {"action": "tag", "idea_ids": [idea], "tags": ["Schools"]}
        (item,) = (await world.call(world.manager, "POST", f"{IDEAS}/bulk", json=wanted)).json()["items"]
        assert item["problem"] == "urn:ideamint:problem:campaign-not-active"
        assert await labels(world, idea) == (["Streets"], [])
