"""Lists of ideas: their filters, their total, and the names of authors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.factories.campaigns import DESCRIPTION, World, make_world

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient

IDEAS: tuple[tuple[int, str, str | None, list[str]], ...] = (
    (0, "Put bicycle racks by the door", "Building", ["Cycling", "commute"]),
    (0, "A 50% cheaper canteen", "Food", ["canteen"]),
    (1, "More racks for shoes", "Building", ["canteen", "wet days"]),
)


@pytest.fixture
async def world(application: FastAPI, client: AsyncClient) -> World:
    """A campaign with an idea of the first member on cycling, one on the canteen, and one of the second member."""
    world = await make_world(application, client)
    for author, title, category, tags in IDEAS:
        body = {"title": title, "description": DESCRIPTION, "category": category, "tags": tags}
        added = await world.call(world.members[author], "POST", "/campaigns/{id}/ideas", json=body)
        assert added.status_code == 201, added.text
    return world


async def listed(world: World, **query: Any) -> dict[str, Any]:
    response = await world.call(world.members[2], "GET", "/campaigns/{id}/ideas", params={"sort": "newest", **query})
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"category": "building"}, [2, 0]),
        ({"category": ["Food", "Building"]}, [2, 1, 0]),
        ({"tag": "CYCLING"}, [0]),
        ({"tag": ["canteen", "cycling"], "category": "Building"}, [2, 0]),
        ({"category": "canteen"}, []),
        ({"q": "RACKS"}, [2, 0]),
        ({"q": "50%"}, [1]),
        ({"q": "racks%"}, []),
        ({"q": DESCRIPTION[:20].upper(), "tag": "wet days"}, [2]),
    ],
    ids=str,
)
async def test_filters_by_category_tag_and_words(world: World, query: dict[str, Any], found: list[int]) -> None:
    page = await listed(world, **query)
    assert [idea["title"] for idea in page["items"]] == [IDEAS[number][1] for number in found]
    assert page["total"] == len(found)


async def test_filters_by_author_and_names_them(world: World) -> None:
    page = await listed(world, author_id=str(world.members[0].id))
    assert [idea["title"] for idea in page["items"]] == [IDEAS[1][1], IDEAS[0][1]]
    assert {idea["author_name"] for idea in page["items"]} == {world.members[0].display_name}


async def test_the_total_counts_all_pages(world: World) -> None:
    first = await listed(world, limit=2)
    second = await listed(world, limit=2, cursor=first["next_cursor"])
    assert [len(page["items"]) for page in (first, second)] == [2, 1]
    assert first["total"] == second["total"] == 3


async def test_each_person_has_a_name(world: World) -> None:
    """Whoever backed, changed or valued an idea, and whoever set the coin policy."""
    idea = (await listed(world, tag="cycling"))["items"][0]["id"]
    assert (await world.allocate(world.members[1], idea, 10)).status_code == 201
    value = {
        "kind": "expected_cost",
        "amount": "100.00",
        "currency": "EUR",
        "valued_on": "2026-01-05",
        "source": "a quote",
    }
    valued = await world.call(world.manager, "POST", f"/ideas/{idea}/valuations", json=value)
    assert (valued.status_code, valued.json()["recorded_by_name"]) == (201, world.manager.display_name)
    (listed_value,) = (await world.call(world.manager, "GET", f"/ideas/{idea}/valuations")).json()
    assert listed_value == valued.json()
    assert (await world.step(world.manager, idea, "accepted")).json()["author_name"] == world.members[0].display_name
    history = (await world.call(world.manager, "GET", f"/ideas/{idea}/history")).json()["items"]
    assert history[0]["actor_name"] == world.manager.display_name
    (policy,) = (await world.call(world.manager, "GET", "/campaigns/{id}/coins/policies")).json()
    assert (policy["created_by"], policy["created_by_name"]) == (str(world.manager.id), world.manager.display_name)
    audit = await world.audit()
    (accepted,) = [event for event in audit if event["kind"] == "idea_accepted"]
    assert accepted["actor_name"] == world.manager.display_name
    (moved,) = [event for event in audit if event["kind"] == "coins_allocated"]
    assert (moved["actor_name"], moved["user_name"]) == (None, None), "the policy hides the owners of stakes"


async def test_backers_have_names(application: FastAPI, client: AsyncClient) -> None:
    world = await make_world(application, client, policy={"stakes_visible_to": "managers"})
    idea = await world.submit(world.members[0])
    assert (await world.allocate(world.members[1], idea, 10)).status_code == 201
    (backer,) = (await world.call(world.manager, "GET", f"/ideas/{idea}/stakes")).json()["items"]
    assert backer == {"user_id": str(world.members[1].id), "display_name": world.members[1].display_name, "coins": 10}
