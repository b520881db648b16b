"""Edits of ideas: who may make them and when, the versions that they leave, and their differences."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from api.ideas.versions import diff_words
from api.kernel import clock
from tests.auth.calls import problem
from tests.factories.campaigns import DESCRIPTION, World, event_kinds, make_world
from tests.factories.containers import parts

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient, Response

    from api.auth.models import User

TITLE = "Put bicycle racks by the door"
WORDS = st.text(alphabet="abż \n.", max_size=30)


async def edit(world: World, user: User, idea: object, **body: Any) -> Response:
    return await world.call(user, "PATCH", f"/ideas/{idea}", json=body)


async def versions(world: World, idea: object) -> list[dict[str, Any]]:
    response = await world.call(world.members[1], "GET", f"/ideas/{idea}/versions")
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["items"]
    return found


class TestBeforeApproval:
    async def test_earlier_texts_are_for_the_author_and_who_sees_pending_ideas(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client, members=2, is_mediated=True)
        author, member = world.members
        idea = await world.submit(author)
        for title in ("A better title", "The approved title"):
            assert (await world.call(author, "PATCH", f"/ideas/{idea}", json={"title": title})).is_success
        assert (await world.step(world.manager, idea, "competing")).is_success
        later = {"title": "A later title"}
        assert (await world.call(author, "PATCH", f"/ideas/{idea}", json=later)).is_success
        shown = {}
        for name, user in (("author", author), ("member", member), ("manager", world.manager)):
            found = (await world.call(user, "GET", f"/ideas/{idea}/versions")).json()["items"]
            shown[name] = [version["version"] for version in found]
        assert shown == {"author": [4, 3, 2, 1], "member": [4, 3], "manager": [4, 3, 2, 1]}
        for path in ("versions/2", "versions/2/diff", "versions/4/diff?against=1"):
            assert problem(await world.call(member, "GET", f"/ideas/{idea}/{path}")) == (404, "version-not-found")
        first = (await world.call(member, "GET", f"/ideas/{idea}/versions/3/diff")).json()
        assert (first["from_version"], first["to_version"]) == (3, 3)


class TestIfMatch:
    async def test_an_edit_of_an_earlier_version_is_refused(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, members=1)
        idea = await world.submit(world.members[0])
        tag = (await world.call(world.members[0], "GET", f"/ideas/{idea}")).headers["ETag"]
        assert (await world.allocate(world.manager, idea, 5)).status_code == 201
        changed = (await world.call(world.members[0], "GET", f"/ideas/{idea}")).headers["ETag"]
        assert changed != tag, "the coins are part of the response"
        for title, status in (("Racks by the gate", 200), ("Racks by the wall", 412)):
            edited = await world.call(
                world.members[0], "PATCH", f"/ideas/{idea}", json={"title": title}, headers={"If-Match": tag}
            )
            assert edited.status_code == status, edited.text
        assert (await world.call(world.members[0], "GET", f"/ideas/{idea}")).json()["title"] == "Racks by the gate"


class TestEditing:
    async def test_by_its_author_while_pending_and_competing(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, is_mediated=True)
        author = world.members[0]
        idea = await world.submit(author)
        assert (await edit(world, author, idea, title="A better title", tags=["new"])).json()["version"] == 2
        await world.step(world.manager, idea, "competing")
        assert (await edit(world, author, idea, title="The best title")).json()["version"] == 3
        await world.step(world.manager, idea, "accepted")
        assert problem(await edit(world, author, idea, title="Bait and switch")) == (409, "idea-fixed")

    @pytest.mark.parametrize("limit", ["allocate_until", "ends_at"])
    async def test_of_a_competing_idea_ends_with_the_window_of_coins(
        self, application: FastAPI, client: AsyncClient, limit: str
    ) -> None:
        end = datetime.now(UTC) + timedelta(days=2)
        dates: dict[str, Any] = {"ends_at": end} if limit == "ends_at" else {"policy": {"allocate_until": end}}
        world = await make_world(application, client, **dates)
        author, idea = world.members[0], await world.submit(world.members[0])
        with clock.at(end):
            assert (await edit(world, author, idea, title="At the last moment")).status_code == 200
        with clock.at(end + timedelta(microseconds=1)):
            assert problem(await edit(world, author, idea, title="Just too late")) == (409, "idea-fixed")
            corrected = await edit(
                world, world.manager, idea, title="Corrected by a manager", reason="A spelling mistake"
            )
        assert corrected.status_code == 200

    async def test_by_a_manager_needs_a_reason(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        assert problem(await edit(world, world.manager, idea, title="Corrected")) == (422, "reason-missing")
        assert problem(await edit(world, world.members[1], idea, title="Not mine")) == (403, "step-not-allowed")
        await world.step(world.manager, idea, "accepted")
        done = await edit(world, world.manager, idea, title="Corrected title", reason="A spelling mistake")
        assert (done.json()["title"], done.json()["version"]) == ("Corrected title", 2)
        newest, first = await versions(world, idea)
        assert (newest["created_by_name"], newest["reason"]) == (world.manager.display_name, "A spelling mistake")
        assert (first["created_by_name"], first["reason"]) == (world.members[0].display_name, None)

    @pytest.mark.parametrize("status", ["withdrawn", "rejected"])
    async def test_of_a_closed_idea_is_refused_to_everyone(
        self, application: FastAPI, client: AsyncClient, status: str
    ) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        await world.step(world.members[0] if status == "withdrawn" else world.manager, idea, status, "As decided")
        for who in (world.members[0], world.manager):
            refused = await edit(world, who, idea, title="Another title", reason="A correction")
            assert problem(refused) == (409, "idea-fixed")

    async def test_a_submitted_idea_stays_complete(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        refused = await edit(world, world.members[0], idea, title="R", description="")
        assert problem(refused) == (422, "idea-incomplete")
        assert [each["field"] for each in refused.json()["errors"]] == ["title", "description"]
        assert len(await versions(world, idea)) == 1


class TestVersions:
    async def test_are_kept_from_the_first_text_on(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        author, idea = world.members[0], await world.submit(world.members[0])
        (only,) = await versions(world, idea)
        assert (only["version"], only["title"], only["created_by"]) == (1, TITLE, str(author.id))
        await edit(world, author, idea, title="A better title")
        await edit(world, author, idea, tags=["cycling"], category="Building")
        await edit(world, author, idea, tags=["cycling"])
        found = await versions(world, idea)
        assert [(each["version"], each["title"], each["tags"], each["categories"]) for each in found] == [
            (3, "A better title", ["cycling"], ["Building"]), (2, "A better title", [], []), (1, TITLE, [], []),
        ]  # fmt: skip
        assert found[2] == only
        one = await world.call(world.members[1], "GET", f"/ideas/{idea}/versions/2")
        assert one.json() == found[1]
        missing = await world.call(world.members[1], "GET", f"/ideas/{idea}/versions/4")
        assert problem(missing) == (404, "version-not-found")

    async def test_are_paged(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        for number in range(3):
            await edit(world, world.members[0], idea, title=f"Title number {number}")
        seen, cursor = [], ""
        while cursor is not None:
            params = {"limit": 3, **({"cursor": cursor} if cursor else {})}
            page = (await world.call(world.members[1], "GET", f"/ideas/{idea}/versions", params=params)).json()
            seen += [each["version"] for each in page["items"]]
            cursor = page["next_cursor"]
        assert seen == [4, 3, 2, 1]

    async def test_of_concurrent_edits_have_numbers_of_their_own(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        await asyncio.gather(*(edit(world, world.members[0], idea, title=f"Title number {n}") for n in range(6)))
        found = await versions(world, idea)
        assert [each["version"] for each in found] == [7, 6, 5, 4, 3, 2, 1]
        assert len({each["title"] for each in found}) == 7
        read = (await world.call(world.members[1], "GET", f"/ideas/{idea}")).json()
        assert (read["version"], read["title"]) == (7, found[0]["title"])

    async def test_the_database_refuses_changes_of_them(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        await edit(world, world.members[0], idea, title="A better title")
        async with parts(application).database.engine.connect() as connection:
            with pytest.raises(DBAPIError, match="permission denied"):
                await connection.execute(
                    text("UPDATE app.idea_versions SET title = 'x' WHERE idea_id = :id"), {"id": idea}
                )

    async def test_are_hidden_with_the_idea(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, is_mediated=True)
        idea = await world.submit(world.members[0])
        for path in ("", "/1", "/1/diff"):
            refused = await world.call(world.members[1], "GET", f"/ideas/{idea}/versions{path}")
            assert problem(refused) == (404, "idea-not-found")


class TestRestore:
    async def test_makes_a_new_version(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        author, idea = world.members[0], await world.submit(world.members[0])
        await edit(world, author, idea, title="A worse title", tags=["x"], description=f"{DESCRIPTION} Or not.")
        path = f"/ideas/{idea}/versions/1/restore"
        simulated = await world.call(author, "POST", f"{path}?dry_run=true", json={})
        restored = await world.call(author, "POST", path, json={})
        for response in (simulated, restored):
            read = response.json()
            assert (read["title"], read["description"], read["tags"], read["version"]) == (TITLE, DESCRIPTION, [], 3)
        found = await versions(world, idea)
        assert [(each["version"], each["restored_from"]) for each in found] == [(3, 1), (2, None), (1, None)]
        again = await world.call(author, "POST", path, json={})
        assert again.json()["version"] == 3, "it is the present text"
        assert await event_kinds(application, idea) == ["idea_submitted", "idea_edited", "idea_edited"]

    async def test_has_the_rules_of_an_edit(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        author, idea = world.members[0], await world.submit(world.members[0])
        await edit(world, author, idea, title="A worse title")
        await world.step(world.manager, idea, "accepted")
        path = f"/ideas/{idea}/versions/1/restore"
        assert problem(await world.call(author, "POST", path, json={})) == (409, "idea-fixed")
        assert problem(await world.call(world.manager, "POST", path, json={})) == (422, "reason-missing")
        done = await world.call(world.manager, "POST", path, json={"reason": "As it was accepted"})
        assert (done.status_code, done.json()["title"]) == (200, TITLE)


class TestDiff:
    async def test_of_two_versions(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        author, idea = world.members[0], await world.submit(world.members[0])
        await edit(world, author, idea, title="Put covered racks by the door", tags=["a"])
        await edit(world, author, idea, tags=["b"], category="Building")
        path = f"/ideas/{idea}/versions"
        first = (await world.call(world.members[1], "GET", f"{path}/2/diff")).json()
        assert [(part["operation"], part["text"]) for part in first["title"]] == [
            ("equal", "Put "), ("delete", "bicycle "), ("insert", "covered "), ("equal", "racks by the door"),
        ]  # fmt: skip
        assert first["description"] == [{"operation": "equal", "text": DESCRIPTION}]
        whole = (await world.call(world.members[1], "GET", f"{path}/3/diff?against=1")).json()
        assert (whole["from_version"], whole["to_version"]) == (1, 3)
        assert (whole["tags"], whole["categories"]) == (
            {"added": ["b"], "removed": []}, {"added": ["Building"], "removed": []},
        )  # fmt: skip
        back = (await world.call(world.members[1], "GET", f"{path}/2/diff?against=3")).json()
        assert back["tags"] == {"added": ["a"], "removed": ["b"]}
        missing = await world.call(world.members[1], "GET", f"{path}/3/diff?against=9")
        assert problem(missing) == (404, "version-not-found")

    @given(WORDS, WORDS)
    def test_contains_both_texts(self, earlier: str, later: str) -> None:
        found = diff_words(earlier, later)
        assert "".join(part.text for part in found if part.operation != "insert") == earlier
        assert "".join(part.text for part in found if part.operation != "delete") == later
        if earlier == later:
            assert {part.operation for part in found} <= {"equal"}

    def test_of_long_texts_that_have_nothing_in_common(self) -> None:
        earlier, later = "a " * 10_000, "b " * 10_000
        assert [part.operation for part in diff_words(earlier, later)] == ["delete", "insert"]
