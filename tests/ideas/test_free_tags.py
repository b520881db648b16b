"""Free tags of ideas that match no defined tag, and their conversion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.auth.calls import problem
from tests.factories.campaigns import make_world
from tests.ideas.test_tags import IDEAS, define, idea_with, labels

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient

FREE = "/campaigns/{id}/free-tags"


class TestFreeTags:
    async def test_lists_those_that_are_not_defined_with_the_nearest_tag(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client)
        await idea_with(world, "Parcs", "Bicycles")
        await idea_with(world, "parcs", category="Elsewhere")
        draft = {"title": "A draft", "tags": ["Hidden"]}
        assert (await world.call(world.members[0], "POST", f"{IDEAS}/drafts", json=draft)).is_success
        await define(world, "Parks")
        seen: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
            page = (await world.call(world.manager, "GET", FREE, params=query)).json()
            seen, cursor = seen + page["items"], page["next_cursor"]
        assert [(tag["name"].lower(), tag["ideas"], tag["nearest"]) for tag in seen] == [
            ("bicycles", 1, None), ("elsewhere", 1, None), ("parcs", 2, "Parks"),
        ]  # fmt: skip

    async def test_become_a_defined_tag(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        one = await idea_with(world, "Parcs", "Parks")
        other = await idea_with(world, category="parcs")
        body = {"name": "PARCS", "into_id": await define(world, "Parks")}
        for dry_run in (True, False):
            done = await world.call(world.manager, "POST", f"{FREE}/convert", json=body, params={"dry_run": dry_run})
            assert (done.status_code, done.json()) == (200, {"into_id": body["into_id"], "ideas": 2})
        assert await labels(world, one) == (["Parks"], [])
        assert await labels(world, other) == ([], ["Parks"])
        again = await world.call(world.manager, "POST", f"{FREE}/convert", json=body)
        assert problem(again) == (404, "free-tag-not-found")

    async def test_are_for_those_who_tag_ideas(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        assert (await world.call(world.members[0], "GET", FREE)).status_code == 403
