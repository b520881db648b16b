"""Refusals of the coin policy over HTTP, as members and managers see them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tests.factories.campaigns import make_world

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient

PAST, FUTURE = "2020-01-01T00:00:00Z", "2190-01-01T00:00:00Z"


async def test_an_acceptance_without_support_names_what_is_missing(application: FastAPI, client: AsyncClient) -> None:
    world = await make_world(application, client, policy={"accept_threshold_coins": 50, "backers_min": 2})
    idea = await world.submit(world.members[0])
    await world.allocate(world.members[1], idea, 60)
    path, body = f"/ideas/{idea}/status", {"status": "accepted"}
    for dry_run in ("?dry_run=true", ""):
        refused = await world.call(world.manager, "POST", path + dry_run, json=body)
        problem = refused.json()
        assert (refused.status_code, problem["type"]) == (409, "urn:ideamint:problem:too-little-support")
        assert (problem["coins"], problem["backers"], problem["backers_min"]) == (60, 1, 2)
    assert (await world.call(world.manager, "GET", f"/ideas/{idea}")).json()["status"] == "competing"
    await world.allocate(world.members[2], idea, 1)
    assert (await world.call(world.manager, "POST", path, json=body)).is_success


async def test_an_early_acceptance_names_the_end_of_allocation(application: FastAPI, client: AsyncClient) -> None:
    world = await make_world(application, client, policy={"decision_mode": "at_close", "allocate_until": FUTURE})
    idea = await world.submit(world.members[0])
    refused = await world.call(world.manager, "POST", f"/ideas/{idea}/status", json={"status": "accepted"})
    problem = refused.json()
    assert (refused.status_code, problem["type"]) == (409, "urn:ideamint:problem:decision-too-early")
    assert datetime.fromisoformat(problem["closes_at"]) == datetime.fromisoformat(FUTURE)


async def test_a_bulk_acceptance_reports_it_for_each_idea(application: FastAPI, client: AsyncClient) -> None:
    world = await make_world(application, client, policy={"backers_min": 1})
    backed, other = await world.submit(world.members[0]), await world.submit(world.members[0], "Plant more trees")
    await world.allocate(world.members[1], backed, 5)
    body = {"idea_ids": [str(backed), str(other)], "action": "status", "status": "accepted"}
    done = await world.call(world.manager, "POST", "/campaigns/{id}/ideas/bulk", json=body)
    assert [(item["outcome"], item["problem"]) for item in done.json()["items"]] == [
        ("done", None), ("refused", "urn:ideamint:problem:too-little-support")
    ]  # fmt: skip


async def test_an_author_withdraws_in_time_only(application: FastAPI, client: AsyncClient) -> None:
    world = await make_world(application, client, policy={"author_withdraw_until": PAST})
    idea = await world.submit(world.members[0])
    refused = await world.call(world.members[0], "POST", f"/ideas/{idea}/status", json={"status": "withdrawn"})
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:ideamint:problem:withdrawn-too-late")


async def test_coins_that_moved_a_short_time_ago_say_when_they_can_move(
    application: FastAPI, client: AsyncClient
) -> None:
    world = await make_world(application, client, policy={"move_cooldown_s": 3600})
    idea = await world.submit(world.members[0])
    placed = (await world.allocate(world.members[1], idea, 60)).json()
    body = {"from_idea_id": str(idea), "to_idea_id": None, "coins": 1}
    refused = await world.call(world.members[1], "POST", "/campaigns/{id}/coins/reallocate", key="k", json=body)
    problem = refused.json()
    assert (refused.status_code, problem["type"]) == (409, "urn:ideamint:problem:cooling-down")
    moved, movable = (datetime.fromisoformat(at) for at in (placed["effective_at"], problem["movable_at"]))
    assert movable - moved == timedelta(hours=1)


async def test_who_joins_late_gets_no_coins(application: FastAPI, client: AsyncClient) -> None:
    world = await make_world(application, client, members=1, policy={"late_grant": "none", "allocation_opens_at": PAST})
    for person, granted in ((world.manager, 100), (world.members[0], 0)):
        balance = (await world.call(person, "GET", "/campaigns/{id}/coins/balance")).json()
        assert (balance["granted_coins"], balance["wallet_coins"]) == (granted, granted)
    body = {"items": [{"campaign_id": str(world.campaign_id), "user_id": str(world.members[0].id)}]}
    done = await world.call(world.manager, "POST", "/coins/bulk-allocate", key="k", json=body)
    assert [item["outcome"] for item in done.json()["items"]] == ["already_granted"]
