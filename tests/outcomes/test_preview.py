"""The preview of outcomes over HTTP."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from tests.auth.calls import assert_problem
from tests.factories.campaigns import World, make_world

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient

PATH = "/campaigns/{id}/outcome-preview"
BUDGET: dict[str, Any] = {"budget_amount": Decimal("90.00"), "currency": "EUR"}


async def submit_with_cost(world: World, number: int, cost: str | None = "30.00", currency: str = "EUR") -> UUID:
    idea = await world.submit(world.manager, f"Idea number {number}")
    if cost is not None:
        body = {
            "kind": "expected_cost", "amount": cost, "currency": currency, "valued_on": "2026-01-02", "source": "estimate",
        }  # fmt: skip
        valued = await world.call(world.manager, "POST", f"/ideas/{idea}/valuations", json=body)
        assert valued.status_code == 201, valued.text
    return idea


async def preview(world: World, **params: Any) -> dict[str, Any]:
    response = await world.call(world.manager, "GET", PATH, params=params)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


class TestPreview:
    async def test_shows_both_rules_and_why(self, application: FastAPI, client: AsyncClient) -> None:
        """Two of three members want three ideas, the third one another: greedily, the third member gets nothing."""
        world = await make_world(application, client, members=3, **BUDGET)
        ideas = [await submit_with_cost(world, number) for number in range(4)]
        for member in world.members[:2]:
            for idea, coins in zip(ideas[:3], (30, 20, 10), strict=True):
                assert (await world.allocate(member, idea, coins)).status_code == 201
        assert (await world.allocate(world.members[2], ideas[3], 15)).status_code == 201
        found = await preview(world)
        assert (found["budget"], found["currency"], found["voters"]) == ("90.00", "EUR", 3)
        assert found["members"] == 4  # with the manager
        by_id = {UUID(idea["idea_id"]): idea for idea in found["ideas"]}
        assert [by_id[idea]["coins"] for idea in ideas] == [60, 40, 20, 15]
        assert [by_id[idea]["greedy"]["place"] for idea in ideas] == [1, 2, 3, None]
        assert by_id[ideas[3]]["greedy"]["explanation"] == (
            "It costs EUR\N{NO-BREAK SPACE}30, and EUR\N{NO-BREAK SPACE}0 were left of the budget after ideas with more coins."
        )
        assert by_id[ideas[0]]["equal_shares"] == {
            "is_selected": True,
            "place": 1,
            "explanation": "2 supporters could each pay EUR\N{NO-BREAK SPACE}15.",
        }
        assert by_id[ideas[3]]["equal_shares"]["is_selected"]
        greedy, equal = found["rules"]
        assert (greedy["rule"], greedy["selected"], greedy["represented_members"], greedy["left"]) == (
            "greedy",
            3,
            2,
            "0.00",
        )
        assert (equal["rule"], equal["selected"], equal["represented_members"], equal["cost"]) == (
            "equal_shares", 3, 3, "90.00",
        )  # fmt: skip

    async def test_ideas_without_a_cost_in_the_currency_are_listed_apart(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client, members=1, **BUDGET)
        priced, free, foreign, zero = [
            await submit_with_cost(world, n, cost, currency)
            for n, (cost, currency) in enumerate([("30.00", "EUR"), (None, ""), ("30.00", "PLN"), ("0.00", "EUR")])
        ]
        for idea in (priced, free, foreign, zero):
            assert (await world.allocate(world.members[0], idea, 5)).status_code == 201
        found = await preview(world, utility="coins")
        assert [UUID(idea["idea_id"]) for idea in found["ideas"]] == [priced]
        assert {UUID(idea["idea_id"]) for idea in found["without_cost"]} == {free, foreign, zero}
        assert found["utility"] == "coins"

    async def test_coins_of_decided_ideas_count_as_before_the_decision(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client, members=2, **BUDGET)
        idea = await submit_with_cost(world, 1)
        assert (await world.allocate(world.members[0], idea, 40)).status_code == 201
        before = await preview(world)
        assert (await world.step(world.manager, idea, "accepted")).is_success
        assert await preview(world) == before

    async def test_needs_a_budget(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, members=1)
        assert_problem(await world.call(world.manager, "GET", PATH), 409, "no-budget")

    async def test_a_campaign_without_ideas_has_none(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, members=1, **BUDGET)
        found = await preview(world)
        assert (found["ideas"], [rule["selected"] for rule in found["rules"]]) == ([], [0, 0])

    @pytest.mark.parametrize("utility", ["cost", "coins"])
    async def test_is_for_managers(self, application: FastAPI, client: AsyncClient, utility: str) -> None:
        world = await make_world(application, client, members=1)
        refused = await world.call(world.members[0], "GET", PATH, params={"utility": utility})
        assert_problem(refused, 403, "not-a-manager")
