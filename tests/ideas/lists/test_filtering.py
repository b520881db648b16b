"""`GET /campaigns/{id}/ideas/filter`: each key, the orders and their pages, and who sees what."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
import pytest_asyncio
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import text

from api.ideas.lists.grammar import SORTS
from tests.factories.campaigns import DESCRIPTION, World, make_world
from tests.factories.containers import parts
from tests.factories.ledgers import aggregate_now

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI
    from httpx2 import Response

    from api.auth.models import User

TITLES = ("Apple trees", "Bicycle racks", "Cheaper canteen", "Dark corners", "Evening concerts", "Forgotten garden")


class Place:
    """A campaign with six ideas that differ in everything; each is named by the first letter of its title."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ids: dict[str, UUID] = {}

    async def filter(self, user: User, **query: Any) -> Response:
        return await self.world.call(user, "GET", "/campaigns/{id}/ideas/filter", params=query)

    async def found(self, user: User, **query: Any) -> str:
        """The first letters of the titles, in the order of the list."""
        response = await self.filter(user, **query)
        assert response.status_code == 200, response.text
        body = response.json()
        assert body["total"] == len(body["items"])
        return "".join(idea["title"][0] for idea in body["items"])


@pytest_asyncio.fixture(scope="module")
async def place(application: FastAPI) -> AsyncIterator[Place]:
    """The place, which no test changes."""
    transport = ASGITransport(app=application, raise_app_exceptions=False)
    async with AsyncClient(transport=transport, base_url="http://testserver") as client:
        yield await make_place(application, client)


async def make_place(application: FastAPI, client: AsyncClient) -> Place:
    world = await make_world(application, client, is_mediated=True)
    place = Place(world)
    ann, bob, cyd = world.members
    manager = world.manager
    green = (await world.call(manager, "POST", "/campaigns/{id}/tags", json={"name": "Green city"})).json()["id"]
    for name, parent in (("Trees", green), ("Roads", None)):
        made = await world.call(manager, "POST", "/campaigns/{id}/tags", json={"name": name, "parent_id": parent})
        assert made.status_code == 201, made.text
    tags = {"A": ["Trees"], "B": ["Roads"], "C": ["Green city", "Roads"], "E": ["Trees"]}
    for n, title in enumerate(TITLES):
        body = {
            "title": title, "description": DESCRIPTION + (" With benches." if n % 2 else ""), "tags": tags.get(title[0], []),
            **({"category": "Roads"} if title[0] == "D" else {}),
            **({"location": {"latitude": 52.0, "longitude": 21.0}} if title[0] == "A" else {}),
        }  # fmt: skip
        made = await world.call((ann, ann, bob, bob, cyd, ann)[n], "POST", "/campaigns/{id}/ideas", json=body)
        assert made.status_code == 201, made.text
        place.ids[title[0]] = UUID(made.json()["id"])
    for letter in "ABCD":
        assert (await world.step(manager, place.ids[letter], "competing")).status_code == 200
    assert (await world.step(manager, place.ids["F"], "rejected", "Not this year.")).status_code == 200
    ids = place.ids
    for who, letter, coins in ((bob, "A", 30), (cyd, "A", 5), (cyd, "B", 10), (ann, "C", 7), (ann, "D", 1)):
        assert (await world.allocate(who, ids[letter], coins)).status_code == 201
    assert (await world.step(manager, ids["D"], "accepted")).status_code == 200
    await send(world, manager, "PUT", f"/ideas/{ids['D']}/owner", {"user_id": str(bob.id)})
    await send(world, manager, "POST", f"/ideas/{ids['D']}/milestones", {"title": "Order", "due_on": "2026-01-02"})
    await send(world, manager, "POST", f"/ideas/{ids['E']}/change-requests", {"text": "Say what it costs."})
    for amount, valued_on in (("900.00", "2026-01-01"), ("100.00", "2026-02-01")):
        value = {
            "kind": "expected_cost",
            "amount": amount,
            "currency": "EUR",
            "valued_on": valued_on,
            "source": "a quote",
        }
        await send(world, manager, "POST", f"/ideas/{ids['A']}/valuations", value)
    for _ in range(2):
        await send(world, ann, "POST", f"/ideas/{ids['C']}/comments", {"text": "Where is it?"})
    answer = await send(world, manager, "POST", f"/ideas/{ids['B']}/comments", {"text": "By the door."})
    await send(world, manager, "PUT", f"/ideas/{ids['B']}/official-answer", {"comment_id": answer["id"]})
    await send(world, cyd, "PUT", f"/ideas/{ids['C']}/following", None)
    made = await world.call(
        ann, "POST", f"/ideas/{ids['B']}/attachments", params={"name": "plan.txt"}, content=b"The plan."
    )
    assert made.status_code == 201, made.text
    async with parts(application).database.session() as session:
        # a day in January for each, in the order of the titles
        for n, letter in enumerate("ABCDEF"):
            await session.execute(
                text("UPDATE app.ideas SET submitted_at = :at WHERE id = :id"),
                {"at": datetime(2026, 1, 1 + n, 12, tzinfo=UTC), "id": ids[letter]},
            )
    await aggregate_now(parts(application).database)
    return place


async def send(world: World, user: User, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
    arguments: dict[str, Any] = {"json": body} if body is not None else {}
    response = await world.call(user, method, path, **arguments)
    assert response.is_success, response.text
    found: dict[str, Any] = response.json()
    return found


def of_manager() -> list[tuple[str, str]]:
    today = datetime.now(UTC).date()
    return [
        ("", "ABCDEF"),
        ("status:competing", "ABC"),
        ("status:pending,rejected", "EF"),
        ("-status:competing", "DEF"),
        ("tag:trees", "AE"),
        ("tag:GREEN\\ CITY", ""),
        ('tag:"green city"', "ACE"),
        ('tag:"green city",roads', "ABCE"),
        ('tag:"green city" tag:roads', "C"),
        ("-tag:roads", "ADEF"),
        ("category:roads", "D"),
        ("author:none", ""),
        ("author:me", ""),
        ("owner:none", "ABCEF"),
        ("-owner:none", "D"),
        ("has:owner", "D"),
        ("coins:>7", "AB"),
        ("coins:7..10", "BC"),
        ("coins:1", "D"),
        ("-coins:>0", "EF"),
        ("backers:2", "A"),
        ("comments:2", "C"),
        ("has:comments", "BC"),
        ("cost:100", "A"),
        ("cost:>=900", ""),
        ("-has:cost status:competing", "BC"),
        ("has:answer", "B"),
        ("has:attachments", "B"),
        ("has:location", "A"),
        ("has:tags", "ABCDE"),
        ("has:milestones", "D"),
        ("is:overdue", "D"),
        ("due:2026-01-02", "D"),
        ("due:>2026-01-02", ""),
        ("-due:..2026-12-31", "ABCEF"),
        ("is:waiting", "E"),
        ("is:followed", ""),
        ("created:2026-01-02..2026-01-04", "BCD"),
        ("-created:>=2026-01-03", "AB"),
        (f"decided:{today - timedelta(days=1)}..{today + timedelta(days=1)}", "DF"),
        ("decided:<@today-1d", ""),
        ("updated:>=@today-1d", "ABCDEF"),
        ("benches", "BDF"),
        ("-benches", "ACE"),
        ('"rees"', "A"),
        ("tag:trees status:pending -has:cost", "E"),
    ]


class TestFilter:
    async def test_finds_what_each_key_says(self, place: Place) -> None:
        for query, found in of_manager():
            if "\\" not in query:
                assert (query, await place.found(place.world.manager, q=query, sort="oldest")) == (query, found)

    async def test_refers_to_the_reader(self, place: Place) -> None:
        ann, bob, cyd = place.world.members
        for user, query, found in (
            (ann, "is:mine", "ABF"),
            (ann, "author:me", "ABF"),
            (bob, f"author:{ann.id}", "AB"),
            (bob, "owner:me", "D"),
            (cyd, "owner:me", ""),
            (cyd, "is:followed", "C"),
            (cyd, "is:backed", "AB"),
            (cyd, "is:backed,followed", "ABC"),
            (cyd, "is:backed -is:followed coins:>10", "A"),
            (cyd, "-is:mine", "ABCD"),
        ):
            assert (query, await place.found(user, q=query, sort="oldest")) == (query, found)

    async def test_shows_only_what_the_reader_may_see(self, place: Place) -> None:
        ann, bob, cyd = place.world.members
        for user, found in ((ann, "ABCDF"), (bob, "ABCD"), (cyd, "ABCDE"), (place.world.manager, "ABCDEF")):
            for query in (
                "",
                "-tag:nothing",
                "coins:>=0",
                "status:pending,rejected,competing,accepted",
                "-status:complete",
            ):
                assert (query, await place.found(user, q=query, sort="oldest")) == (query, found)
                assert sorted(await place.found(user, q=query, sort="random")) == sorted(found)

    async def test_has_a_parameter_for_each_key(self, place: Place) -> None:
        manager, ann = place.world.manager, place.world.members[0]
        for query, found in (
            ({"status": ["pending", "rejected"]}, "EF"),
            ({"not_status": "competing"}, "DEF"),
            ({"tag": ["trees", "roads"]}, "ABCE"),
            ({"all_tag": ["green city", "roads"]}, "C"),
            ({"is": "overdue"}, "D"),
            ({"not_has": ["cost", "owner"], "coins_min": 7}, "BC"),
            ({"created_from": "2026-01-02", "created_to": "2026-01-03"}, "BC"),
            ({"author": str(ann.id), "q": "status:competing"}, "AB"),
            ({"text": "BENCHES", "comments_min": "1"}, "B"),
            ({"cost_max": "100.00"}, "A"),
        ):
            assert (query, await place.found(manager, sort="oldest", **query)) == (query, found)

    async def test_responds_with_its_query(self, place: Place) -> None:
        response = await place.filter(place.world.manager, q="coins:>7 racks", tag="Roads", sort="newest")
        assert (response.json()["query"], response.json()["problem"]) == ("coins:8.. racks tag:Roads sort:newest", None)

    @pytest.mark.parametrize(
        ("query", "status", "slug"),
        [
            ({"q": "statu:competing"}, 422, "invalid-filter"),
            ({"q": "coins:1", "coins_max": "3"}, 422, "invalid-filter"),
            ({"status": "competng"}, 422, "validation"),
            ({"coins_min": "few"}, 422, "invalid-filter"),
            ({"coin_min": "1"}, 422, "unknown-parameter"),
            ({"cursor": "abc"}, 422, "invalid-input"),
            ({"view": "00000000-0000-7000-8000-000000000000"}, 404, "view-not-found"),
        ],
        ids=str,
    )
    async def test_refuses_what_it_cannot_read(
        self, place: Place, query: dict[str, Any], status: int, slug: str
    ) -> None:
        response = await place.filter(place.world.manager, **query)
        assert (response.status_code, response.json()["type"].rpartition(":")[2]) == (status, slug)


class TestOrder:
    @pytest.mark.parametrize(
        ("sort", "found"),
        [
            ("newest", "FEDCBA"),
            ("oldest", "ABCDEF"),
            ("title", "ABCDEF"),
            ("title-desc", "FEDCBA"),
            ("coins", "ABCD"),
            ("trend", "ABCD"),
            ("discussed", "CB"),
            ("deadline", "D"),
        ],
    )
    async def test_has_the_first_ideas_first(self, place: Place, sort: str, found: str) -> None:
        assert (await place.found(place.world.manager, sort=sort)).startswith(found)

    @pytest.mark.parametrize("sort", SORTS)
    async def test_has_each_idea_once_in_pages(self, place: Place, sort: str) -> None:
        whole, cursor, pages = await place.found(place.world.manager, sort=sort), None, ""
        for _ in range(3):
            query = {"sort": sort, "limit": 2} | ({"cursor": cursor} if cursor else {})
            page = (await place.filter(place.world.manager, **query)).json()
            pages += "".join(idea["title"][0] for idea in page["items"])
            cursor = page["next_cursor"]
            assert page["total"] == 6
        assert (pages, cursor) == (whole, None)
        assert sorted(whole) == list("ABCDEF")

    async def test_refuses_the_cursor_of_another_order(self, place: Place) -> None:
        cursor = (await place.filter(place.world.manager, sort="coins", limit=2)).json()["next_cursor"]
        refused = await place.filter(place.world.manager, sort="trend", limit=2, cursor=cursor)
        assert refused.status_code == 422

    async def test_by_chance_depends_on_the_seed(self, place: Place) -> None:
        manager = place.world.manager
        orders = {await place.found(manager, sort="random", seed=str(n)) for n in range(20)}
        assert len(orders) > 5
        assert await place.found(manager, sort="random", seed="1") == await place.found(
            manager, sort="random", seed="1"
        )
        assert await place.found(manager, q="sort:random seed:1") == await place.found(manager, sort="random", seed="1")
