"""The figures by which lists are ordered, which triggers keep, and the number of ideas of long lists."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import text

from api.ideas.handlers import end_coin_days
from api.ideas.lists import counts as counting
from api.ideas.lists import statements
from api.ideas.lists.counts import Counts
from tests.factories.campaigns import World, make_world, submit_many
from tests.factories.containers import parts
from tests.factories.idea_lists import find_ideas, list_ideas
from tests.factories.ledgers import aggregate_now

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient

_FIGURES = text(
    "SELECT coins, backers, trend_coins, comments, next_due_on::text FROM app.idea_figures WHERE idea_id = :id"
)


@pytest.fixture
async def world(application: FastAPI, client: AsyncClient) -> World:
    return await make_world(application, client)


async def figures(world: World, idea: UUID, *, aggregate: bool = True) -> tuple[Any, ...]:
    database = parts(world.app).database
    if aggregate:
        await aggregate_now(database)
    async with database.session() as session:
        return tuple((await session.execute(_FIGURES, {"id": idea})).one())


class TestCoins:
    async def test_follow_every_movement_and_stay_after_a_settlement(self, world: World) -> None:
        ann, bob, cyd = world.members
        idea, other = await world.submit(ann), await world.submit(ann, "Another idea")
        assert await figures(world, idea) == (0, 0, 0, 0, "infinity")
        await world.allocate(bob, idea, 30)
        await world.allocate(cyd, idea, 5)
        assert (await figures(world, idea))[:3] == (35, 2, 35)
        await world.reallocate(bob, idea, other, 10)
        await world.reallocate(cyd, idea, None, 5)
        assert (await figures(world, idea))[:3] == (20, 1, 20)
        assert (await figures(world, other))[:3] == (10, 1, 10)
        assert (await world.step(world.manager, idea, "accepted")).is_success
        assert (await figures(world, idea, aggregate=False))[:3] == (20, 1, 20)
        assert (await figures(world, idea))[:3] == (20, 1, 20)
        assert (await world.step(world.manager, idea, "competing", "Too early.")).is_success
        assert (await figures(world, idea))[:3] == (20, 1, 20)

    async def test_of_a_week_ago_leave_the_trend(self, world: World, admin_url: str) -> None:
        idea = await world.submit(world.members[0])
        await world.allocate(world.members[1], idea, 30)
        assert (await figures(world, idea))[:3] == (30, 1, 30)
        database = parts(world.app).database
        for days, trend in ((6, 30), (1, 0)):
            async with await psycopg.AsyncConnection.connect(admin_url, autocommit=True) as connection:
                await connection.execute(
                    "UPDATE app.idea_coin_days SET counted_on = counted_on - %s::integer WHERE idea_id = %s",
                    (days, idea),
                )
            await end_coin_days(database)
            assert (await figures(world, idea))[:3] == (30, 1, trend)


class TestActivity:
    async def test_counts_comments_that_all_readers_see(self, world: World) -> None:
        idea = await world.submit(world.members[0])
        made = await asyncio.gather(
            *(
                world.call(user, "POST", f"/ideas/{idea}/comments", json={"text": "Where is it?"})
                for user in world.members
            )
        )
        ids = [response.json()["id"] for response in made]
        assert (await figures(world, idea))[3] == 3
        await world.call(world.manager, "POST", f"/ideas/{idea}/notes", json={"text": "Ask the city."})
        await world.call(world.members[0], "DELETE", f"/ideas/{idea}/comments/{ids[0]}")
        assert (await figures(world, idea))[3] == 2
        hiding = f"/ideas/{idea}/comments/{ids[1]}/hiding"
        assert (await world.call(world.manager, "PUT", hiding, json={"reason": "It names a person."})).is_success
        assert (await figures(world, idea))[3] == 1
        assert (await world.call(world.manager, "DELETE", hiding)).is_success
        assert (await figures(world, idea))[3] == 2

    async def test_has_the_first_open_milestone(self, world: World) -> None:
        idea = await world.submit(world.members[0])
        assert (await world.step(world.manager, idea, "accepted")).is_success
        ids: dict[str, str] = {}
        for day in ("2026-05-02", "2026-05-01"):
            made = await world.call(
                world.manager, "POST", f"/ideas/{idea}/milestones", json={"title": "Order", "due_on": day}
            )
            assert made.status_code == 201, made.text
            ids = {milestone["due_on"]: milestone["id"] for milestone in made.json()["milestones"]}
        assert (await figures(world, idea))[4] == "2026-05-01"
        await world.call(
            world.manager, "PATCH", f"/ideas/{idea}/milestones/{ids['2026-05-01']}", json={"done_on": "2026-04-01"}
        )
        assert (await figures(world, idea))[4] == "2026-05-02"
        await world.call(world.manager, "DELETE", f"/ideas/{idea}/milestones/{ids['2026-05-02']}")
        assert (await figures(world, idea))[4] == "infinity"


class TestRandomOrder:
    async def test_is_the_same_in_blocks_of_any_size(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(statements, "_IN_BLOCKS_MIN", 0)
        ideas = await submit_many(world, 40)
        async with parts(world.app).database.session() as session:

            async def order(seed: str, blocks: int) -> list[str]:
                counts = Counts()
                monkeypatch.setattr(counts, "last", lambda _: blocks * 64)
                found, after = [], None
                while True:
                    page = await find_ideas(
                        session, world.campaign_id, "", user_id=world.manager.id, role="manager", sort="random", seed=seed,
                        limit=7, after=after, counts=counts,
                    )  # fmt: skip
                    found += [part.split('"')[0] for part in page.items.split('{"id":"')[1:]]
                    if page.last is None:
                        return found
                    after = (int(page.last[0]), page.last[1])

            for seed in ("a", "b"):
                whole = await order(seed, 1)
                assert sorted(whole) == sorted(map(str, ideas))
                for blocks in (2, 8, 1024):
                    assert statements._block_count_bits(blocks * 64) == blocks.bit_length() - 1
                    assert await order(seed, blocks) == whole


class TestCounts:
    async def test_of_long_lists_are_kept_for_a_while(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(counting, "LONG_LIST_MIN", 2)
        now = [0.0]
        counts = Counts(lambda: now[0])
        await submit_many(world, 2)
        async with parts(world.app).database.session() as session:

            async def total(query: str = "") -> int:
                found = await find_ideas(
                    session, world.campaign_id, query, user_id=world.manager.id, role="manager", counts=counts
                )
                return found.total

            assert [await total(), await total("status:pending")] == [2, 0]
            await submit_many(world, 1)
            assert await total() == 2
            now[0] += counting.KEPT_S
            assert [await total(), await total()] == [3, 3]
            assert len(await list_ideas(session, world.campaign_id, user_id=uuid4())) == 3

    def test_one_caller_counts_again(self) -> None:
        now = [0.0]
        counts = Counts(lambda: now[0])
        counts.keep("list", counting.LONG_LIST_MIN)
        counts.keep("short", 5)
        assert [counts.find("list"), counts.find("short"), counts.last("short")] == [counting.LONG_LIST_MIN, None, 5]
        now[0] += counting.KEPT_S
        assert [counts.find("list"), counts.find("list")] == [None, counting.LONG_LIST_MIN]

    def test_are_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(counting, "LISTS_MAX", 2)
        counts = Counts()
        for n in range(3):
            counts.keep(n, counting.LONG_LIST_MIN + n)
        assert [counts.last(n) > 0 for n in range(3)] == [False, True, True]
