"""Material edits: who marks them, what backers may do afterwards, and what waits."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from api.coins import service as coins
from tests.auth.calls import problem
from tests.factories.campaigns import World, event_kinds, make_world
from tests.factories.ledgers import end_graces

if TYPE_CHECKING:
    from uuid import UUID

    from fastapi import FastAPI
    from httpx2 import AsyncClient, Response

    from api.auth.models import User
    from api.kernel.db import Database

LARGER = {"title": "Twice as many bicycle racks", "reason": "It costs more."}


async def backed(application: FastAPI, client: AsyncClient, **policy: Any) -> tuple[World, UUID]:
    """An idea of member 0 with 30 coins of member 1."""
    world = await make_world(application, client, policy=policy)
    idea = await world.submit(world.members[0])
    assert (await world.allocate(world.members[1], idea, 30)).status_code == 201
    return world, idea


async def edit(world: World, user: User, idea: object, **body: Any) -> Response:
    return await world.call(user, "PATCH", f"/ideas/{idea}", json=body)


async def mark(world: World, user: User, idea: object, version: int, **query: Any) -> Response:
    body = {"reason": "It costs more."}
    return await world.call(user, "POST", f"/ideas/{idea}/versions/{version}/material", json=body, params=query)


async def take_back(world: World, user: User, idea: UUID, coins: int, into: UUID | None = None) -> Response:
    body = {"from_idea_id": str(idea), "to_idea_id": str(into) if into else None, "coins": coins}
    return await world.call(user, "POST", "/campaigns/{id}/coins/reallocate", json=body, key=f"{idea}-{coins}-{into}")


class TestMark:
    async def test_a_manager_marks_their_edit(self, application: FastAPI, client: AsyncClient) -> None:
        world, idea = await backed(application, client, grace_h=2)
        edited = await edit(world, world.manager, idea, **LARGER, is_material=True)
        assert edited.status_code == 200, edited.text
        until = datetime.fromisoformat(edited.json()["grace_until"])
        assert timedelta(hours=1, minutes=50) < until - datetime.now(UTC) <= timedelta(hours=2)
        found = (await world.call(world.members[2], "GET", f"/ideas/{idea}/versions/2")).json()
        assert (found["is_material"], found["material_reason"], found["grace_until"]) == (
            True, "It costs more.", edited.json()["grace_until"],
        )  # fmt: skip
        assert (await event_kinds(application, idea)).count("idea_marked_material") == 1

    async def test_a_manager_marks_the_latest_edit_of_the_author(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world, idea = await backed(application, client)
        assert (await edit(world, world.members[0], idea, title=LARGER["title"])).is_success
        simulated = await mark(world, world.manager, idea, 2, dry_run=True)
        assert simulated.json()["is_material"] is True
        assert (await world.call(world.manager, "GET", f"/ideas/{idea}")).json()["grace_until"] is None
        marked = await mark(world, world.manager, idea, 2)
        assert (marked.status_code, marked.json()["is_material"]) == (200, True)
        assert problem(await mark(world, world.manager, idea, 2)) == (409, "not-markable")
        listed = (await world.call(world.members[1], "GET", f"/ideas/{idea}/versions")).json()["items"]
        assert [version["is_material"] for version in listed] == [True, False]

    async def test_only_the_latest_edit_of_a_competing_idea_is_marked(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world, idea = await backed(application, client)
        assert problem(await mark(world, world.manager, idea, 1)) == (409, "not-markable")
        for title in ("Twice as many racks", "Three times as many racks"):
            assert (await edit(world, world.members[0], idea, title=title)).is_success
        assert problem(await mark(world, world.manager, idea, 2)) == (409, "not-markable")
        assert (await world.step(world.manager, idea, "accepted")).is_success
        assert problem(await mark(world, world.manager, idea, 3)) == (409, "not-markable")
        refused = await edit(world, world.manager, idea, title="Four", reason="More", is_material=True)
        assert problem(refused) == (409, "not-markable")

    async def test_is_for_managers_with_a_reason(self, application: FastAPI, client: AsyncClient) -> None:
        world, idea = await backed(application, client)
        author = world.members[0]
        assert problem(await edit(world, author, idea, **LARGER, is_material=True)) == (403, "step-not-allowed")
        own = await world.submit(world.manager)
        unexplained = await edit(world, world.manager, own, title=LARGER["title"], is_material=True)
        assert problem(unexplained) == (422, "reason-missing")
        assert (await edit(world, author, idea, title=LARGER["title"])).is_success
        assert (await mark(world, author, idea, 2)).status_code == 403

    async def test_an_edit_that_changes_nothing_is_refused(self, application: FastAPI, client: AsyncClient) -> None:
        world, idea = await backed(application, client)
        title = (await world.call(world.manager, "GET", f"/ideas/{idea}")).json()["title"]
        same = await edit(world, world.manager, idea, title=title, reason="Nothing", is_material=True)
        assert problem(same) == (409, "not-markable")


class TestBackers:
    @pytest.mark.parametrize("is_over", [False, True], ids=["in the window", "after the end"])
    async def test_take_coins_back_and_move_them_in_the_window_only(
        self, application: FastAPI, client: AsyncClient, *, is_over: bool
    ) -> None:
        world, idea = await backed(application, client, take_back=False)
        other, backer = await world.submit(world.members[0], "Another idea"), world.members[1]
        assert (await world.allocate(backer, other, 10)).status_code == 201
        assert problem(await take_back(world, backer, idea, 5)) == (409, "take-back-refused")
        if is_over:
            past = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
            assert (await world.call(world.manager, "PATCH", "/campaigns/{id}", json={"ends_at": past})).is_success
            assert problem(await take_back(world, backer, idea, 6)) == (409, "allocation-window-closed")
        assert (await edit(world, world.manager, idea, **LARGER, is_material=True)).is_success
        assert (await take_back(world, backer, idea, 10)).status_code == 201
        moved = await take_back(world, backer, idea, 10, other)
        assert (problem(moved) == (409, "allocation-window-closed")) if is_over else (moved.status_code == 201)
        assert not (await take_back(world, backer, other, 3)).is_success
        found = (await world.call(backer, "GET", f"/ideas/{idea}/changes-since-my-stake")).json()
        assert found["my_stake_coins"] == found["free_coins"] == (20 if is_over else 10)

    async def test_see_what_changed_since_their_stake(self, application: FastAPI, client: AsyncClient) -> None:
        world, idea = await backed(application, client)
        path = f"/ideas/{idea}/changes-since-my-stake"
        backer, stranger = world.members[1:]
        before = (await world.call(backer, "GET", path)).json()
        assert (before["versions"], before["diff"]["from_version"], before["grace_until"]) == ([], 1, None)
        assert (await edit(world, world.manager, idea, **LARGER, is_material=True)).is_success
        assert (await edit(world, world.members[0], idea, title="Many more bicycle racks")).is_success
        found = (await world.call(backer, "GET", path)).json()
        assert [(each["version"], each["is_material"]) for each in found["versions"]] == [(3, False), (2, True)]
        assert (found["diff"]["from_version"], found["diff"]["to_version"]) == (1, 3)
        assert (found["my_stake_coins"], found["free_coins"]) == (30, 30)
        assert found["grace_until"] is not None
        assert (await world.allocate(backer, idea, 5)).status_code == 201
        later = (await world.call(backer, "GET", path)).json()
        assert (later["versions"], later["diff"]["from_version"], later["free_coins"]) == ([], 3, 30)
        none = (await world.call(stranger, "GET", path)).json()
        assert (none["my_stake_coins"], none["put_at"], none["free_coins"], none["versions"]) == (0, None, 0, [])


class TestDecisions:
    async def test_do_not_include_a_withdrawal(self, application: FastAPI, client: AsyncClient) -> None:
        """It is the author's, and gives all backers their coins."""
        world, idea = await backed(application, client)
        assert (await edit(world, world.manager, idea, **LARGER, is_material=True)).is_success
        assert (await world.step(world.members[0], idea, "withdrawn")).is_success
        assert (await world.balance(world.members[1]))["wallet_coins"] == 100

    @pytest.mark.parametrize("status", ["accepted", "rejected"])
    async def test_wait_for_the_end(
        self, application: FastAPI, client: AsyncClient, admin_url: str, status: str
    ) -> None:
        world, idea = await backed(application, client)
        until = (await edit(world, world.manager, idea, **LARGER, is_material=True)).json()["grace_until"]
        who = world.manager
        refused = await world.step(who, idea, status, "Not this year")
        assert problem(refused) == (409, "grace-running")
        assert datetime.fromisoformat(refused.json()["grace_until"]) == datetime.fromisoformat(until)
        assert (await world.call(who, "GET", f"/ideas/{idea}")).json()["status"] == "competing"
        await end_graces(admin_url, idea)
        assert (await world.step(who, idea, status, "Not this year")).json()["status"] == status

    async def test_in_bulk_are_refused_for_this_idea_only(self, application: FastAPI, client: AsyncClient) -> None:
        world, idea = await backed(application, client)
        other = await world.submit(world.members[0], "Another idea")
        assert (await edit(world, world.manager, idea, **LARGER, is_material=True)).is_success
        body = {"action": "reject", "idea_ids": [str(idea), str(other)], "reason": "Not this year"}
        done = (await world.call(world.manager, "POST", "/campaigns/{id}/ideas/bulk", json=body)).json()
        problems = [item["problem"] for item in done["items"]]
        assert problems == ["urn:ideamint:problem:grace-running", None]

    async def test_do_not_wait_for_an_idea_without_coins(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        assert (await edit(world, world.manager, idea, **LARGER, is_material=True)).json()["grace_until"] is None
        assert (await world.step(world.manager, idea, "accepted")).is_success


class TestConcurrency:
    async def test_an_acceptance_and_a_mark_at_the_same_time_do_not_both_succeed(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        for _ in range(4):
            world, idea = await backed(application, client)
            assert (await edit(world, world.members[0], idea, title=LARGER["title"])).is_success
            accepted, marked = await asyncio.gather(
                world.step(world.manager, idea, "accepted"), mark(world, world.manager, idea, 2)
            )
            assert sorted((accepted.status_code, marked.status_code)) == [200, 409]
            problems = [problem(each)[1] for each in (accepted, marked) if not each.is_success]
            assert problems in (["grace-running"], ["not-markable"])

    async def test_coins_that_move_during_the_edit_are_counted_once(
        self, application: FastAPI, client: AsyncClient, db: Database
    ) -> None:
        """A movement is before the grace time or after it: what came after is not free."""
        world, idea = await backed(application, client, take_back=False)
        backer = world.members[1]
        moved, edited = await asyncio.gather(
            world.allocate(backer, idea, 7), edit(world, world.manager, idea, **LARGER, is_material=True)
        )
        assert (moved.status_code, edited.status_code) == (201, 200)
        free = (await world.call(backer, "GET", f"/ideas/{idea}/changes-since-my-stake")).json()["free_coins"]
        assert free in {30, 37}
        assert problem(await take_back(world, backer, idea, free + 1)) in {
            (409, "take-back-refused"), (409, "insufficient-coins"),
        }  # fmt: skip
        assert (await take_back(world, backer, idea, free)).status_code == 201
        async with db.session() as session:
            (conservation,) = await coins.verify(session, world.campaign_id)
        assert conservation.holds
