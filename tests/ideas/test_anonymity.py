"""Anonymous ideas: no response discloses their author to those who may not know, and where it is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from api.campaigns import service as campaigns
from tests.auth.calls import problem
from tests.factories.campaigns import DESCRIPTION, World, make_world
from tests.factories.containers import parts
from tests.factories.users import commit_user

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI
    from httpx2 import AsyncClient

    from api.auth.models import User
    from api.kernel.db import Database

IDEAS = "/campaigns/{id}/ideas"
# people of the campaign by name, whatever they did; reading them says nothing about ideas
OF_PEOPLE = {"findPeople"}


def hidden_values(author: User) -> list[str]:
    return [str(author.id), author.id.hex, author.display_name, str(author.email)]


async def submit(world: World, user: User, title: str = "Racks by the door", **body: Any) -> UUID:
    sent = {"title": title, "description": DESCRIPTION, "is_anonymous": True} | body
    response = await world.call(user, "POST", IDEAS, json=sent)
    assert response.status_code == 201, response.text
    return UUID(response.json()["id"])


async def anonymous_world(application: FastAPI, client: AsyncClient, **campaign: Any) -> World:
    policy = {"stakes_visible_to": "members", "take_back": False}
    return await make_world(application, client, anonymous_ideas=True, policy=policy, **campaign)


async def play(world: World, author: User) -> UUID:
    """An anonymous idea on which the author did everything that an author can do, and which was accepted."""
    member, manager = world.members[1], world.manager
    drafted = await world.call(author, "POST", f"{IDEAS}/drafts", json={"title": "A draft of it", "is_anonymous": True})
    idea = UUID(drafted.json()["id"])
    path = f"/ideas/{idea}"

    async def send(user: User, method: str, called: str, **arguments: Any) -> Any:
        response = await world.call(user, method, f"{path}{called}", **arguments)
        assert response.is_success, (called, response.text)
        return response.json() if response.content else None

    await send(author, "PATCH", "", json={"description": DESCRIPTION})
    await send(author, "POST", "/status", json={"status": "competing"})
    await send(author, "POST", "/attachments", params={"name": "plan.txt"}, content=b"The plan.")
    question = await send(member, "POST", "/comments", json={"text": "Who pays?"})
    await send(author, "POST", "/comments", json={"text": "The town.", "parent_id": question["id"]})
    deleted = await send(author, "POST", "/comments", json={"text": "Never mind."})
    await send(member, "POST", "/comments", json={"text": "What?", "parent_id": deleted["id"]})
    await send(author, "DELETE", f"/comments/{deleted['id']}")
    mine = await send(author, "POST", "/comments", json={"text": "It costs 300."})
    await send(manager, "PUT", "/official-answer", json={"comment_id": mine["id"]})
    await send(author, "PUT", "/following")
    assert (await world.allocate(member, idea, 10)).status_code == 201
    await send(author, "PATCH", "", json={"title": "Twice as many bicycle racks"})
    await send(author, "POST", "/versions/1/restore", json={})
    await send(manager, "PATCH", "", json={"title": "Three times as many", "reason": "The town has money."})
    await send(manager, "POST", "/status", json={"status": "accepted"})
    await send(manager, "POST", "/milestones", json={"title": "Order", "due_on": "2026-05-01"})
    return idea


def readings(application: FastAPI, ids: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Every operation that reads, with its path."""
    for path, methods in application.openapi()["paths"].items():
        if "get" in methods and path.startswith("/api/v1/"):
            filled = path.removeprefix("/api/v1")
            for name, value in ids.items():
                filled = filled.replace(f"{{{name}}}", value)
            if "{" not in filled:
                yield methods["get"]["operationId"], filled


class TestEveryResponse:
    async def test_hides_the_author_from_all_who_may_not_know(self, application: FastAPI, client: AsyncClient) -> None:
        world = await anonymous_world(application, client)
        author, member = world.members[0], world.members[1]
        idea = await play(world, author)
        withdrawn = await submit(world, author, "An idea that I withdraw")
        assert (await world.allocate(member, withdrawn, 10)).status_code == 201
        assert (await world.step(author, withdrawn, "withdrawn")).is_success
        observer = await commit_user(application)
        async with parts(application).database.session() as session:
            campaign = await campaigns.get_campaign(session, world.campaign_id)
            await campaigns.add_member(
                session, campaign, user_id=observer.id, role="observer", actor_id=world.manager.id
            )
        readers = {
            "member": member,
            "observer": observer,
            "visitor": await commit_user(application),
            "executive": await commit_user(application, roles=["executive"]),
        }
        attachment = (await world.call(member, "GET", f"/ideas/{idea}/attachments")).json()[0]["id"]
        read: set[str] = set()
        seen: set[str] = set()  # paths without the idea are read once
        for idea_id in (idea, withdrawn):
            ids = {
                "campaign_id": str(world.campaign_id), "idea_id": str(idea_id), "version": "1", "attachment_id": attachment,
            }  # fmt: skip
            paths = [(name, path) for name, path in readings(application, ids) if path not in seen]
            seen |= {path for _, path in paths}
            for name, path in paths:
                for role, reader in readers.items():
                    for query in ("", f"?author_id={author.id}" if name == "listIdeas" else ""):
                        response = await world.call(reader, "GET", f"{path}{query}")
                        read |= {name} if response.is_success else set()
                        found = [value for value in hidden_values(author) if value in response.text]
                        assert not found or name in OF_PEOPLE, f"{role}: {name}: {response.text}"
        assert {
            "listIdeas", "getIdea", "listIdeaHistory", "listIdeaVersions", "getIdeaVersion", "diffIdeaVersions",
            "getChangesSinceMyStake", "listStakes", "listComments", "listAttachments", "getDelivery", "listValuations",
            "getFollowing", "listFollowedIdeas", "listCoinHistory",
        } <= read  # fmt: skip

    async def test_shows_the_author_to_those_who_may_know(self, application: FastAPI, client: AsyncClient) -> None:
        world = await anonymous_world(application, client)
        author, moderator = world.members[0], world.members[2]
        path = f"/campaigns/{{id}}/members/{moderator.id}/role?role=moderator"
        assert (await world.call(world.manager, "PUT", path)).is_success
        idea = await play(world, author)
        readers = {
            "manager": world.manager,
            "moderator": moderator,
            "administrator": await commit_user(application, roles=["system_admin"]),
            "author": author,
        }
        for role, reader in readers.items():
            for called in ("", "/history", "/versions", "/comments", "/attachments"):
                response = await world.call(reader, "GET", f"/ideas/{idea}{called}")
                assert str(author.id) in response.text, (role, called)
            listed = (await world.call(reader, "GET", IDEAS, params={"author_id": str(author.id)})).json()["items"]
            assert [(each["id"], each["is_anonymous"], each["author_name"]) for each in listed] == [
                (str(idea), True, author.display_name)
            ], role

    async def test_marks_what_the_author_did(self, application: FastAPI, client: AsyncClient) -> None:
        world = await anonymous_world(application, client)
        member = world.members[1]
        idea = await play(world, world.members[0])
        comments = (await world.call(member, "GET", f"/ideas/{idea}/comments")).json()
        assert [each["by_author"] for each in comments["items"]] == [False, True, False, False, True]
        assert (comments["official_answer"]["by_author"], comments["official_answer"]["author_id"]) == (True, None)
        versions = (await world.call(member, "GET", f"/ideas/{idea}/versions")).json()["items"]
        assert [each["by_author"] for each in versions] == [False, True, True, True]
        history = (await world.call(member, "GET", f"/ideas/{idea}/history")).json()["items"]
        by_author = [entry["kind"] for entry in history if entry["by_author"]]
        assert sorted(by_author) == ["attachment", "comment", "comment", "status", "version", "version"]
        assert all(entry["actor_id"] is None for entry in history if entry["by_author"])

    async def test_of_a_manager_who_is_the_author_shows_decisions_like_those_of_any_manager(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await anonymous_world(application, client)
        idea = await submit(world, world.manager)
        assert (await world.step(world.manager, idea, "accepted")).is_success
        history = (await world.call(world.members[0], "GET", f"/ideas/{idea}/history")).json()["items"]
        decided = (str(world.manager.id), False)
        assert [(entry["actor_id"], entry["by_author"]) for entry in history] == [decided, (None, True)]


class TestLedger:
    async def test_refuses_the_own_idea_to_its_author_only(self, application: FastAPI, client: AsyncClient) -> None:
        world = await anonymous_world(application, client)
        idea = await submit(world, world.members[0])
        assert problem(await world.allocate(world.members[0], idea, 5)) == (403, "own-idea")
        assert (await world.allocate(world.members[1], idea, 5)).status_code == 201

    async def test_shows_a_stake_of_the_author_as_that_of_a_member(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        """Coins belong to a backer; nothing says that this backer is the author."""
        policy = {"own_ideas": True, "stakes_visible_to": "members"}
        world = await make_world(application, client, anonymous_ideas=True, policy=policy)
        author, member = world.members[:2]
        idea = await submit(world, author)
        for user in (author, member):
            assert (await world.allocate(user, idea, 5)).status_code == 201
        history = (await world.call(member, "GET", f"/ideas/{idea}/history")).json()["items"]
        coins = [(entry["actor_id"], entry["by_author"]) for entry in history if entry["kind"] == "coins"]
        assert coins == [(str(member.id), False), (str(author.id), False)]


class TestCampaign:
    async def test_without_the_setting_refuses_anonymous_ideas(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        author = world.members[0]
        body = {"title": "Racks by the door", "description": DESCRIPTION, "is_anonymous": True}
        for path in (IDEAS, f"{IDEAS}/drafts"):
            assert problem(await world.call(author, "POST", path, json=body)) == (409, "anonymity-refused")
        named = await world.call(author, "POST", f"{IDEAS}/drafts", json=body | {"is_anonymous": False})
        path = f"/ideas/{named.json()['id']}"
        changed = await world.call(author, "PATCH", path, json={"is_anonymous": True})
        assert problem(changed) == (409, "anonymity-refused")

    async def test_that_ends_the_setting_keeps_anonymous_ideas(self, application: FastAPI, client: AsyncClient) -> None:
        world = await anonymous_world(application, client)
        author, member = world.members[:2]
        idea = await submit(world, author)
        draft = await world.call(author, "POST", f"{IDEAS}/drafts", json={"title": "A draft", "is_anonymous": True})
        edited = await world.call(world.manager, "PATCH", "/campaigns/{id}", json={"anonymous_ideas": False})
        assert (edited.status_code, edited.json()["anonymous_ideas"]) == (200, False)
        assert (await world.call(member, "GET", f"/ideas/{idea}")).json()["author_id"] is None
        path = f"/ideas/{draft.json()['id']}"
        assert (await world.call(author, "PATCH", path, json={"description": DESCRIPTION})).is_success
        submitted = await world.call(author, "POST", f"{path}/status", json={"status": "competing"})
        assert problem(submitted) == (409, "anonymity-refused")
        assert (await world.call(author, "PATCH", path, json={"is_anonymous": False})).is_success
        assert (await world.call(author, "POST", f"{path}/status", json={"status": "competing"})).is_success

    async def test_is_copied_with_its_setting(self, application: FastAPI, client: AsyncClient) -> None:
        world = await anonymous_world(application, client)
        body = {"title": "The next campaign", "copy_of": str(world.campaign_id)}
        copied = await world.call(world.manager, "POST", "/campaigns", json=body)
        assert copied.json()["anonymous_ideas"] is True


class TestSubmission:
    async def test_fixes_the_anonymity(self, application: FastAPI, client: AsyncClient, db: Database) -> None:
        world = await anonymous_world(application, client)
        author = world.members[0]
        idea = await submit(world, author)
        for user in (author, world.manager):
            body = {"is_anonymous": False, "reason": "Why not"}
            assert problem(await world.call(user, "PATCH", f"/ideas/{idea}", json=body)) == (409, "idea-fixed")
        with pytest.raises(DBAPIError):
            async with db.session() as session:
                await session.execute(text("UPDATE app.ideas SET is_anonymous = false WHERE id = :id"), {"id": idea})

    @pytest.mark.parametrize("stays_anonymous", [True, False])
    async def test_again_is_linked_for_others_only_if_both_are_anonymous(
        self, application: FastAPI, client: AsyncClient, *, stays_anonymous: bool
    ) -> None:
        world = await anonymous_world(application, client)
        author, backer = world.members[:2]
        idea = await submit(world, author)
        assert (await world.allocate(backer, idea, 5)).status_code == 201
        assert (await world.step(author, idea, "withdrawn")).is_success
        again = (await world.call(author, "POST", f"/ideas/{idea}/resubmit")).json()
        assert again["is_anonymous"] is True
        path = f"/ideas/{again['id']}"
        if not stays_anonymous:
            assert (await world.call(author, "PATCH", path, json={"is_anonymous": False})).is_success
        assert (await world.call(author, "POST", f"{path}/status", json={"status": "competing"})).is_success
        for user, sees in ((backer, stays_anonymous), (author, True), (world.manager, True)):
            earlier = (await world.call(user, "GET", f"/ideas/{idea}")).json()
            later = (await world.call(user, "GET", path)).json()
            assert earlier["resubmitted_as_id"] == (again["id"] if sees else None)
            # the earlier one is withdrawn: only its author and those who see all ideas find it by the link
            assert later["resubmitted_from_id"] == (None if user is backer else str(idea))
