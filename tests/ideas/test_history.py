"""The history of an idea: its order and pages, and who sees which entries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from tests.factories.campaigns import World, make_world
from tests.factories.users import commit_user

if TYPE_CHECKING:
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

    async def test_hides_texts_from_before_the_approval_as_the_list_of_versions_does(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client, is_mediated=True)
        idea = await world.submit(world.members[0])
        for number in (2, 3):
            body = {"title": f"Racks, text {number}", "reason": f"Reason {number}"}
            assert (await world.call(world.manager, "PATCH", f"/ideas/{idea}", json=body)).is_success
        await world.step(world.manager, idea, "competing")
        for user, seen in ((world.members[1], [3]), (world.members[0], [3, 2]), (world.manager, [3, 2])):
            entries = [entry for entry in await history(world, user, idea) if entry["kind"] == "version"]
            assert [entry["version"] for entry in entries] == seen
            listed = (await world.call(user, "GET", f"/ideas/{idea}/versions")).json()["items"]
            assert {entry["version"] for entry in entries} <= {each["version"] for each in listed}

    async def test_has_discussion_delivery_and_attachments(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        author, member, manager = world.members[0], world.members[1], world.manager
        path = f"/ideas/{await world.submit(author)}"
        idea = path.removeprefix("/ideas/")

        async def send(user: User, method: str, called: str, **arguments: Any) -> Any:
            response = await world.call(user, method, f"{path}{called}", **arguments)
            assert response.is_success, response.text
            return response.json() if response.content else None

        file = await send(author, "POST", "/attachments", params={"name": "plan.txt"}, content=b"The plan.")
        comment = await send(member, "POST", "/comments", json={"text": "Who pays?"})
        deleted = await send(member, "POST", "/comments", json={"text": "Never mind."})
        await send(member, "DELETE", f"/comments/{deleted['id']}")
        hidden = await send(member, "POST", "/comments", json={"text": "Rude."})
        await send(manager, "PUT", f"/comments/{hidden['id']}/hiding", json={"reason": "Rude."})
        await send(manager, "PUT", "/official-answer", json={"comment_id": comment["id"]})
        await send(manager, "DELETE", "/official-answer")
        await send(author, "PATCH", "", json={"title": "Twice as many bicycle racks"})
        await send(manager, "POST", "/versions/2/material", json={"reason": "It costs more."})
        await send(manager, "POST", "/status", json={"status": "accepted"})
        (milestone,) = (await send(manager, "POST", "/milestones", json={"title": "Order", "due_on": "2026-05-01"}))[
            "milestones"
        ]
        for body in ({"done_on": "2026-01-01"}, {"done_on": None}, {"due_on": "2026-06-01"}):
            await send(manager, "PATCH", f"/milestones/{milestone['id']}", json=body)
        await send(manager, "DELETE", f"/attachments/{file['id']}")

        wanted: list[tuple[str, Any, Any, Any]] = [
            ("attachment", "deleted", file["id"], None),
            ("milestone", "changed", milestone["id"], "Order"),
            ("milestone", "not_done", milestone["id"], "Order"),
            ("milestone", "done", milestone["id"], "Order"),
            ("milestone", "added", milestone["id"], "Order"),
            ("status", None, None, None),
            ("material", None, None, None),
            ("version", None, None, None),
            ("official_answer", "deleted", None, None),
            ("official_answer", "added", comment["id"], None),
            ("comment", "added", hidden["id"], None),
            ("comment", "added", comment["id"], None),
            ("attachment", "added", file["id"], None),
            ("status", None, None, None),
        ]
        for user, sees_hidden in ((manager, True), (member, False)):
            entries = await history(world, user, UUID(idea), limit=3)
            found = [(entry["kind"], entry["change"], entry["object_id"], entry["name"]) for entry in entries]
            assert found == [entry for entry in wanted if sees_hidden or entry[2] != hidden["id"]]
            assert [entry["kind"] for entry in entries if entry["by_author"]] == ["version", "attachment", "status"]
            (material,) = (entry for entry in entries if entry["kind"] == "material")
            assert (material["version"], material["reason"], material["grace_until"]) == (2, "It costs more.", None)

    async def test_of_a_cursor_of_another_list_is_refused(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        refused = await world.call(world.manager, "GET", f"/ideas/{idea}/history", params={"cursor": "WyJ4Il0"})
        assert refused.status_code == 422
