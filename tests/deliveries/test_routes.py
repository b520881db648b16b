"""Owners and milestones of ideas."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from api.campaigns import service as campaigns
from api.deliveries import service
from api.ideas import service as ideas
from api.kernel import clock
from tests.factories.campaigns import World, event_kinds, make_world
from tests.factories.containers import parts
from tests.factories.users import commit_user

if TYPE_CHECKING:
    from uuid import UUID

    from fastapi import FastAPI
    from httpx2 import AsyncClient, Response

PAST, FUTURE = "2020-01-01", "2199-12-31"


async def accepted(world: World, title: str = "Put bicycle racks by the door") -> UUID:
    idea = await world.submit(world.members[0], title)
    response = await world.step(world.manager, idea, "accepted")
    assert response.status_code == 200, response.text
    return idea


async def add(world: World, idea: UUID, title: str, due_on: str = FUTURE, **body: Any) -> dict[str, Any]:
    response = await world.call(
        world.manager, "POST", f"/ideas/{idea}/milestones", json={"title": title, "due_on": due_on, **body}
    )
    assert response.status_code == 201, response.text
    found: dict[str, Any] = response.json()
    return found


def titles(delivery: dict[str, Any]) -> str:
    return "".join(each["title"] for each in delivery["milestones"])


def outcome(response: Response) -> tuple[int, str]:
    return response.status_code, response.json()["type"].removeprefix("urn:ideamint:problem:")


class TestOwner:
    async def test_is_a_member_whom_everyone_sees(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea, (one, other, _) = await world.submit(world.members[0]), world.members
        for user in (one, one, other):
            made = await world.call(world.manager, "PUT", f"/ideas/{idea}/owner", json={"user_id": str(user.id)})
            assert (made.status_code, made.json()["owner_id"]) == (200, str(user.id))
        seen = (await world.call(one, "GET", f"/ideas/{idea}/delivery")).json()
        assert (seen["owner_name"], seen["milestones"], seen["progress_percent"]) == (other.display_name, [], None)
        for _ in range(2):
            gone = await world.call(world.manager, "DELETE", f"/ideas/{idea}/owner")
            assert (gone.status_code, gone.json()["owner_id"]) == (200, None)
        assert (await event_kinds(application, idea)).count("idea_owner_changed") == 3

    async def test_must_be_a_member(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea, stranger = await world.submit(world.members[0]), await commit_user(application)
        path, body = f"/ideas/{idea}/owner", {"user_id": str(stranger.id)}
        assert outcome(await world.call(world.manager, "PUT", path, json=body)) == (422, "owner-not-a-member")
        assert outcome(await world.call(world.members[0], "PUT", path, json=body)) == (403, "not-a-manager")

    async def test_assignment_and_departure_at_once(self, application: FastAPI, client: AsyncClient) -> None:
        """The assignment holds the campaign, so a departure comes before it or after it."""
        world = await make_world(application, client, members=6)
        for user in world.members[1:]:
            idea = await world.submit(world.members[0])
            assigned, left = await asyncio.gather(
                world.call(world.manager, "PUT", f"/ideas/{idea}/owner", json={"user_id": str(user.id)}),
                world.call(user, "POST", "/campaigns/{id}/leave"),
            )
            assert left.is_success, left.text
            assert assigned.status_code in {200, 422}, assigned.text
            found = (await world.call(world.manager, "GET", f"/ideas/{idea}/delivery")).json()["owner_id"]
            assert found == (str(user.id) if assigned.status_code == 200 else None)


class TestMilestones:
    async def test_are_ordered_and_move(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await accepted(world)
        for title in "abc":
            await add(world, idea, title)
        delivery = await add(world, idea, "x", position=2)
        assert titles(delivery) == "axbc"
        ids = {each["title"]: each["id"] for each in delivery["milestones"]}
        for title, position, order in (("c", 1, "caxb"), ("c", 3, "axcb"), ("a", 50, "xcba"), ("a", 4, "xcba")):
            path = f"/ideas/{idea}/milestones/{ids[title]}"
            moved = await world.call(world.manager, "PATCH", path, json={"position": position})
            assert titles(moved.json()) == order
            assert [each["position"] for each in moved.json()["milestones"]] == [1, 2, 3, 4]
        left = await world.call(world.manager, "DELETE", f"/ideas/{idea}/milestones/{ids['c']}")
        assert titles(left.json()) == "xba"
        assert [each["position"] for each in left.json()["milestones"]] == [1, 2, 3]

    async def test_make_the_progress(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await accepted(world)
        for title in "abc":
            delivery = await add(world, idea, title)
        for milestone, percent in zip(delivery["milestones"], (33, 66, 100), strict=True):
            path = f"/ideas/{idea}/milestones/{milestone['id']}"
            done = await world.call(world.manager, "PATCH", path, json={"done_on": PAST})
            assert (done.status_code, done.json()["progress_percent"]) == (200, percent)
        again = await world.call(world.manager, "PATCH", path, json={"done_on": None})
        assert again.json()["progress_percent"] == 66
        assert (await event_kinds(application, idea)).count("milestone_changed") == 4
        same = await world.call(world.manager, "PATCH", path, json={"done_on": None, "title": "c", "due_on": FUTURE})
        assert same.status_code == 200
        assert (await event_kinds(application, idea)).count("milestone_changed") == 4

    async def test_are_done_today_at_the_latest(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await accepted(world)
        path = f"/ideas/{idea}/milestones/{(await add(world, idea, 'a'))['milestones'][0]['id']}"
        refused = await world.call(world.manager, "PATCH", path, json={"done_on": FUTURE})
        assert outcome(refused) == (422, "done-in-the-future")
        assert date.fromisoformat(refused.json()["today"]) < date.fromisoformat(FUTURE)

    async def test_need_an_idea_in_delivery(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea, body = await world.submit(world.members[0]), {"title": "Order them", "due_on": FUTURE}
        path = f"/ideas/{idea}/milestones"
        assert outcome(await world.call(world.manager, "POST", path, json=body)) == (409, "idea-not-in-delivery")
        await world.step(world.manager, idea, "accepted")
        added = await world.call(world.manager, "POST", path, json=body)
        assert added.status_code == 201, added.text
        assert outcome(await world.call(world.members[0], "POST", path, json=body)) == (403, "not-a-manager")
        for status in ("in_progress", "complete"):
            await world.step(world.manager, idea, status)
        one = f"{path}/{added.json()['milestones'][0]['id']}"
        edited = await world.call(world.manager, "PATCH", one, json={"title": "Late"})
        assert outcome(edited) == (409, "idea-not-in-delivery")
        assert outcome(await world.call(world.manager, "DELETE", one)) == (409, "idea-not-in-delivery")

    async def test_belong_to_their_idea_and_are_at_most_50(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea, other = await accepted(world), await accepted(world)
        async with parts(application).database.session() as session:
            found = await ideas.get_idea(session, idea)
            for number in range(50):
                made = await service.add_milestone(
                    session, found, title=f"Step {number}", due_on=date(2026, 1, 1), actor_id=world.manager.id
                )
        body = {"title": "Too many", "due_on": FUTURE}
        refused = await world.call(world.manager, "POST", f"/ideas/{idea}/milestones", json=body)
        assert (outcome(refused), refused.json()["milestones_max"]) == ((409, "too-many-milestones"), 50)
        elsewhere = await world.call(world.manager, "DELETE", f"/ideas/{other}/milestones/{made}")
        assert outcome(elsewhere) == (404, "milestone-not-found")

    @pytest.mark.parametrize(
        "body", [{"title": ""}, {"due_on": None}, {"due_on": "3000-01-01"}, {"position": 0}, {"position": 51}]
    )
    async def test_refuse_bad_values(self, application: FastAPI, client: AsyncClient, body: dict[str, Any]) -> None:
        world = await make_world(application, client)
        idea = await accepted(world)
        path = f"/ideas/{idea}/milestones/{(await add(world, idea, 'a'))['milestones'][0]['id']}"
        assert outcome(await world.call(world.manager, "PATCH", path, json=body)) == (422, "validation")

    async def test_added_at_once_have_positions_without_gaps(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await accepted(world)
        await asyncio.gather(*(add(world, idea, f"{n}", position=1) for n in range(6)))
        found = (await world.call(world.manager, "GET", f"/ideas/{idea}/delivery")).json()["milestones"]
        assert [each["position"] for each in found] == [1, 2, 3, 4, 5, 6]


class TestOverdue:
    async def test_lists_open_milestones_of_ideas_in_delivery(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        one, other, stopped = [await accepted(world, f"Idea {name} of the list") for name in ("one", "two", "three")]
        for idea, title, due_on in (
            (one, "b", "2020-02-01"), (one, "later", FUTURE), (other, "a", "2020-01-01"), (stopped, "off", PAST),
        ):  # fmt: skip
            await add(world, idea, title, due_on)
        done = (await add(world, other, "done", PAST))["milestones"][-1]["id"]
        await world.call(world.manager, "PATCH", f"/ideas/{other}/milestones/{done}", json={"done_on": PAST})
        await world.step(world.manager, stopped, "stopped", "No money left")
        owner = {"user_id": str(world.members[1].id)}
        await world.call(world.manager, "PUT", f"/ideas/{one}/owner", json=owner)
        for overdue, expected in ((True, ["a", "b"]), (False, ["a", "b", "later"])):
            seen: list[dict[str, Any]] = []
            cursor: str | None = None
            while True:
                params = {"overdue": overdue, "limit": 1, **({"cursor": cursor} if cursor else {})}
                page = await world.call(world.manager, "GET", "/campaigns/{id}/milestones", params=params)
                assert page.status_code == 200, page.text
                seen += page.json()["items"]
                if (cursor := page.json()["next_cursor"]) is None:
                    break
            assert [each["title"] for each in seen] == expected
            assert [each["is_overdue"] for each in seen] == [True, True, False][: len(seen)]
        assert (seen[1]["idea_title"], seen[1]["owner_name"]) == ("Idea one of the list", world.members[1].display_name)
        refused = await world.call(world.members[1], "GET", "/campaigns/{id}/milestones")
        assert outcome(refused) == (403, "not-a-manager")

    async def test_the_day_is_that_of_the_campaign(self, application: FastAPI, client: AsyncClient) -> None:
        """At 23:30 in UTC it is the next day in Warsaw."""
        world = await make_world(application, client)
        idea_id = await accepted(world)
        await add(world, idea_id, "a", "2026-05-01")
        late = datetime(2026, 5, 1, 23, 30, tzinfo=UTC)
        async with parts(application).database.session() as session:
            idea = await ideas.get_idea(session, idea_id)
            campaign = await campaigns.get_campaign(session, idea.campaign_id)
            campaign.time_zone = "Europe/Warsaw"
            for moment, is_overdue in ((late, True), (late - timedelta(hours=2), False)):
                with clock.at(moment):
                    delivery = await service.get_delivery(session, idea, campaign)
                    assert delivery.milestones[0].is_overdue is is_overdue


class TestDatabase:
    async def test_refuses_two_milestones_on_one_position(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await accepted(world)
        await add(world, idea, "a")
        await add(world, idea, "b")
        with pytest.raises(Exception, match="uq_idea_milestones_idea_id"):
            async with parts(application).database.session() as session:
                await session.execute(
                    text("UPDATE app.idea_milestones SET position = 1 WHERE idea_id = :id"), {"id": idea}
                )


class TestCompletion:
    async def test_is_for_the_owner_and_managers(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea, (author, owner, other) = await accepted(world), world.members
        milestone = (await add(world, idea, "A"))["milestones"][0]["id"]
        path = f"/ideas/{idea}/milestones/{milestone}"
        body = {"user_id": str(owner.id)}
        assert (await world.call(world.manager, "PUT", f"/ideas/{idea}/owner", json=body)).is_success
        for user in (author, other):
            refused = await world.call(user, "PUT", f"{path}/completion", json={"done_on": PAST})
            assert outcome(refused) == (403, "not-the-owner")
        for user, done_on, percent in ((owner, PAST, 100), (owner, None, 0), (world.manager, PAST, 100)):
            done = await world.call(user, "PUT", f"{path}/completion", json={"done_on": done_on})
            assert (done.status_code, done.json()["progress_percent"]) == (200, percent)
        late = await world.call(owner, "PUT", f"{path}/completion", json={"done_on": FUTURE})
        assert outcome(late) == (422, "done-in-the-future")

    async def test_the_owner_changes_nothing_else(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea, owner = await accepted(world), world.members[1]
        milestone = (await add(world, idea, "A"))["milestones"][0]["id"]
        path = f"/ideas/{idea}/milestones/{milestone}"
        body = {"user_id": str(owner.id)}
        assert (await world.call(world.manager, "PUT", f"/ideas/{idea}/owner", json=body)).is_success
        assert (await world.call(owner, "PATCH", path, json={"title": "B"})).status_code == 403
        assert (await world.call(owner, "DELETE", path)).status_code == 403
        unknown = await world.call(owner, "PUT", f"{path}/completion", json={"done_on": PAST, "title": "B"})
        assert unknown.status_code == 422

    async def test_an_owner_who_left_completes_nothing(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea, owner = await accepted(world), world.members[1]
        milestone = (await add(world, idea, "A"))["milestones"][0]["id"]
        body = {"user_id": str(owner.id)}
        assert (await world.call(world.manager, "PUT", f"/ideas/{idea}/owner", json=body)).is_success
        assert (await world.call(owner, "POST", "/campaigns/{id}/leave")).is_success
        path = f"/ideas/{idea}/milestones/{milestone}/completion"
        assert outcome(await world.call(owner, "PUT", path, json={"done_on": PAST})) == (403, "not-the-owner")
