"""Links to ideas: who makes, reads and revokes them, and their Open Graph data."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.attachments.files import picture
from tests.auth.calls import problem
from tests.factories.campaigns import World, event_kinds, make_world

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient

LINK = re.compile(r"http://[^/]+/i/[1-9A-HJ-NP-Za-km-z]{12}")


async def shared(world: World, idea: object) -> dict[str, Any]:
    response = await world.call(world.members[1], "POST", f"/ideas/{idea}/share")
    assert response.is_success, response.text
    found: dict[str, Any] = response.json()
    return found


class TestShare:
    async def test_an_idea_has_one_link(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea, other = [await world.submit(world.members[0]) for _ in range(2)]
        path = f"/ideas/{idea}/share"
        assert problem(await world.call(world.members[1], "GET", path)) == (404, "not-shared")
        first = await world.call(world.members[1], "POST", path)
        second = await world.call(world.members[2], "POST", path)
        assert (first.status_code, second.status_code) == (201, 200)
        assert first.json() == second.json() == (await world.call(world.manager, "GET", path)).json()
        assert LINK.fullmatch(first.json()["url"])
        assert (await shared(world, other))["url"] != first.json()["url"]
        assert (await event_kinds(application, idea)).count("idea_shared") == 1

    async def test_at_once_makes_one_link(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        for _ in range(3):
            idea = await world.submit(world.members[0])
            both = await asyncio.gather(*(shared(world, idea) for _ in range(4)))
            assert len({each["url"] for each in both}) == 1
            assert (await event_kinds(application, idea)).count("idea_shared") == 1

    async def test_is_for_those_who_see_a_submitted_idea(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, is_mediated=True)
        pending = await world.submit(world.members[0])
        assert problem(await world.call(world.members[1], "POST", f"/ideas/{pending}/share")) == (404, "idea-not-found")
        mine = await world.call(world.members[0], "POST", f"/ideas/{pending}/share")
        assert (mine.status_code, mine.json()["is_public"], mine.json()["open_graph"]["image"]) == (201, False, None)
        draft = await world.call(world.members[0], "POST", "/campaigns/{id}/ideas/drafts", json={"title": "A draft"})
        refused = await world.call(world.members[0], "POST", f"/ideas/{draft.json()['id']}/share")
        assert problem(refused) == (409, "idea-not-submitted")

    async def test_has_open_graph_data(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, locale="pl")
        idea = await world.submit(world.members[0], "Stojaki na rowery")
        text = "## Gdzie\n\nPrzy **drzwiach**, obok [planu](https://example.org).\n\n" + "słowo " * 100
        await world.call(world.members[0], "PATCH", f"/ideas/{idea}", json={"description": text})
        card = (await shared(world, idea))["open_graph"]
        assert (card["title"], card["locale"], card["site_name"]) == ("Stojaki na rowery", "pl_PL", "Ideamint")
        assert card["description"].startswith("Gdzie Przy drzwiach, obok planu. słowo")
        assert len(card["description"]) <= 200
        assert card["description"].endswith("słowo…")
        assert card["image"] is None
        assert (await world.call(world.manager, "PUT", "/campaigns/{id}/cover", content=picture())).is_success
        again = await shared(world, idea)
        assert again["open_graph"]["image"] == f"{again['url']}/picture?width=1280"

    @pytest.mark.parametrize("visibility", ["open", "members"])
    async def test_says_whether_it_is_public(self, application: FastAPI, client: AsyncClient, visibility: str) -> None:
        world = await make_world(application, client, visibility=visibility)
        idea = await world.submit(world.members[0])
        assert (await shared(world, idea))["is_public"] is (visibility == "open")
        await world.step(world.manager, idea, "rejected", "Built already.")
        seen = await world.call(world.members[0], "GET", f"/ideas/{idea}/share")
        assert seen.json()["is_public"] is False


class TestRevocation:
    async def test_ends_the_link_and_only_managers_make_another(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        path = f"/ideas/{idea}/share"
        first = await shared(world, idea)
        assert problem(await world.call(world.members[0], "DELETE", path)) == (403, "not-a-manager")
        assert (await world.call(world.manager, "DELETE", path)).status_code == 204
        assert problem(await world.call(world.manager, "DELETE", path)) == (404, "not-shared")
        assert problem(await world.call(world.members[0], "GET", path)) == (404, "not-shared")
        assert problem(await world.call(world.members[0], "POST", path)) == (409, "sharing-revoked")
        renewed = await world.call(world.manager, "POST", path)
        assert renewed.status_code == 201
        assert renewed.json()["url"] != first["url"]
        assert (await shared(world, idea))["url"] == renewed.json()["url"]
        kinds = [kind for kind in await event_kinds(application, idea) if "share" in kind or "link" in kind]
        assert kinds == ["idea_shared", "idea_link_revoked", "idea_shared"]
