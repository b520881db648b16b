"""Routes of ideas: submission, edits, lists and valuations."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

from tests.factories.campaigns import DESCRIPTION, event_kinds, make_world, submit_many
from tests.factories.containers import parts
from tests.factories.ledgers import aggregate_now
from tests.factories.users import commit_user

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient


class TestSubmit:
    async def test_is_competing_immediately_without_mediation(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        response = await world.call(
            world.members[0], "POST", "/campaigns/{id}/ideas",
            json={"title": "Café in the atrium", "description": DESCRIPTION, "tags": ["food", "food"], "category": "site"},
        )  # fmt: skip
        idea = response.json()
        assert (response.status_code, idea["status"], idea["coins"]) == (201, "competing", 0)
        assert (idea["tags"], idea["category"]) == (["food"], ["site"])
        assert (await world.call(world.members[1], "GET", f"/ideas/{idea['id']}")).json()[
            "title"
        ] == "Café in the atrium"

    async def test_is_hidden_until_approved_with_mediation(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, is_mediated=True)
        idea = await world.submit(world.members[0])
        assert (await world.call(world.members[0], "GET", f"/ideas/{idea}")).json()["status"] == "pending"
        assert (await world.call(world.members[1], "GET", f"/ideas/{idea}")).status_code == 404
        assert (await world.call(world.manager, "GET", f"/ideas/{idea}")).status_code == 200
        refused = await world.allocate(world.members[1], idea, 1)
        assert (refused.status_code, refused.json()["type"]) == (404, "urn:ideamint:problem:unknown-idea")

    async def test_is_for_members(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        stranger = await commit_user(application)
        response = await world.call(
            stranger, "POST", "/campaigns/{id}/ideas", json={"title": "A stranger's idea", "description": DESCRIPTION}
        )
        assert (response.status_code, response.json()["type"]) == (403, "urn:ideamint:problem:not-a-member")

    async def test_is_refused_after_the_dates(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, submissions_close_at="2020-01-01T00:00:00+00:00")
        body = {"title": "Too late for this", "description": DESCRIPTION}
        late = await world.call(world.members[0], "POST", "/campaigns/{id}/ideas", json=body)
        assert (late.status_code, late.json()["type"]) == (409, "urn:ideamint:problem:submissions-closed")
        await world.call(world.manager, "POST", "/campaigns/{id}/complete")
        over = await world.call(world.members[0], "POST", "/campaigns/{id}/ideas", json=body)
        assert (over.status_code, over.json()["type"]) == (409, "urn:ideamint:problem:campaign-not-active")


class TestEdit:
    async def test_a_change_that_changes_nothing_makes_no_version_and_no_event(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client, is_mediated=True)
        author = world.members[0]
        text_ = {"title": "Café in the atrium", "description": DESCRIPTION, "category": "site", "tags": ["b", "a"]}
        idea = (await world.call(author, "POST", "/campaigns/{id}/ideas", json=text_)).json()
        for body in ({}, text_, {"title": f" {text_['title']} "}, {"tags": ["a", "b", "a"]}, {"category": "site"}):
            same = await world.call(author, "PATCH", f"/ideas/{idea['id']}", json=body)
            assert (same.status_code, same.json()) == (200, idea)
        assert await event_kinds(application, idea["id"]) == ["idea_submitted"]
        changed = (await world.call(author, "PATCH", f"/ideas/{idea['id']}", json={"tags": ["a"]})).json()
        assert (changed["version"], changed["tags"]) == (2, ["a"])

    async def test_null_removes_what_may_be_empty_only(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, is_mediated=True)
        author = world.members[0]
        text_ = {"title": "Café in the atrium", "description": DESCRIPTION, "category": "site", "tags": ["food"]}
        idea = (await world.call(author, "POST", "/campaigns/{id}/ideas", json=text_)).json()
        path = f"/ideas/{idea['id']}"
        cleared = (await world.call(author, "PATCH", path, json={"category": None})).json()
        assert (cleared["category"], cleared["tags"], cleared["version"]) == ([], ["food"], 2)
        for name in ("title", "description", "tags"):
            refused = await world.call(author, "PATCH", path, json={name: None})
            assert (refused.status_code, [each["field"] for each in refused.json()["errors"]]) == (422, [name])
        assert (await world.call(author, "PATCH", path, json={"tags": []})).json()["tags"] == []


class TestLocation:
    async def test_is_set_changed_and_removed(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, is_mediated=True)
        author = world.members[0]
        body = {
            "title": "Café in the atrium",
            "description": DESCRIPTION,
            "location": {"latitude": 52, "longitude": 21.5},
        }
        idea = (await world.call(author, "POST", "/campaigns/{id}/ideas", json=body)).json()
        assert (idea["latitude"], idea["longitude"]) == (52, 21.5)
        path = f"/ideas/{idea['id']}"
        same = await world.call(author, "PATCH", path, json={"location": {"latitude": 52.0, "longitude": 21.5}})
        assert same.json() == idea
        moved = await world.call(author, "PATCH", path, json={"location": {"latitude": -90, "longitude": 180}})
        assert (moved.json()["latitude"], moved.json()["longitude"], moved.json()["version"]) == (-90, 180, 2)
        assert (await world.call(author, "PATCH", path, json={"title": "Another title"})).json()["latitude"] == -90
        removed = await world.call(author, "PATCH", path, json={"location": None})
        assert (removed.json()["latitude"], removed.json()["longitude"]) == (None, None)

    async def test_is_on_the_earth(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, is_mediated=True)
        for location in (
            {"latitude": 90.1, "longitude": 0}, {"latitude": 0, "longitude": -181}, {"latitude": 1},
            {"latitude": "1", "longitude": 1}, {"latitude": None, "longitude": 1}, [1, 2],
        ):  # fmt: skip
            body = {"title": "Café in the atrium", "description": DESCRIPTION, "location": location}
            refused = await world.call(world.members[0], "POST", "/campaigns/{id}/ideas", json=body)
            assert refused.status_code == 422


class TestList:
    async def test_is_random_by_person_while_coins_are_open(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        made = await submit_many(world, 20)

        async def order(member: int, **parameters: str) -> list[str]:
            seen: list[str] = []
            cursor: str | None = None
            while True:
                params = {"limit": 7, **parameters, **({"cursor": cursor} if cursor else {})}
                page = await world.call(world.members[member], "GET", "/campaigns/{id}/ideas", params=params)
                seen += [idea["id"] for idea in page.json()["items"]]
                cursor = page.json()["next_cursor"]
                if cursor is None:
                    return seen

        first, again, other = await order(1), await order(1), await order(2)
        assert first == again
        assert first != other
        assert sorted(first) == sorted(other) == sorted(str(idea) for idea in made)
        assert await order(1, seed="x") == await order(2, seed="x")
        assert await order(1, sort="newest") == [str(idea) for idea in reversed(made)]

    async def test_by_coins_with_my_stake(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        made = await submit_many(world, 4)
        await world.allocate(world.members[1], made[2], 10)
        await world.allocate(world.members[2], made[2], 15)
        await world.allocate(world.members[1], made[0], 20)
        await aggregate_now(parts(application).database)
        page = await world.call(world.members[1], "GET", "/campaigns/{id}/ideas", params={"sort": "coins"})
        rows = [(row["id"], row["coins"], row["backers"], row["my_stake_coins"]) for row in page.json()["items"]]
        assert rows[:2] == [(str(made[2]), 25, 2, 10), (str(made[0]), 20, 1, 20)]
        assert [coins for _, coins, _, _ in rows] == [25, 20, 0, 0]

    async def test_filters(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        made = await submit_many(world, 3)
        own = await world.submit(world.members[1], "An idea of my own")
        await world.allocate(world.members[1], made[0], 10)
        await world.step(world.manager, made[1], "accepted")

        async def ids(**parameters: object) -> set[str]:
            response = await world.call(world.members[1], "GET", "/campaigns/{id}/ideas", params=parameters)
            return {idea["id"] for idea in response.json()["items"]}

        assert await ids(mine=True) == {str(own)}
        assert await ids(backed=True) == {str(made[0])}
        assert await ids(status="accepted") == {str(made[1])}
        assert await ids(status=["accepted", "competing"]) == {str(idea) for idea in [*made, own]}

    async def test_of_an_unknown_campaign_is_not_found(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        assert (await world.call(world.manager, "GET", f"/campaigns/{uuid4()}/ideas")).status_code == 404


class TestValuations:
    async def test_are_dated_and_sourced_and_in_one_currency(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        body = {
            "kind": "expected_cost",
            "amount": "1200.00",
            "currency": "EUR",
            "valued_on": "2026-05-01",
            "source": "Quote",
        }
        made = await world.call(world.manager, "POST", f"/ideas/{idea}/valuations", json=body)
        assert (made.status_code, made.json()["amount"]) == (201, "1200.00")
        later = body | {"amount": "1350.00", "valued_on": "2026-06-01"}
        assert (await world.call(world.manager, "POST", f"/ideas/{idea}/valuations", json=later)).status_code == 201
        listed = (await world.call(world.members[1], "GET", f"/ideas/{idea}/valuations")).json()
        assert [valuation["amount"] for valuation in listed] == ["1350.00", "1200.00"]
        for day in ("1899-12-31", "2201-01-01", "0202-05-01"):
            dated = await world.call(world.manager, "POST", f"/ideas/{idea}/valuations", json=body | {"valued_on": day})
            assert (dated.status_code, [error["field"] for error in dated.json()["errors"]]) == (422, ["valued_on"])
        mixed = await world.call(world.manager, "POST", f"/ideas/{idea}/valuations", json=body | {"currency": "PLN"})
        assert (mixed.status_code, mixed.json()["type"]) == (422, "urn:ideamint:problem:other-currency")
        refused = await world.call(world.members[0], "POST", f"/ideas/{idea}/valuations", json=body)
        assert refused.status_code == 403

    async def test_of_two_first_ones_in_different_currencies_one_is_refused(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client)
        body = {"kind": "expected_cost", "amount": "100", "valued_on": "2026-05-01", "source": "Quote"}
        for _ in range(5):
            idea = await world.submit(world.members[0])
            responses = await asyncio.gather(
                *(
                    world.call(world.manager, "POST", f"/ideas/{idea}/valuations", json=body | {"currency": currency})
                    for currency in ("EUR", "USD")
                )
            )
            assert sorted(response.status_code for response in responses) == [201, 422]
