"""Hidden comments, official answers and internal notes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from tests.discussions.test_comments import comment, listed, outcome
from tests.factories.campaigns import event_kinds, make_world
from tests.factories.containers import parts
from tests.factories.users import commit_user

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient

REASON = {"reason": "It names a person."}


class TestHide:
    async def test_hides_the_text_from_others(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea, author, other = await world.submit(world.members[0]), world.members[1], world.members[2]
        written = (await comment(world, author, idea, "Ask Ms Smith", mention_ids=[str(other.id)])).json()
        path = f"/ideas/{idea}/comments/{written['id']}"
        hidden = await world.call(world.manager, "PUT", f"{path}/hiding", json=REASON)
        assert hidden.status_code == 200, hidden.text
        for user, words in ((author, "Ask Ms Smith"), (world.manager, "Ask Ms Smith"), (other, None)):
            page = await listed(world, user, idea)
            (seen,) = page["items"]
            assert (seen["is_hidden"], seen["text"], page["total"]) == (True, words, 0)
            assert seen["hidden_reason"] == (REASON["reason"] if words else None)
            assert bool(seen["mentions"]) == bool(words)
        reply = await comment(world, other, idea, parent_id=written["id"])
        assert outcome(reply) == (409, "comment-is-hidden")
        edited = await world.call(author, "PATCH", path, json={"text": "Ask somebody"})
        assert outcome(edited) == (409, "comment-is-hidden")
        shown = await world.call(world.manager, "DELETE", f"{path}/hiding")
        assert (shown.status_code, shown.json()) == (200, written)
        assert (await listed(world, other, idea))["items"] == [written]
        again = await world.call(world.manager, "DELETE", f"{path}/hiding")
        assert again.status_code == 200
        assert await event_kinds(application, idea) == [
            "idea_submitted", "comment_written", "comment_hidden", "comment_shown",
        ]  # fmt: skip

    async def test_needs_a_manager_and_a_reason(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        path = f"/ideas/{idea}/comments/{(await comment(world, world.members[1], idea)).json()['id']}/hiding"
        assert outcome(await world.call(world.members[1], "PUT", path, json=REASON)) == (403, "not-a-manager")
        assert outcome(await world.call(world.manager, "PUT", path, json={"reason": ""})) == (422, "validation")
        admin = await commit_user(application, roles=["system_admin"])
        assert (await world.call(admin, "PUT", path, json=REASON)).status_code == 200

    async def test_a_dry_run_hides_nothing(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        path = f"/ideas/{idea}/comments/{(await comment(world, world.members[1], idea)).json()['id']}/hiding"
        tried = await world.call(world.manager, "PUT", path, json=REASON, params={"dry_run": True})
        assert tried.json()["is_hidden"] is True
        assert (await listed(world, world.members[2], idea))["items"][0]["is_hidden"] is False


class TestOfficialAnswer:
    async def test_is_shown_first_and_is_one(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        ids = [(await comment(world, world.manager, idea, f"answer {n}")).json()["id"] for n in range(2)]
        path = f"/ideas/{idea}/official-answer"
        for chosen in (*ids, ids[1]):
            made = await world.call(world.manager, "PUT", path, json={"comment_id": chosen})
            assert (made.status_code, made.json()["id"], made.json()["is_official"]) == (200, chosen, True)
        page = await listed(world, world.members[1], idea, limit=1)
        assert (page["official_answer"]["id"], page["items"][0]["id"]) == (ids[1], ids[0])
        hiding = await world.call(world.manager, "PUT", f"/ideas/{idea}/comments/{ids[1]}/hiding", json=REASON)
        assert outcome(hiding) == (409, "comment-is-official")
        deleted = await world.call(world.manager, "DELETE", f"/ideas/{idea}/comments/{ids[1]}")
        assert outcome(deleted) == (409, "comment-is-official")
        for _ in range(2):
            assert (await world.call(world.manager, "DELETE", path)).status_code == 204
        assert (await listed(world, world.members[1], idea))["official_answer"] is None
        assert (await event_kinds(application, idea)).count("official_answer_changed") == 3

    async def test_is_for_managers_and_visible_comments(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea, other = await world.submit(world.members[0]), await world.submit(world.members[0])
        hidden = (await comment(world, world.members[1], idea)).json()["id"]
        await world.call(world.manager, "PUT", f"/ideas/{idea}/comments/{hidden}/hiding", json=REASON)
        body, path = {"comment_id": hidden}, f"/ideas/{idea}/official-answer"
        assert outcome(await world.call(world.members[1], "PUT", path, json=body)) == (403, "not-a-manager")
        assert outcome(await world.call(world.manager, "PUT", path, json=body)) == (409, "comment-is-hidden")
        elsewhere = await world.call(world.manager, "PUT", f"/ideas/{other}/official-answer", json=body)
        assert outcome(elsewhere) == (404, "comment-not-found")

    async def test_two_managers_at_once_leave_one_answer(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        ids = [(await comment(world, world.manager, idea, f"answer {n}")).json()["id"] for n in range(4)]
        made = await asyncio.gather(
            *(
                world.call(world.manager, "PUT", f"/ideas/{idea}/official-answer", json={"comment_id": each})
                for each in ids
            )
        )
        assert {response.status_code for response in made} == {200}
        async with parts(application).database.session() as session:
            official = await session.scalar(
                text("SELECT count(*) FROM app.comments WHERE idea_id = :id AND official_at IS NOT NULL"), {"id": idea}
            )
        assert official == 1


class TestNotes:
    async def test_are_seen_and_counted_by_managers_only(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        path = f"/ideas/{idea}/notes"
        note = (await world.call(world.manager, "POST", path, json={"text": "Check the costs"})).json()
        reply = await world.call(world.manager, "POST", path, json={"text": "Done", "parent_id": note["id"]})
        assert reply.json()["depth"] == 2
        found = (await world.call(world.manager, "GET", path)).json()
        assert ([each["text"] for each in found["items"]], found["total"]) == (["Check the costs", "Done"], 2)
        for user in (world.members[0], world.manager):
            assert ((await listed(world, user, idea))["items"], (await listed(world, user, idea))["total"]) == ([], 0)
        for method, url in (("GET", path), ("PATCH", f"{path}/{note['id']}"), ("DELETE", f"{path}/{note['id']}")):
            body = {"text": "x"} if method == "PATCH" else None
            assert outcome(await world.call(world.members[0], method, url, json=body)) == (403, "not-a-manager")
        as_comment = f"/ideas/{idea}/comments/{note['id']}"
        for method, url, json in (
            ("PATCH", as_comment, {"text": "x"}),
            ("PUT", f"{as_comment}/hiding", REASON),
            ("PUT", f"/ideas/{idea}/official-answer", {"comment_id": note["id"]}),
        ):
            assert outcome(await world.call(world.manager, method, url, json=json)) == (404, "comment-not-found")
        mixed = await comment(world, world.members[1], idea, parent_id=note["id"])
        assert outcome(mixed) == (422, "unknown-parent")
        edited = await world.call(world.manager, "PATCH", f"{path}/{note['id']}", json={"text": "Check all costs"})
        assert edited.json()["text"] == "Check all costs"
        assert (await world.call(world.manager, "DELETE", f"{path}/{reply.json()['id']}")).status_code == 204
        kinds = await event_kinds(application, idea)
        assert kinds[1:] == ["note_written", "note_written", "note_edited", "note_deleted"]

    async def test_mention_only_who_may_read_them(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        member, manager = str(world.members[1].id), str(world.manager.id)
        for ids, status in (([member], 422), ([manager], 201)):
            body = {"text": "Please look", "mention_ids": ids}
            written = await world.call(world.manager, "POST", f"/ideas/{idea}/notes", json=body)
            assert written.status_code == status, written.text


class TestDatabase:
    @pytest.mark.parametrize(
        ("change", "constraint"),
        [
            ("text = ''", "ck_comments_text"),
            ("deleted_at = now()", "ck_comments_text"),
            ("hidden_at = now()", "ck_comments_hidden"),
            ("kind = 'note', official_at = now(), official_by = author_id", "ck_comments_official"),
            ("depth = 2", "ck_comments_thread"),
            ("parent_id = id", "ck_comments_thread"),
        ],
    )
    async def test_refuses_inconsistent_rows(
        self, application: FastAPI, client: AsyncClient, change: str, constraint: str
    ) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        written = UUID((await comment(world, world.members[1], idea)).json()["id"])
        with pytest.raises(IntegrityError, match=constraint):
            async with parts(application).database.session() as session:
                await session.execute(text(f"UPDATE app.comments SET {change} WHERE id = :id"), {"id": written})
