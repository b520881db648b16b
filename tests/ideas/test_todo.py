"""What a campaign's managers have to do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from api.campaigns import service as campaigns
from tests.auth.calls import assert_problem
from tests.factories.campaigns import World, make_world
from tests.factories.containers import parts

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient

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
