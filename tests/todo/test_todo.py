"""What a campaign's managers have to do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from api.campaigns import service as campaigns
from tests.auth.calls import assert_problem
from tests.factories.campaigns import World, make_world
from tests.factories.containers import parts
from tests.factories.users import commit_user

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient

    from api.auth.models import User

NOW = datetime.now(UTC).replace(microsecond=0)


async def todo(world: World) -> dict[str, Any]:
    response = await world.call(world.manager, "GET", "/campaigns/{id}/todo")
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def counts(found: dict[str, Any]) -> dict[str, int]:
    return {item["work"]: item["count"] for item in found["items"]}


async def test_lists_what_waits_longest_first(application: FastAPI, client: AsyncClient) -> None:
    world = await make_world(application, client, members=1, is_mediated=True)
    assert await todo(world) == {"items": [], "deadlines": []}
    ideas = [await world.submit(world.members[0], f"Idea number {n}") for n in range(7)]
    found = await todo(world)
    assert counts(found) == {"approve": 7}
    [item] = found["items"]
    assert [idea["id"] for idea in item["ideas"]] == [str(idea) for idea in ideas[:5]]
    assert item["ideas"][0]["title"] == "Idea number 0"
    assert item["ideas"] == sorted(item["ideas"], key=lambda idea: str(idea["since"]))
    steps = ("competing", "accepted", "in_progress", "complete")
    for idea, taken in zip(ideas[:3], (1, 2, 4), strict=True):
        for step in steps[:taken]:
            assert (await world.step(world.manager, idea, step)).is_success
    # competing ideas are decided after the end
    assert counts(await todo(world)) == {"approve": 4, "start": 1, "report": 1}
    value = {
        "kind": "realised_value",
        "amount": "5.00",
        "currency": "EUR",
        "valued_on": "2026-01-31",
        "source": "a count",
    }
    assert (await world.call(world.manager, "POST", f"/ideas/{ideas[2]}/valuations", json=value)).is_success
    assert counts(await todo(world)) == {"approve": 4, "start": 1}


async def test_an_idea_waits_for_its_author_while_changes_are_asked_for(
    application: FastAPI, client: AsyncClient
) -> None:
    world = await make_world(application, client, members=1, is_mediated=True)
    idea = await world.submit(world.members[0])
    asked = await world.call(world.manager, "POST", f"/ideas/{idea}/change-requests", json={"text": "Where?"})
    assert asked.is_success, asked.text
    assert await todo(world) == {"items": [], "deadlines": []}
    await world.call(world.members[0], "PATCH", f"/ideas/{idea}", json={"title": "Racks by the main door"})
    assert counts(await todo(world)) == {"approve": 1}


async def test_questions_wait_until_a_manager_or_moderator_replies(application: FastAPI, client: AsyncClient) -> None:
    world = await make_world(application, client, members=3)
    idea = await world.submit(world.members[0])

    async def comment(user: User, text: str, **fields: Any) -> str:
        response = await world.call(user, "POST", f"/ideas/{idea}/comments", json={"text": text, **fields})
        assert response.status_code == 201, response.text
        made: str = response.json()["id"]
        return made

    await comment(world.members[1], "A good idea.")
    assert counts(await todo(world)) == {}
    questions = [await comment(world.members[1], text) for text in ("Who pays?", "And when?")]
    [item] = (await todo(world))["items"]
    assert (item["work"], item["count"], [each["id"] for each in item["ideas"]]) == ("answer", 1, [str(idea)])
    await comment(world.members[0], "I do not know.", parent_id=questions[0])
    await comment(world.manager, "The city.", parent_id=questions[0])
    assert counts(await todo(world)) == {"answer": 1}, "the second question waits"
    promoted = await world.call(
        world.manager, "PUT", f"/campaigns/{{id}}/members/{world.members[2].id}/role?role=moderator"
    )
    assert promoted.is_success
    await comment(world.members[2], "Next year.", parent_id=questions[1])
    assert counts(await todo(world)) == {}
    await comment(world.members[1], "Really?")
    assert (await world.step(world.manager, idea, "rejected", "Not now")).is_success
    assert counts(await todo(world)) == {}, "the idea is decided"


async def test_overdue_milestones_and_requests_to_join_wait(application: FastAPI, client: AsyncClient) -> None:
    world = await make_world(application, client, members=1, join_policy="by_request")
    idea = await world.submit(world.members[0])
    await world.step(world.manager, idea, "accepted")
    for due in (NOW - timedelta(days=3), NOW + timedelta(days=3)):
        body = {"title": "Order the racks", "due_on": due.date().isoformat()}
        made = await world.call(world.manager, "POST", f"/ideas/{idea}/milestones", json=body)
        assert made.status_code == 201, made.text
    requested = await world.call(await commit_user(application), "POST", "/campaigns/{id}/join-requests", json={})
    assert requested.status_code == 201, requested.text
    found = await todo(world)
    assert counts(found) == {"admit": 1, "start": 1, "deliver": 1}
    admit, _, deliver = found["items"]
    assert admit["ideas"] == []
    assert datetime.fromisoformat(deliver["since"]).date() == (NOW - timedelta(days=3)).date()


async def test_ideas_are_to_be_decided_after_the_end(application: FastAPI, client: AsyncClient) -> None:
    world = await make_world(application, client, members=1)
    await world.submit(world.members[0])
    end = NOW - timedelta(minutes=5)
    await world.call(world.manager, "PATCH", "/campaigns/{id}", json={"ends_at": end.isoformat()})
    [item] = (await todo(world))["items"]
    assert (item["work"], item["count"]) == ("decide", 1)
    assert datetime.fromisoformat(item["ideas"][0]["since"]) == end


async def test_deadlines_are_those_to_come(application: FastAPI, client: AsyncClient) -> None:
    days = [NOW + timedelta(days=n) for n in range(-1, 4)]
    world = await make_world(
        application, client, members=1, policy={"allocate_until": days[2]},
        starts_at=days[0], submissions_close_at=days[1] + timedelta(hours=1), ends_at=days[3], decide_by=days[4],
    )  # fmt: skip
    names = [each["name"] for each in (await todo(world))["deadlines"]]
    assert names == ["submissions_close_at", "allocate_until", "ends_at", "decide_by"]


async def test_members_do_not_read_it(application: FastAPI, client: AsyncClient) -> None:
    world = await make_world(application, client, members=1)
    assert_problem(await world.call(world.members[0], "GET", "/campaigns/{id}/todo"), 403, "not-a-manager")
    async with parts(application).database.session() as session:
        campaign = await campaigns.get_campaign(session, world.campaign_id)
        campaign.visibility = "members"
    other = world.members[0]
    await world.call(other, "POST", "/campaigns/{id}/leave")
    assert_problem(await world.call(other, "GET", "/campaigns/{id}/todo"), 404, "campaign-not-found")
