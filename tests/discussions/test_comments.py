"""Comments on ideas: threads, edits, deletion, mentions and pages."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from api.discussions.comments import Kind, delete_comment, write_comment
from api.ideas import service as ideas
from tests.factories.campaigns import World, event_kinds, make_world
from tests.factories.clocks import TRIES
from tests.factories.containers import parts, replaced
from tests.factories.users import commit_user

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient, Response

    from api.auth.models import User

PROBLEM = "urn:ideamint:problem:"


async def comment(world: World, user: User, idea: UUID, words: str = "A good idea.", **body: Any) -> Response:
    return await world.call(user, "POST", f"/ideas/{idea}/comments", json={"text": words, **body})


async def listed(world: World, user: User, idea: UUID, **params: Any) -> dict[str, Any]:
    response = await world.call(user, "GET", f"/ideas/{idea}/comments", params=params)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def outcome(response: Response) -> tuple[int, str]:
    return response.status_code, response.json()["type"].removeprefix(PROBLEM)


class TestWrite:
    async def test_is_read_by_everyone_who_sees_the_idea(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea, author = await world.submit(world.members[0]), world.members[1]
        words = "Where is **it**?\n<b>Bold</b>"
        written = await comment(world, author, idea, words)
        assert written.status_code == 201, written.text
        stranger = await commit_user(application)
        page = await listed(world, stranger, idea)
        assert page["items"] == [written.json()]
        assert (page["total"], page["next_cursor"], page["official_answer"]) == (1, None, None)
        seen = page["items"][0]
        assert (seen["text"], seen["author_id"], seen["author_name"]) == (words, str(author.id), author.display_name)
        assert (seen["depth"], seen["parent_id"], seen["root_id"], seen["edited_at"]) == (1, None, seen["id"], None)
        assert await event_kinds(application, idea) == ["idea_submitted", "comment_written"]

    async def test_is_for_members(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea, stranger = await world.submit(world.members[0]), await commit_user(application)
        assert outcome(await comment(world, stranger, idea)) == (403, "not-a-member")
        assert (await listed(world, world.manager, idea))["total"] == 0

    async def test_a_hidden_idea_is_unknown(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, is_mediated=True)
        idea = await world.submit(world.members[0])
        assert outcome(await comment(world, world.members[1], idea)) == (404, "idea-not-found")
        assert outcome(await world.call(world.members[1], "GET", f"/ideas/{idea}/comments")) == (404, "idea-not-found")
        assert (await comment(world, world.members[0], idea)).status_code == 201
        assert (await comment(world, world.manager, idea)).status_code == 201

    async def test_depends_on_the_phase(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        assert (await world.call(world.manager, "POST", "/campaigns/{id}/complete")).status_code == 200
        mine = await comment(world, world.members[1], idea)
        assert mine.status_code == 201, mine.text
        assert (await world.call(world.manager, "POST", "/campaigns/{id}/archive")).status_code == 200
        assert outcome(await comment(world, world.members[1], idea)) == (409, "campaign-not-active")
        path = f"/ideas/{idea}/comments/{mine.json()['id']}"
        edited = await world.call(world.members[1], "PATCH", path, json={"text": "Another text"})
        assert outcome(edited) == (409, "campaign-not-active")
        assert (await world.call(world.members[1], "DELETE", path)).status_code == 204

    @pytest.mark.parametrize(
        "body", [{}, {"text": ""}, {"text": "\u200b"}, {"text": "x" * 5001}, {"text": "x", "mention_ids": ["1"]}]
    )
    async def test_refuses_bad_bodies(self, application: FastAPI, client: AsyncClient, body: dict[str, Any]) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        refused = await world.call(world.members[0], "POST", f"/ideas/{idea}/comments", json=body)
        assert outcome(refused) == (422, "validation")


class TestThreads:
    async def test_have_three_levels_and_are_listed_together(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea, user = await world.submit(world.members[0]), world.members[1]
        first = (await comment(world, user, idea, "first")).json()
        second = (await comment(world, user, idea, "second")).json()
        reply = (await comment(world, user, idea, "reply", parent_id=first["id"])).json()
        deep = (await comment(world, user, idea, "deep", parent_id=reply["id"])).json()
        assert (reply["depth"], deep["depth"], deep["root_id"]) == (2, 3, first["id"])
        refused = await comment(world, user, idea, "too deep", parent_id=deep["id"])
        assert (outcome(refused), refused.json()["depth_max"]) == ((422, "thread-too-deep"), 3)
        for newest_first, order in ((False, "first reply deep second"), (True, "second first reply deep")):
            whole = await listed(world, user, idea, newest_first=newest_first)
            assert [each["text"] for each in whole["items"]] == order.split()
            seen: list[str] = []
            cursor: str | None = None
            while True:
                more = {"cursor": cursor} if cursor else {}
                page = await listed(world, user, idea, limit=1, newest_first=newest_first, **more)
                seen += [each["text"] for each in page["items"]]
                if (cursor := page["next_cursor"]) is None:
                    break
            assert seen == order.split()
        assert second["root_id"] == second["id"]

    async def test_stay_on_their_idea(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        one, other = await world.submit(world.members[0]), await world.submit(world.members[0])
        there = (await comment(world, world.members[1], one)).json()["id"]
        for parent_id in (there, str(uuid4())):
            refused = await comment(world, world.members[1], other, parent_id=parent_id)
            assert (outcome(refused), refused.json()["parent_id"]) == ((422, "unknown-parent"), parent_id)
        path = f"/ideas/{other}/comments/{there}"
        edited = await world.call(world.members[1], "PATCH", path, json={"text": "Elsewhere"})
        assert outcome(edited) == (404, "comment-not-found")


class TestEdit:
    async def test_changes_the_text_and_shows_when(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea, author = await world.submit(world.members[0]), world.members[1]
        path = f"/ideas/{idea}/comments/{(await comment(world, author, idea)).json()['id']}"
        same: dict[str, Any]
        for same in ({}, {"text": "A good idea."}, {"mention_ids": []}):
            unchanged = await world.call(author, "PATCH", path, json=same)
            assert (unchanged.status_code, unchanged.json()["edited_at"]) == (200, None)
        edited = await world.call(author, "PATCH", path, json={"text": "A very good idea."})
        assert (edited.status_code, edited.json()["text"]) == (200, "A very good idea.")
        assert edited.json()["edited_at"] is not None
        assert await event_kinds(application, idea) == ["idea_submitted", "comment_written", "comment_edited"]

    async def test_is_for_its_author(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        path = f"/ideas/{idea}/comments/{(await comment(world, world.members[1], idea)).json()['id']}"
        for other in (world.members[0], world.manager):
            edited = await world.call(other, "PATCH", path, json={"text": "Not my words"})
            assert outcome(edited) == (403, "not-the-commenter")
            assert outcome(await world.call(other, "DELETE", path)) == (403, "not-the-commenter")


class TestDelete:
    async def test_leaves_a_place_while_there_are_replies(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea, user, other = await world.submit(world.members[0]), world.members[1], world.members[2]
        mention = {"mention_ids": [str(other.id)]}
        first = (await comment(world, user, idea, "first", **mention)).json()["id"]
        reply = (await comment(world, other, idea, "reply", parent_id=first)).json()["id"]
        deep = (await comment(world, user, idea, "deep", parent_id=reply)).json()["id"]
        assert (await world.call(user, "DELETE", f"/ideas/{idea}/comments/{first}")).status_code == 204
        place = (await listed(world, user, idea))["items"][0]
        assert (place["id"], place["is_deleted"], place["text"], place["author_id"]) == (first, True, None, None)
        assert place["mentions"] == []
        again = await world.call(user, "DELETE", f"/ideas/{idea}/comments/{first}")
        assert outcome(again) == (404, "comment-not-found")
        assert outcome(await comment(world, user, idea, parent_id=first)) == (422, "unknown-parent")
        assert (await world.call(other, "DELETE", f"/ideas/{idea}/comments/{reply}")).status_code == 204
        page = await listed(world, user, idea)
        assert ([each["id"] for each in page["items"]], page["total"]) == ([first, reply, deep], 1)
        assert (await world.call(user, "DELETE", f"/ideas/{idea}/comments/{deep}")).status_code == 204
        assert (await listed(world, user, idea))["items"] == []

    async def test_the_text_is_gone_from_the_database(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea, user = await world.submit(world.members[0]), world.members[1]
        secret = f"My number is {uuid4().hex}"
        first = (await comment(world, user, idea, secret)).json()["id"]
        await comment(world, world.members[2], idea, "reply", parent_id=first)
        await world.call(user, "DELETE", f"/ideas/{idea}/comments/{first}")
        async with parts(application).database.session() as session:
            found = await session.scalar(
                text("SELECT count(*) FROM app.comments WHERE text = :secret"), {"secret": secret}
            )
        assert found == 0

    async def test_a_reply_and_the_deletion_of_its_parent_at_once(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        """Either the reply is refused, or it is below an empty place; no reply is without its parent."""
        world = await make_world(application, client)
        idea_id, user, other = await world.submit(world.members[0]), world.members[1], world.members[2]
        for _ in range(8):
            first = (await comment(world, user, idea_id)).json()["id"]
            reply, deleted = await asyncio.gather(
                comment(world, other, idea_id, "reply", parent_id=first),
                world.call(user, "DELETE", f"/ideas/{idea_id}/comments/{first}"),
            )
            assert deleted.status_code == 204, deleted.text
            kept = {each["id"] for each in (await listed(world, user, idea_id, limit=200))["items"]}
            if reply.status_code == 201:
                assert {first, reply.json()["id"]} <= kept
            else:
                assert outcome(reply) == (422, "unknown-parent")
                assert first not in kept

    async def test_the_reply_that_came_first_keeps_the_place(self, application: FastAPI, client: AsyncClient) -> None:
        """The deletion waits for the transaction of the reply."""
        world = await make_world(application, client)
        idea_id, user = await world.submit(world.members[0]), world.members[1]
        first = UUID((await comment(world, user, idea_id)).json()["id"])
        database = parts(application).database

        async def remove() -> None:
            async with database.session() as session:
                idea = await ideas.get_idea(session, idea_id)
                await delete_comment(session, idea, Kind.COMMENT, first, actor_id=user.id)

        async with database.session() as session:
            idea = await ideas.get_idea(session, idea_id)
            await write_comment(
                session, idea, Kind.COMMENT, author_id=world.members[2].id, text="reply", parent_id=first
            )
            removal = asyncio.create_task(remove())
            mine = await session.scalar(text("SELECT pg_backend_pid()"))
            blocked = text("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE :pid = ANY (pg_blocking_pids(pid)))")
            async with database.session() as watching:
                for _ in range(TRIES):
                    if await watching.scalar(blocked, {"pid": mine}):
                        break
                    await asyncio.sleep(0.02)
                else:
                    pytest.fail("the deletion does not wait")
        await removal
        assert [each["text"] for each in (await listed(world, user, idea_id))["items"]] == [None, "reply"]


class TestMentions:
    async def test_are_ids_that_are_returned_with_names(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea, author, other = await world.submit(world.members[0]), world.members[1], world.members[2]
        ids = [str(other.id), str(world.manager.id), str(other.id)]
        written = await comment(world, author, idea, mention_ids=ids)
        assert written.json()["mentions"] == [
            {"id": str(other.id), "display_name": other.display_name},
            {"id": str(world.manager.id), "display_name": world.manager.display_name},
        ]
        path = f"/ideas/{idea}/comments/{written.json()['id']}"
        edited = await world.call(author, "PATCH", path, json={"mention_ids": [str(author.id), str(other.id)]})
        assert [each["id"] for each in edited.json()["mentions"]] == [str(author.id), str(other.id)]
        async with parts(application).database.session() as session:
            data = await session.scalars(
                text("SELECT data FROM app.events WHERE idea_id = :id AND kind LIKE 'comment%' ORDER BY xid, id"),
                {"id": idea},
            )
            assert [each["mention_ids"] for each in data] == [ids[:2], [str(author.id)]]

    async def test_are_members(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea, stranger = await world.submit(world.members[0]), await commit_user(application)
        gone = world.members[2]
        assert (await world.call(gone, "POST", "/campaigns/{id}/leave")).is_success
        ids = [str(world.manager.id), str(stranger.id), str(gone.id)]
        refused = await comment(world, world.members[1], idea, mention_ids=ids)
        assert (outcome(refused), refused.json()["user_ids"]) == ((422, "unknown-mentions"), ids[1:])
        assert (await listed(world, world.manager, idea))["items"] == []

    async def test_one_who_left_stays_mentioned(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea, author, gone = await world.submit(world.members[0]), world.members[1], world.members[2]
        written = (await comment(world, author, idea, mention_ids=[str(gone.id)])).json()
        assert (await world.call(gone, "POST", "/campaigns/{id}/leave")).is_success
        body = {"text": "Changed", "mention_ids": [str(gone.id)]}
        edited = await world.call(author, "PATCH", f"/ideas/{idea}/comments/{written['id']}", json=body)
        assert edited.json()["mentions"] == written["mentions"]


class TestFindPeople:
    async def test_finds_members_by_a_part_of_their_name(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        name = uuid4().hex
        async with parts(application).database.session() as session:
            for number, user in enumerate(world.members):
                await session.execute(
                    text("UPDATE app.users SET display_name = :name WHERE id = :id"),
                    {"name": f"{'xyz'[number]} 100% {name}", "id": user.id},
                )
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            params = {"q": f"100% {name.upper()}", "limit": 2, **({"cursor": cursor} if cursor else {})}
            page = await world.call(world.members[0], "GET", "/campaigns/{id}/people", params=params)
            assert page.status_code == 200, page.text
            found += page.json()["items"]
            if (cursor := page.json()["next_cursor"]) is None:
                break
        assert [each["id"] for each in found] == [str(user.id) for user in world.members]
        assert found[0] == {"id": str(world.members[0].id), "display_name": f"x 100% {name}", "role": "member"}

    async def test_knows_no_addresses_and_no_strangers(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        stranger = await commit_user(application)
        by_address = {"q": world.members[1].email}
        page = await world.call(world.members[0], "GET", "/campaigns/{id}/people", params=by_address)
        assert page.json()["items"] == []
        refused = await world.call(stranger, "GET", "/campaigns/{id}/people", params={"q": "an"})
        assert outcome(refused) == (403, "not-a-member")


async def test_comments_have_a_limit_of_their_own(application: FastAPI, client: AsyncClient) -> None:
    from api.kernel.rates import LocalBuckets
    from api.kernel.request_rates import RequestRates

    world = await make_world(application, client)
    idea = await world.submit(world.members[0])
    limits = parts(application).settings.with_(comments_per_caller="2/day").limits
    with replaced(application, request_rates=RequestRates(limits, LocalBuckets())):
        statuses = [(await comment(world, world.members[1], idea)).status_code for _ in range(3)]
        assert statuses == [201, 201, 429]
        assert (await comment(world, world.members[2], idea)).status_code == 201
        assert (await listed(world, world.members[1], idea))["total"] == 3
