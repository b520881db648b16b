"""Drafts of ideas: who sees them, what they may lack, their submission and deletion."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from api.ideas import submissions
from tests.auth.calls import problem
from tests.factories.campaigns import DESCRIPTION, World, event_kinds, make_world
from tests.factories.containers import parts
from tests.factories.users import commit_user

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient

DRAFTS = "/campaigns/{id}/ideas/drafts"
LIST = "/campaigns/{id}/ideas"


async def draft(world: World, **body: Any) -> dict[str, Any]:
    made = await world.call(world.members[0], "POST", DRAFTS, json={"title": "Racks", **body})
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


class TestDraft:
    async def test_needs_a_title_only(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        made = await draft(world)
        assert (made["status"], made["title"], made["description"], made["tags"]) == ("draft", "Racks", "", [])
        assert made["next_statuses"] == ["competing"]
        empty = await world.call(world.members[0], "POST", DRAFTS, json={"title": ""})
        assert problem(empty) == (422, "validation")

    async def test_is_visible_to_its_author_only(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        made = await draft(world)
        admin = await commit_user(application, roles=["system_admin"])
        for other in (world.manager, world.members[1], admin):
            assert problem(await world.call(other, "GET", f"/ideas/{made['id']}")) == (404, "idea-not-found")
            for query in ({}, {"status": "draft"}, {"mine": True}, {"author_id": made["author_id"]}):
                listed = (await world.call(other, "GET", LIST, params=query)).json()
                assert (listed["items"], listed["total"]) == ([], 0)
            for method, path in (("PATCH", ""), ("DELETE", ""), ("POST", "/status"), ("POST", "/resubmit")):
                body = {"status": "competing"} if path == "/status" else {"title": "Taken over"}
                arguments: dict[str, Any] = {} if method == "DELETE" or path == "/resubmit" else {"json": body}
                refused = await world.call(other, method, f"/ideas/{made['id']}{path}", **arguments)
                assert problem(refused) == (404, "idea-not-found")
        author = world.members[0]
        assert (await world.call(author, "GET", LIST)).json()["items"] == []
        for query in ({"status": "draft"}, {"mine": True}):
            (listed,) = (await world.call(author, "GET", LIST, params=query)).json()["items"]
            assert listed["id"] == made["id"]

    async def test_is_edited_without_versions(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        made = await draft(world)
        body = {"title": "R", "description": "Too short", "tags": ["a"], "category": "site"}
        edited = (await world.call(world.members[0], "PATCH", f"/ideas/{made['id']}", json=body)).json()
        assert {name: edited[name] for name in ("title", "description", "tags", "version")} == {
            "title": "R", "description": "Too short", "tags": ["a"], "version": 1,
        }  # fmt: skip
        assert await event_kinds(application, made["id"]) == ["idea_drafted", "idea_draft_edited"]

    async def test_an_author_has_a_bounded_number(
        self, application: FastAPI, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(submissions, "DRAFTS_MAX", 1)
        world = await make_world(application, client, members=1)
        first = await draft(world)
        refused = await world.call(world.members[0], "POST", DRAFTS, json={"title": "Racks"})
        assert problem(refused) == (409, "too-many-drafts")
        assert (await world.call(world.members[0], "DELETE", f"/ideas/{first['id']}")).status_code == 204
        await draft(world)

    async def test_others_do_nothing_with_it(self, application: FastAPI, client: AsyncClient) -> None:
        """Comments, owners and valuations would show it to others, and prevent its deletion."""
        world = await make_world(application, client, members=1)
        draft = await world.call(world.manager, "POST", "/campaigns/{id}/ideas/drafts", json={"title": "Racks"})
        path = f"/ideas/{draft.json()['id']}"
        value = {
            "kind": "expected_cost", "amount": "5.00", "currency": "EUR", "valued_on": "2026-01-31", "source": "a guess",
        }  # fmt: skip
        for method, below, body in (
            ("POST", "/comments", {"text": "Is it useful?"}),
            ("POST", "/notes", {"text": "Ask the city."}),
            ("POST", "/valuations", value),
            ("PUT", "/owner", {"user_id": str(world.members[0].id)}),
        ):
            refused = await world.call(world.manager, method, path + below, json=body)
            assert problem(refused) == (409, "idea-not-submitted"), below
        assert (await world.call(world.manager, "DELETE", path)).status_code == 204

    async def test_an_edit_of_an_earlier_state_is_refused(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, members=1)
        author = world.members[0]
        draft = await world.call(author, "POST", "/campaigns/{id}/ideas/drafts", json={"title": "Racks"})
        path = f"/ideas/{draft.json()['id']}"
        for last in ({"title": "Two racks", "description": DESCRIPTION}, {"status": "competing"}):
            tag = (await world.call(author, "GET", path)).headers["ETag"]
            done = (
                await world.call(author, "POST", f"{path}/status", json=last)
                if "status" in last
                else await world.call(author, "PATCH", path, json=last, headers={"If-Match": tag})
            )
            assert done.is_success, done.text
            late = await world.call(author, "PATCH", path, json={"title": "Too late"}, headers={"If-Match": tag})
            assert late.status_code == 412

    @pytest.mark.parametrize("ended", ["complete", "ends_at"])
    async def test_is_refused_after_the_end(self, application: FastAPI, client: AsyncClient, ended: str) -> None:
        world = await make_world(application, client)
        if ended == "complete":
            await world.call(world.manager, "POST", "/campaigns/{id}/complete")
        else:
            await world.call(world.manager, "PATCH", "/campaigns/{id}", json={"ends_at": "2026-01-01T00:00:00Z"})
        refused = await world.call(world.members[0], "POST", DRAFTS, json={"title": "Too late"})
        assert problem(refused) == (409, "campaign-not-active")

    async def test_does_not_count_in_the_completion(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        made = await draft(world)
        done = await world.call(world.manager, "POST", "/campaigns/{id}/complete")
        assert done.json()["effects"]["ideas"] == 0
        assert (await world.call(world.members[0], "GET", f"/ideas/{made['id']}")).json()["status"] == "draft"


class TestSubmission:
    @pytest.mark.parametrize(("is_mediated", "status"), [(True, "pending"), (False, "competing")])
    async def test_has_the_checks_and_effects_of_any_submission(
        self, application: FastAPI, client: AsyncClient, *, is_mediated: bool, status: str
    ) -> None:
        world = await make_world(application, client, is_mediated=is_mediated)
        made = await draft(world)
        author, path = world.members[0], f"/ideas/{made['id']}"
        short = await world.step(author, made["id"], status)
        assert problem(short) == (422, "idea-incomplete")
        assert [each["field"] for each in short.json()["errors"]] == ["description"]
        await world.call(author, "PATCH", path, json={"title": "Rack"})
        short = await world.step(author, made["id"], status)
        assert [each["field"] for each in short.json()["errors"]] == ["title", "description"]
        await world.call(author, "PATCH", path, json={"title": "Racks by the door", "description": DESCRIPTION})
        done = await world.step(author, made["id"], status)
        assert (done.status_code, done.json()["status"], done.json()["version"]) == (200, status, 1)
        assert (await event_kinds(application, made["id"]))[-1] == "idea_submitted"
        history = (await world.call(author, "GET", f"{path}/history")).json()["items"]
        assert [(step["from_status"], step["to_status"]) for step in history] == [(None, status)]
        staked = await world.allocate(world.members[1], made["id"], 5)
        assert staked.status_code == (404 if is_mediated else 201)

    async def test_is_refused_after_the_date(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, submissions_close_at="2020-01-01T00:00:00+00:00")
        made = await draft(world, description=DESCRIPTION)
        assert problem(await world.step(world.members[0], made["id"], "competing")) == (409, "submissions-closed")

    async def test_of_one_draft_happens_once(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        made = await draft(world, description=DESCRIPTION)
        steps = await asyncio.gather(*(world.step(world.members[0], made["id"], "competing") for _ in range(5)))
        assert sorted(step.status_code for step in steps) == [200, 409, 409, 409, 409]
        assert (await event_kinds(application, made["id"])).count("idea_submitted") == 1


class TestDelete:
    async def test_removes_the_draft_with_its_tags(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        made = await draft(world, tags=["a"])
        path = f"/ideas/{made['id']}"
        assert (await world.call(world.members[0], "DELETE", path)).status_code == 204
        assert problem(await world.call(world.members[0], "GET", path)) == (404, "idea-not-found")
        async with parts(application).database.session() as session:
            left = await session.scalar(
                text("SELECT count(*) FROM app.idea_tags WHERE idea_id = :id"), {"id": made["id"]}
            )
        assert left == 0
        assert await event_kinds(application, made["id"]) == ["idea_drafted", "idea_draft_deleted"]

    async def test_of_a_submitted_idea_is_refused_and_names_the_withdrawal(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        refused = await world.call(world.members[0], "DELETE", f"/ideas/{idea}")
        assert problem(refused) == (409, "not-a-draft")
        assert "withdrawn" in refused.json()["detail"]
        assert problem(await world.call(world.manager, "DELETE", f"/ideas/{idea}")) == (403, "not-the-author")
        assert (await world.call(world.manager, "GET", f"/ideas/{idea}")).json()["status"] == "competing"

    async def test_the_database_deletes_only_drafts(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        for statement in (
            "DELETE FROM app.ideas WHERE id = :id",
            "UPDATE app.ideas SET status = 'draft' WHERE id = :id",
        ):
            with pytest.raises(DBAPIError, match="append-only"):
                async with parts(application).database.session() as session:
                    await session.execute(text(statement), {"id": idea})

    async def test_and_submission_exclude_each_other(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        author = world.members[0]
        for _ in range(5):
            made = await draft(world, description=DESCRIPTION)
            gone, step = await asyncio.gather(
                world.call(author, "DELETE", f"/ideas/{made['id']}"), world.step(author, made["id"], "competing")
            )
            assert (gone.status_code, step.status_code) in {(204, 404), (409, 200)}
