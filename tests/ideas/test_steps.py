"""Steps of ideas through the routes: their permissions, and their effects on the coins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from httpx2 import ASGITransport, AsyncClient

from api.ideas.steps import Status, find_step
from api.kernel import clock
from tests.factories.campaigns import World, event_kinds, make_world
from tests.factories.users import commit_user

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from fastapi import FastAPI

    from api.auth.models import User

# how an idea gets to a status
PATHS: dict[str, list[str]] = {
    "pending": [],
    "competing": ["competing"],
    "rejected": ["rejected"],
    "withdrawn": ["withdrawn"],
    "accepted": ["competing", "accepted"],
    "in_progress": ["competing", "accepted", "in_progress"],
    "complete": ["competing", "accepted", "in_progress", "complete"],
    "stopped": ["competing", "accepted", "stopped"],
}


@pytest_asyncio.fixture(scope="module")
async def mediated(application: FastAPI) -> AsyncIterator[World]:
    """A campaign in which every case has an idea of its own."""
    transport = ASGITransport(app=application, raise_app_exceptions=False)
    async with AsyncClient(transport=transport, base_url="http://testserver") as client:
        yield await make_world(application, client, members=1, is_mediated=True)


async def take(world: World, idea: UUID, status: str) -> tuple[int, dict[str, object]]:
    who = world.members[0] if status == "withdrawn" else world.manager
    response = await world.step(who, idea, status, reason="A reason for the author.")
    return response.status_code, response.json()


async def idea_in(world: World, status: str) -> UUID:
    idea = await world.submit(world.members[0])
    for step in PATHS[status]:
        assert (await take(world, idea, step))[0] == 200
    return idea


class TestSteps:
    @pytest.mark.parametrize("source", PATHS)
    async def test_every_step_succeeds_or_is_refused(self, mediated: World, source: str) -> None:
        """A refused step leaves the idea for the next one; each that succeeds has an idea of its own."""
        world, idea = mediated, None
        targets = [status for status in PATHS if status != "pending"]
        for target in sorted(targets, key=lambda target: find_step(Status(source), Status(target)) is not None):
            if idea is None:
                idea = await idea_in(world, source)
            code, document = await take(world, idea, target)
            if find_step(Status(source), Status(target)):
                assert (code, document["status"]) == (200, target)
                idea = None
            else:
                assert (code, document["type"]) == (409, "urn:ideamint:problem:illegal-step")
                assert (document["from_status"], document["to_status"]) == (source, target)

    async def test_require_their_permission(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        for who, status in (
            (world.manager, "withdrawn"),
            (world.members[1], "withdrawn"),
            (world.members[0], "accepted"),
        ):
            refused = await world.step(who, idea, status)
            assert (refused.status_code, refused.json()["type"]) == (403, "urn:ideamint:problem:step-not-allowed")

    async def test_a_rejection_requires_a_reason(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        refused = await world.step(world.manager, idea, "rejected")
        assert (refused.status_code, refused.json()["type"]) == (422, "urn:ideamint:problem:reason-missing")
        assert (await world.step(world.manager, idea, "rejected", "It exists already.")).json()["reason"] == (
            "It exists already."
        )

    async def test_are_recorded_in_history_and_events(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        for status in ("accepted", "in_progress", "complete"):
            await world.step(world.manager, idea, status)
        history = (await world.call(world.members[1], "GET", f"/ideas/{idea}/history")).json()["items"]
        assert [(step["from_status"], step["to_status"]) for step in reversed(history)] == [
            (None, "competing"), ("competing", "accepted"), ("accepted", "in_progress"), ("in_progress", "complete"),
        ]  # fmt: skip
        kinds = ["idea_submitted", "idea_accepted", "idea_started", "idea_completed"]
        assert await event_kinds(application, idea) == kinds


class TestCoinsOnSteps:
    async def test_expire_on_acceptance(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        await world.allocate(world.members[1], idea, 60)
        accepted = (await world.step(world.manager, idea, "accepted")).json()
        assert (accepted["coins"], accepted["backers"]) == (60, 1)
        balance = await world.balance(world.members[1])
        assert (balance["wallet_coins"], balance["staked_coins"], balance["expired_coins"]) == (40, 0, 60)
        refused = await world.allocate(world.members[1], idea, 1)
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:ideamint:problem:idea-not-open")

    @pytest.mark.parametrize("status", ["withdrawn", "rejected"])
    async def test_are_returned_on(self, application: FastAPI, client: AsyncClient, status: str) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        await world.allocate(world.members[1], idea, 60)
        who = world.members[0] if status == "withdrawn" else world.manager
        assert (await world.step(who, idea, status, "For a reason.")).status_code == 200
        balance = await world.balance(world.members[1])
        assert (balance["wallet_coins"], balance["returned_coins"]) == (100, 60)

    async def test_expire_at_the_end(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        await world.allocate(world.members[1], idea, 60)
        await world.call(world.manager, "POST", "/campaigns/{id}/complete")
        found = (await world.call(world.members[1], "GET", f"/ideas/{idea}")).json()
        assert (found["status"], found["coins"], found["my_stake_coins"]) == ("not_selected", 60, 60)
        balance = await world.balance(world.members[1])
        assert (balance["wallet_coins"], balance["expired_coins"]) == (0, 100)
        refused = await world.call(world.members[1], "POST", "/campaigns/{id}/join")
        assert refused.status_code == 409


class TestUndo:
    async def test_restores_the_expired_coins(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        await world.allocate(world.members[1], idea, 60)
        await world.allocate(world.members[2], idea, 10)
        await world.step(world.manager, idea, "accepted")
        undone = await world.step(world.manager, idea, "competing", "Accepted by mistake.")
        assert (undone.json()["status"], undone.json()["coins"], undone.json()["backers"]) == ("competing", 70, 2)
        balance = await world.balance(world.members[1])
        assert (balance["wallet_coins"], balance["staked_coins"], balance["expired_coins"]) == (40, 60, 0)
        assert (await world.allocate(world.members[1], idea, 5)).status_code == 201
        again = await world.step(world.manager, idea, "accepted")
        assert (again.json()["coins"], (await world.balance(world.members[1]))["expired_coins"]) == (75, 65)

    async def test_is_possible_only_within_the_window_of_the_policy(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client, policy={"undo_window_h": 0})
        idea = await world.submit(world.members[0])
        await world.step(world.manager, idea, "accepted")
        refused = await world.step(world.manager, idea, "competing", "Accepted by mistake.")
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:ideamint:problem:undo-window-over")


class TestDryRun:
    async def test_returns_the_outcome_and_writes_nothing(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        await world.allocate(world.members[1], idea, 60)
        simulated = await world.call(
            world.manager, "POST", f"/ideas/{idea}/status", params={"dry_run": True}, json={"status": "accepted"}
        )
        assert (simulated.json()["status"], simulated.json()["coins"]) == ("accepted", 60)
        assert (await world.call(world.manager, "GET", f"/ideas/{idea}")).json()["status"] == "competing"
        over = await world.call(world.manager, "POST", "/campaigns/{id}/complete", params={"dry_run": True})
        assert (over.json()["status"], over.json()["effects"]) == (
            "completed",
            {"ideas": 1, "coins": 400, "members": 4},
        )
        assert (await world.call(world.manager, "GET", "/campaigns/{id}")).json()["status"] == "active"
        assert (await world.balance(world.members[1]))["staked_coins"] == 60


class TestNextStatuses:
    async def test_are_those_that_the_caller_may_set(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, is_mediated=True)
        author, other = world.members[0], world.members[1]
        admin = await commit_user(application, roles=["system_admin"])
        executive = await commit_user(application, roles=["executive"])
        idea = await world.submit(author)

        async def following(user: User) -> list[str]:
            found = (await world.call(user, "GET", f"/ideas/{idea}")).json()["next_statuses"]
            listed = (await world.call(user, "GET", "/campaigns/{id}/ideas")).json()["items"]
            assert [each["next_statuses"] for each in listed if each["id"] == str(idea)] == [found]
            return sorted(found)

        assert await following(author) == ["withdrawn"]
        assert await following(world.manager) == await following(admin) == ["competing", "rejected"]
        assert await following(executive) == []
        await world.step(world.manager, idea, "competing")
        assert await following(other) == []
        assert await following(world.manager) == ["accepted", "rejected"]
        await world.call(author, "POST", "/campaigns/{id}/leave")
        assert await following(author) == [], "only a member can withdraw"

    async def test_depend_on_the_phase_and_the_undo_window(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, policy={"undo_window_h": 1})
        first, second = await world.submit(world.members[0]), await world.submit(world.members[0])
        accepted = (await world.step(world.manager, first, "accepted")).json()
        assert sorted(accepted["next_statuses"]) == ["competing", "in_progress", "stopped"]
        with clock.at(datetime.now(UTC) + timedelta(hours=2)):
            late = (await world.call(world.manager, "GET", f"/ideas/{first}")).json()
        assert sorted(late["next_statuses"]) == ["in_progress", "stopped"]
        await world.call(world.manager, "PATCH", "/campaigns/{id}", json={"ends_at": "2026-01-01T00:00:00Z"})
        assert (await world.call(world.members[0], "GET", f"/ideas/{second}")).json()["next_statuses"] == []
        closed = (await world.call(world.manager, "GET", f"/ideas/{second}")).json()["next_statuses"]
        assert sorted(closed) == ["accepted", "rejected"]
        await world.call(world.manager, "POST", "/campaigns/{id}/complete")
        over = (await world.call(world.manager, "GET", f"/ideas/{first}")).json()["next_statuses"]
        assert sorted(over) == ["in_progress", "stopped"], "delivery goes on after the campaign"


class TestCompletion:
    async def test_a_dry_run_states_what_the_command_then_changes(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client, is_mediated=True)
        made = [await world.submit(world.members[0]) for _ in range(4)]
        for idea in made[1:]:
            await world.step(world.manager, idea, "competing")
        await world.allocate(world.members[1], made[1], 60)
        await world.allocate(world.members[2], made[2], 100)
        await world.step(world.manager, made[2], "accepted")
        path = "/campaigns/{id}/complete"
        stated = (await world.call(world.manager, "POST", path, params={"dry_run": True})).json()["effects"]
        assert stated == {"ideas": 3, "coins": 300, "members": 3}
        assert (await world.call(world.manager, "POST", path)).json()["effects"] == stated
        listed = (await world.call(world.manager, "GET", "/campaigns/{id}/ideas")).json()["items"]
        assert [idea["status"] for idea in listed].count("not_selected") == stated["ideas"]
