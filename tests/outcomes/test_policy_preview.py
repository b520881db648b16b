"""The preview of a coin policy over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.factories.campaigns import World, make_world

if TYPE_CHECKING:
    from uuid import UUID

    from fastapi import FastAPI
    from httpx2 import AsyncClient

PATH = "/campaigns/{id}/coins/policies/preview"


async def voted(application: FastAPI, client: AsyncClient) -> tuple[World, list[UUID]]:
    """Six members: five put 50 on the first idea and 10 on the second, and one 90 on the third."""
    world = await make_world(application, client, members=6)
    ideas = [await world.submit(world.manager, f"Idea number {number}") for number in range(3)]
    for member in world.members[:5]:
        for idea, coins in ((ideas[0], 50), (ideas[1], 10)):
            assert (await world.allocate(member, idea, coins)).status_code == 201
    assert (await world.allocate(world.members[5], ideas[2], 90)).status_code == 201
    return world, ideas


async def preview(world: World, **policy: Any) -> dict[str, Any]:
    response = await world.call(world.manager, "POST", PATH, json=policy)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def test_says_who_is_capped_and_which_ideas_change_places(application: FastAPI, client: AsyncClient) -> None:
    world, ideas = await voted(application, client)
    found = await preview(world, coins_per_member_and_idea_max=9)
    assert (found["voters"], found["staked_coins"], found["ideas"]) == (6, 390, 3)
    effects = {effect.pop("field"): effect for effect in found["limits"]}
    assert effects["coins_per_member_and_idea_max"] == {"members": 6, "coins": 291}
    assert effects["own_ideas"] == effects["coins_per_member"] == {"members": 0, "coins": 0}
    assert [(idea["idea_id"], idea["place"], idea["place_under_policy"]) for idea in found["moved"]] == [
        (str(ideas[2]), 2, 3), (str(ideas[1]), 3, 2)
    ]  # fmt: skip
    assert (found["moved_ideas"], found["unsupported_ideas"]) == (2, 0)
    stored = (await world.call(world.manager, "GET", "/campaigns/{id}/coins/policies")).json()
    assert [policy["version"] for policy in stored] == [1]


async def test_hides_figures_of_few_members(application: FastAPI, client: AsyncClient) -> None:
    world, _ = await voted(application, client)
    found = await preview(world, coins_per_member_and_idea_max=60)
    effects = {effect["field"]: effect for effect in found["limits"]}
    assert effects["coins_per_member_and_idea_max"]["members"] is None
    assert effects["coins_per_member_and_idea_max"]["coins"] is None


async def test_names_accepted_ideas_that_would_lack_support(application: FastAPI, client: AsyncClient) -> None:
    world, ideas = await voted(application, client)
    for idea in (ideas[0], ideas[2]):
        accepted = await world.call(world.manager, "POST", f"/ideas/{idea}/status", json={"status": "accepted"})
        assert accepted.is_success
    found = await preview(world, backers_min=2)
    assert [(idea["idea_id"], idea["lacks_support"]) for idea in found["moved"]] == [(str(ideas[2]), True)]
    assert (found["unsupported_ideas"], found["expired_coins"]) == (1, 340)


async def test_returned_coins_count_if_they_expire(application: FastAPI, client: AsyncClient) -> None:
    """The coins of the rejected idea were put on another one, which the policy would not have allowed."""
    world, ideas = await voted(application, client)
    rejected = {"status": "rejected", "reason": "Too expensive."}
    assert (await world.call(world.manager, "POST", f"/ideas/{ideas[0]}/status", json=rejected)).is_success
    for member in world.members[:5]:
        assert (await world.allocate(member, ideas[1], 80)).status_code == 201
    reused = await preview(world, returned_coins="reuse")
    assert (reused["staked_coins"], reused["expired_coins"], reused["limits"][1]["members"]) == (540, 0, 0)
    expired = await preview(world, returned_coins="expire")
    assert (expired["staked_coins"], expired["limits"][1]) == (
        790, {"field": "coins_per_member", "members": 5, "coins": 200}
    )  # fmt: skip
    assert (expired["expired_coins"], expired["ideas"]) == (180, 2)


async def test_is_for_managers(application: FastAPI, client: AsyncClient) -> None:
    world, _ = await voted(application, client)
    refused = await world.call(world.members[0], "POST", PATH, json={})
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:ideamint:problem:not-a-manager")
