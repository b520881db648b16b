"""The history of an idea: its order and pages, and who sees which entries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.factories.campaigns import World, make_world
from tests.factories.users import commit_user

if TYPE_CHECKING:
    from uuid import UUID

    from fastapi import FastAPI
    from httpx2 import AsyncClient

    from api.auth.models import User


async def history(world: World, user: User, idea: UUID, **query: Any) -> list[dict[str, Any]]:
    seen: list[dict[str, Any]] = []
    cursor = ""
    while cursor is not None:
        params = {**query, **({"cursor": cursor} if cursor else {})}
        response = await world.call(user, "GET", f"/ideas/{idea}/history", params=params)
        assert response.status_code == 200, response.text
        seen += response.json()["items"]
        cursor = response.json()["next_cursor"]
    return seen


async def story(application: FastAPI, client: AsyncClient, audience: str) -> tuple[World, UUID]:
    """An idea with an entry of each kind."""
    world = await make_world(application, client, is_mediated=True, policy={"stakes_visible_to": audience})
    idea = await world.submit(world.members[0])
    asked = await world.call(
        world.manager, "POST", f"/ideas/{idea}/change-requests", json={"text": "Say what it costs."}
    )
    assert asked.status_code == 201, asked.text
    await world.call(world.members[0], "PATCH", f"/ideas/{idea}", json={"title": "Racks for 300 euros"})
    await world.step(world.manager, idea, "competing")
    other = await world.submit(world.members[0])
    await world.step(world.manager, other, "competing")
    assert (await world.allocate(world.members[1], idea, 30)).status_code == 201
    assert (await world.allocate(world.members[2], idea, 20)).status_code == 201
    await world.reallocate(world.members[1], idea, other, 10)
    await world.reallocate(world.members[2], idea, None, 5)
    await world.step(world.manager, idea, "accepted")
    return world, idea


def described(entry: dict[str, Any]) -> Any:
    shown = {
        "status": (entry["from_status"], entry["to_status"]),
        "version": entry["version"],
        "change_request": entry["reason"],
        "coins": (entry["movement"], entry["coins"]),
    }
    return shown[entry["kind"]]


ALL = [
    ("competing", "accepted"),
    ("take_back", -5),
    ("reallocate", -10),
    ("allocate", 20),
    ("allocate", 30),
    ("pending", "competing"),
    2,
    "Say what it costs.",
    (None, "pending"),
]


class TestHistory:
    @pytest.mark.parametrize("limit", [1, 2, 5, 50])
    async def test_has_all_kinds_newest_first_on_all_pages(
        self, application: FastAPI, client: AsyncClient, limit: int
    ) -> None:
        world, idea = await story(application, client, "managers")
        entries = await history(world, world.manager, idea, limit=limit)
        assert [described(entry) for entry in entries] == ALL
        names = {entry["actor_name"] for entry in entries}
        assert names == {world.manager.display_name, *(member.display_name for member in world.members)}
        assert [entry["at"] for entry in entries] == sorted((entry["at"] for entry in entries), reverse=True)

    @pytest.mark.parametrize("audience", ["self", "managers", "members"])
    async def test_shows_coins_as_the_policy_allows(
        self, application: FastAPI, client: AsyncClient, audience: str
    ) -> None:
        world, idea = await story(application, client, audience)
        visitor = await commit_user(application)
        executive = await commit_user(application, roles=["executive"])
        own = {world.members[1].id: [("reallocate", -10), ("allocate", 30)]}
        everything = [entry for entry in ALL if isinstance(entry, tuple) and isinstance(entry[1], int)]
        for user, sees_all in (
            (world.manager, audience != "self"),
            (world.members[1], audience == "members"),
            (visitor, False),
            (executive, False),
        ):
            entries = [entry for entry in await history(world, user, idea) if entry["kind"] == "coins"]
            assert [described(entry) for entry in entries] == (everything if sees_all else own.get(user.id, []))

    async def test_shows_requests_to_the_author_and_to_those_who_see_all_ideas(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world, idea = await story(application, client, "self")
        executive = await commit_user(application, roles=["executive"])
        for user, sees in (
            (world.manager, True), (world.members[0], True), (executive, True), (world.members[1], False),
        ):  # fmt: skip
            kinds = {entry["kind"] for entry in await history(world, user, idea)}
            assert ("change_request" in kinds) is sees
            assert {"status", "version"} <= kinds

    async def test_of_a_cursor_of_another_list_is_refused(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        refused = await world.call(world.manager, "GET", f"/ideas/{idea}/history", params={"cursor": "WyJ4Il0"})
        assert refused.status_code == 422
