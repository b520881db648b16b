"""The approval queue, requests for changes, and commands on many ideas."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, get_args
from uuid import uuid4

import pytest
from sqlalchemy import text

from api.campaigns import service as campaigns
from api.ideas import service as ideas
from api.ideas.bulk import BulkStatus
from api.ideas.steps import STEPS
from api.kernel import clock
from api.kernel.permissions import Permission
from tests.auth.calls import problem
from tests.factories.campaigns import DESCRIPTION, World, event_kinds, make_world
from tests.factories.containers import parts
from tests.factories.users import commit_user

if TYPE_CHECKING:
    from uuid import UUID

    from fastapi import FastAPI
    from httpx2 import AsyncClient, Response

    from api.auth.models import User

QUEUE = "/campaigns/{id}/ideas/queue"
BULK = "/campaigns/{id}/ideas/bulk"


async def queue(world: World, **query: Any) -> dict[str, Any]:
    response = await world.call(world.manager, "GET", QUEUE, params=query)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def bulk(world: World, action: str, *chosen: object, is_dry_run: bool = False, **body: Any) -> Response:
    body = {"action": action, "idea_ids": [str(idea) for idea in chosen], **body}
    return await world.call(world.manager, "POST", BULK, params={"dry_run": is_dry_run}, json=body)


def outcomes(response: Response) -> list[tuple[str, str | None]]:
    assert response.status_code == 200, response.text
    return [(item["outcome"], (item["problem"] or "").rpartition(":")[2] or None) for item in response.json()["items"]]


async def status_of(world: World, idea: object) -> str:
    status: str = (await world.call(world.manager, "GET", f"/ideas/{idea}")).json()["status"]
    return status


async def submitted_at(world: World, moment: datetime) -> UUID:
    with clock.at(moment):
        async with parts(world.app).database.session() as session:
            campaign = await campaigns.get_campaign(session, world.campaign_id)
            author_id = world.members[0].id
            idea = await ideas.submit_idea(
                session, campaign, author_id=author_id, title="Racks by the door", description=DESCRIPTION
            )
    return idea.id


async def ask(world: World, idea: object, text: str = "Say what it costs.") -> Response:
    return await world.call(world.manager, "POST", f"/ideas/{idea}/change-requests", json={"text": text})


class TestQueue:
    async def test_has_pending_ideas_with_their_age(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, is_mediated=True)
        await world.call(world.members[0], "POST", "/campaigns/{id}/ideas/drafts", json={"title": "A draft"})
        await world.headers(world.manager)  # a token is valid only after its log-in
        now = datetime.now(UTC)
        made = [str(await submitted_at(world, now - timedelta(hours=hours))) for hours in (3, 2, 1)]
        with clock.at(now):
            found = await queue(world)
        assert [idea["id"] for idea in found["items"]] == made
        assert [idea["age_s"] for idea in found["items"]] == [10800, 7200, 3600]
        assert {idea["author_name"] for idea in found["items"]} == {world.members[0].display_name}
        assert (found["pending"], found["changes_requested"]) == (3, 0)
        first = await queue(world, limit=2)
        second = await queue(world, limit=2, cursor=first["next_cursor"])
        assert [idea["id"] for page in (first, second) for idea in page["items"]] == made
        assert second["next_cursor"] is None
        await world.step(world.manager, made[0], "competing")  # type: ignore[arg-type]
        assert [idea["id"] for idea in (await queue(world))["items"]] == made[1:]

    async def test_is_for_managers(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, is_mediated=True)
        assert problem(await world.call(world.members[0], "GET", QUEUE)) == (403, "not-a-manager")


class TestChangeRequests:
    async def test_flag_the_idea_until_its_author_edits_it(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, is_mediated=True)
        author = world.members[0]
        idea, other = await world.submit(author), await world.submit(author)
        asked = await ask(world, idea)
        assert asked.status_code == 201
        read = (await world.call(author, "GET", f"/ideas/{idea}")).json()
        assert (read["status"], read["change_request"]["text"]) == ("pending", "Say what it costs.")
        assert read["change_request"]["requested_by_name"] == world.manager.display_name
        flagged = await queue(world, changes_requested=True)
        assert ([each["id"] for each in flagged["items"]], flagged["pending"], flagged["changes_requested"]) == (
            [str(idea)], 2, 1,
        )  # fmt: skip
        assert [each["id"] for each in (await queue(world, changes_requested=False))["items"]] == [str(other)]
        by_manager = await world.call(
            world.manager, "PATCH", f"/ideas/{idea}", json={"title": "Corrected title", "reason": "Spelling"}
        )
        assert by_manager.json()["change_request"] is not None, "the author has not answered"
        again = await ask(world, idea, "Say who builds it.")
        assert again.json()["change_request"]["text"] == "Say who builds it."
        edited = await world.call(author, "PATCH", f"/ideas/{idea}", json={"title": "Racks for 300 euros"})
        assert edited.json()["change_request"] is None
        assert (await queue(world))["changes_requested"] == 0
        assert (await event_kinds(application, idea)).count("idea_changes_requested") == 2

    @pytest.mark.parametrize(
        ("status", "who"), [("competing", "manager"), ("rejected", "manager"), ("withdrawn", "author")]
    )
    async def test_end_with_the_waiting(self, application: FastAPI, client: AsyncClient, status: str, who: str) -> None:
        world = await make_world(application, client, is_mediated=True)
        idea = await world.submit(world.members[0])
        await ask(world, idea)
        stepped = await world.step(world.manager if who == "manager" else world.members[0], idea, status, "As decided")
        assert (stepped.status_code, stepped.json()["change_request"]) == (200, None)
        assert (await queue(world))["changes_requested"] == 0
        assert problem(await ask(world, idea)) == (409, "not-pending")

    async def test_are_for_managers(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, is_mediated=True)
        idea = await world.submit(world.members[0])
        path = f"/ideas/{idea}/change-requests"
        refused = await world.call(world.members[0], "POST", path, json={"text": "Say what it costs."})
        assert problem(refused) == (403, "not-a-manager")

    async def test_and_an_approval_at_once_leave_no_open_request(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client, is_mediated=True)
        for _ in range(4):
            idea = await world.submit(world.members[0])
            asked, approved = await asyncio.gather(ask(world, idea), world.step(world.manager, idea, "competing"))
            assert approved.status_code == 200
            assert asked.status_code in {201, 409}
        assert (await queue(world))["changes_requested"] == 0


class TestBulk:
    async def test_approves_what_is_pending(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, is_mediated=True)
        other = await make_world(application, client, is_mediated=True)
        author = world.members[0]
        one, two, accepted = [await world.submit(author) for _ in range(3)]
        elsewhere = await other.submit(other.members[0])
        body = {"title": "A draft of mine"}
        draft = (await world.call(author, "POST", "/campaigns/{id}/ideas/drafts", json=body)).json()["id"]
        for status in ("competing", "accepted"):
            await world.step(world.manager, accepted, status)
        chosen = (two, accepted, elsewhere, draft, uuid4(), one)
        expected = [
            ("done", None), ("refused", "not-pending"), ("refused", "idea-not-found"), ("refused", "idea-not-found"),
            ("refused", "idea-not-found"), ("done", None),
        ]  # fmt: skip
        simulated = await bulk(world, "approve", *chosen, is_dry_run=True)
        assert outcomes(simulated) == expected
        assert [await status_of(world, idea) for idea in (one, two)] == ["pending", "pending"]
        done = await bulk(world, "approve", *chosen)
        assert (outcomes(done), done.json()) == (expected, simulated.json())
        assert (done.json()["done"], done.json()["unchanged"], done.json()["refused"]) == (2, 0, 4)
        assert [item["idea_id"] for item in done.json()["items"]] == [str(idea) for idea in chosen]
        assert [await status_of(world, idea) for idea in (one, two)] == ["competing", "competing"]
        assert (await world.allocate(world.members[1], one, 5)).status_code == 201
        assert await status_of(other, elsewhere) == "pending"

    async def test_rejects_with_a_reason_and_returns_coins(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        one, two = [await world.submit(world.members[0]) for _ in range(2)]
        await world.allocate(world.members[1], one, 30)
        await world.step(world.members[0], two, "withdrawn")
        done = await bulk(world, "reject", one, two, reason="Built already.", reason_code="already_exists")
        assert outcomes(done) == [("done", None), ("refused", "illegal-step")]
        assert (await world.balance(world.members[1]))["wallet_coins"] == 100
        read = (await world.call(world.members[0], "GET", f"/ideas/{one}")).json()
        assert (read["status"], read["reason_code"]) == ("rejected", "already_exists")
        unknown = await bulk(world, "reject", one, reason="Built already.", reason_code="too_far")
        assert outcomes(unknown) == [("refused", "illegal-step")]

    async def test_asks_for_changes(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, is_mediated=True)
        ideas = [await world.submit(world.members[0]) for _ in range(3)]
        assert (
            outcomes(await bulk(world, "ask_for_changes", *ideas, reason="Say what it costs.")) == [("done", None)] * 3
        )
        assert (await queue(world))["changes_requested"] == 3

    async def test_tags_and_untags(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        one, two = [await world.submit(world.members[0]) for _ in range(2)]
        await world.call(world.members[0], "PATCH", f"/ideas/{one}", json={"tags": ["roads"]})
        assert outcomes(await bulk(world, "tag", one, two, tags=["Roads", "safe"])) == [("done", None)] * 2

        async def tags(idea: UUID) -> list[str]:
            found: list[str] = (await world.call(world.members[1], "GET", f"/ideas/{idea}")).json()["tags"]
            return found

        assert (await tags(one), await tags(two)) == (["roads", "safe"], ["Roads", "safe"])
        assert outcomes(await bulk(world, "tag", one, two, tags=["safe"])) == [("unchanged", None)] * 2
        assert outcomes(await bulk(world, "untag", one, two, tags=["ROADS"])) == [("done", None)] * 2
        assert (await tags(one), await tags(two)) == (["safe"], ["safe"])
        full = await bulk(world, "tag", one, tags=[f"tag {number}" for number in range(10)])
        assert outcomes(full) == [("refused", "invalid-input")]
        assert await tags(one) == ["safe"]
        versions = (await world.call(world.members[1], "GET", f"/ideas/{two}/versions")).json()["items"]
        assert [(each["version"], each["created_by"]) for each in versions] == [
            (3, str(world.manager.id)), (2, str(world.manager.id)), (1, str(world.members[0].id)),
        ]  # fmt: skip

    @pytest.mark.parametrize(
        "body",
        [
            {"action": "reject"},
            {"action": "ask_for_changes"},
            {"action": "tag"},
            {"action": "untag", "tags": []},
            {"action": "approve", "tags": ["a"]},
            {"action": "approve", "reason_code": "duplicate"},
            {"action": "accept"},
            {"action": "status"},
            {"action": "status", "status": "withdrawn"},
            {"action": "approve", "status": "competing"},
            {"action": "status", "status": "accepted", "reason_code": "duplicate"},
            {"action": "assign"},
            {"action": "assign", "owner_id": None, "reason": "She knows it."},
            {"action": "approve", "owner_id": None},
            {"action": "approve", "idea_ids": []},
            {"action": "approve", "idea_ids": [str(uuid4()) for _ in range(101)]},
            {"action": "approve", "idea_ids": [str(uuid4())] * 2},
        ],
    )
    async def test_refuses_what_is_not_consistent(
        self, application: FastAPI, client: AsyncClient, body: dict[str, Any]
    ) -> None:
        world = await make_world(application, client)
        refused = await world.call(world.manager, "POST", BULK, json={"idea_ids": [str(uuid4())], **body})
        assert problem(refused) == (422, "validation")

    async def test_changes_the_status_of_each(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        one, two, gone = [await world.submit(world.members[0]) for _ in range(3)]
        await world.allocate(world.members[1], one, 30)
        await world.step(world.members[0], gone, "withdrawn")
        done = await bulk(world, "status", one, two, gone, status="accepted")
        assert outcomes(done) == [("done", None), ("done", None), ("refused", "illegal-step")]
        assert (await world.balance(world.members[1]))["wallet_coins"] == 70
        undone = await bulk(world, "status", one, two, status="competing")
        assert outcomes(undone) == [("refused", "reason-missing")] * 2
        assert outcomes(await bulk(world, "status", one, status="competing", reason="By mistake")) == [("done", None)]
        assert outcomes(await bulk(world, "status", two, status="in_progress")) == [("done", None)]
        assert [await status_of(world, idea) for idea in (one, two)] == ["competing", "in_progress"]

    async def test_offers_every_status_that_managers_give(self) -> None:
        theirs = {Permission.MANAGE_IDEAS, Permission.APPROVE_IDEAS}
        assert set(get_args(BulkStatus)) == {
            step.target for step in STEPS if step.permission in theirs and step.route is None
        }

    async def test_assigns_an_owner_or_none(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        one, two = [await world.submit(world.members[0]) for _ in range(2)]
        owner = str(world.members[1].id)
        await world.call(world.manager, "PUT", f"/ideas/{two}/owner", json={"user_id": owner})

        async def owners() -> list[str | None]:
            return [
                (await world.call(world.manager, "GET", f"/ideas/{idea}/delivery")).json()["owner_id"]
                for idea in (one, two)
            ]

        assert outcomes(await bulk(world, "assign", one, two, is_dry_run=True, owner_id=owner)) == [
            ("done", None), ("unchanged", None),
        ]  # fmt: skip
        assert await owners() == [None, owner]
        assert outcomes(await bulk(world, "assign", one, two, owner_id=owner)) == [("done", None), ("unchanged", None)]
        assert await owners() == [owner, owner]
        refused = await bulk(world, "assign", one, owner_id=str((await commit_user(application)).id))
        assert outcomes(refused) == [("refused", "owner-not-a-member")]
        assert outcomes(await bulk(world, "assign", one, two, owner_id=None)) == [("done", None)] * 2
        assert await owners() == [None, None]
        assert (await event_kinds(application, one)).count("idea_owner_changed") == 2

    async def test_rejections_at_once_with_the_same_backers_do_not_block_each_other(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client)
        first, second = world.members[1:]
        for _ in range(5):
            ideas = [await world.submit(world.members[0]) for _ in range(4)]
            # without locks in sorted order, each call would hold the wallet that the other one needs next
            for idea, backer in zip(ideas, (first, second, first, second), strict=True):
                await world.allocate(backer, idea, 10)
            one, two, three, four = ideas
            calls = [bulk(world, "reject", *pair, reason="Built already.") for pair in ((one, four), (two, three))]
            for response in await asyncio.gather(*calls):
                assert outcomes(response) == [("done", None)] * 2
            assert [(await world.balance(backer))["wallet_coins"] for backer in (first, second)] == [100, 100]

    async def test_rejections_and_a_single_one_at_once_do_not_block_each_other(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client)
        backer = world.members[1]
        for _ in range(5):
            ideas = [await world.submit(world.members[0]) for _ in range(3)]
            for idea in ideas:
                await world.allocate(backer, idea, 10)
            many, single = await asyncio.gather(
                bulk(world, "reject", *ideas, reason="Built already."),
                world.step(world.manager, ideas[-1], "rejected", "Built already."),
            )
            assert [many.status_code, single.status_code] in ([200, 200], [200, 409])
            assert many.json()["done"] == (2 if single.is_success else 3)
            assert (await world.balance(backer))["wallet_coins"] == 100

    async def test_is_for_managers(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        body = {"action": "approve", "idea_ids": [str(uuid4())]}
        assert problem(await world.call(world.members[0], "POST", BULK, json=body)) == (403, "not-a-manager")

    async def test_twice_at_once_in_another_order_does_each_idea_once(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client, is_mediated=True)
        waiting = [await world.submit(world.members[0]) for _ in range(6)]
        both = await asyncio.gather(bulk(world, "approve", *waiting), bulk(world, "approve", *reversed(waiting)))
        assert sum(response.json()["done"] for response in both) == len(waiting)
        for idea in waiting:
            assert (await event_kinds(application, idea)).count("idea_approved") == 1


class TestTags:
    async def test_of_one_idea_are_set_without_a_reason(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        path = f"/ideas/{idea}/tags"
        done = await world.call(world.manager, "PUT", path, json={"tags": ["roads", "safe"]})
        assert (done.status_code, done.json()["tags"], done.json()["version"]) == (200, ["roads", "safe"], 2)
        same = await world.call(world.manager, "PUT", path, json={"tags": ["safe", "roads"]})
        assert same.json()["version"] == 2
        none = await world.call(world.manager, "PUT", path, json={"tags": []})
        assert (none.json()["tags"], none.json()["version"]) == ([], 3)
        changed = {"If-Match": done.headers["ETag"]}
        late = await world.call(world.manager, "PUT", path, json={"tags": ["a"]}, headers=changed)
        assert problem(late) == (412, "version-changed")
        assert problem(await world.call(world.members[0], "PUT", path, json={"tags": []})) == (403, "not-a-manager")

    async def test_are_fixed_when_the_campaign_is_completed(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        assert (await world.call(world.manager, "POST", "/campaigns/{id}/complete")).status_code == 200
        refused = await world.call(world.manager, "PUT", f"/ideas/{idea}/tags", json={"tags": ["roads"]})
        assert problem(refused) == (409, "campaign-not-active")
        assert outcomes(await bulk(world, "tag", idea, tags=["roads"])) == [("refused", "campaign-not-active")]


class TestOwnIdea:
    async def test_is_approved_by_another_person(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, is_mediated=True)
        moderator = world.members[0]
        await set_role(world, moderator, "moderator")
        for author, other in ((moderator, world.manager), (world.manager, moderator)):
            idea = await world.submit(author)
            read = (await world.call(author, "GET", f"/ideas/{idea}")).json()
            assert "competing" not in read["next_statuses"]
            assert problem(await world.step(author, idea, "competing")) == (403, "approval-of-own-idea")
            body = {"action": "approve", "idea_ids": [str(idea)]}
            (item,) = (await world.call(author, "POST", "/campaigns/{id}/ideas/bulk", json=body)).json()["items"]
            assert item["problem"] == "urn:ideamint:problem:approval-of-own-idea"
            assert "competing" in (await world.call(other, "GET", f"/ideas/{idea}")).json()["next_statuses"]
            assert (await world.step(other, idea, "competing")).status_code == 200

    async def test_a_sole_approver_approves_it(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, is_mediated=True)
        await set_role(world, world.members[0], "moderator")
        async with parts(application).database.session() as session:
            await session.execute(
                text("UPDATE app.users SET is_active = false WHERE id = :id"), {"id": world.members[0].id}
            )
        idea = await world.submit(world.manager)
        assert "competing" in (await world.call(world.manager, "GET", f"/ideas/{idea}")).json()["next_statuses"]
        assert (await world.step(world.manager, idea, "competing")).status_code == 200


async def set_role(world: World, user: User, role: str) -> None:
    path = f"/campaigns/{{id}}/members/{user.id}/role"
    assert (await world.call(world.manager, "PUT", path, params={"role": role})).status_code == 200
