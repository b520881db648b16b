"""Statements: filters, pages and CSV."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy.exc import DBAPIError

from api.coins import service as coins
from api.coins.policies import PolicyWrite
from api.coins.reading import statements
from api.coins.reading.statistics import gini
from tests.factories.campaigns import World, make_world, submit_many
from tests.factories.containers import parts

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient

HISTORY = "/campaigns/{id}/coins/history"


async def lines_of(world: World, **params: Any) -> list[dict[str, Any]]:
    response = await world.call(world.members[1], "GET", HISTORY, params=params)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["items"]
    return found


@pytest.fixture
async def moved(application: FastAPI, client: AsyncClient) -> tuple[World, str, str]:
    """A member with a grant, 30 coins put on one idea, 10 of them moved to another, and 5 taken back."""
    world = await make_world(application, client)
    one, two = await submit_many(world, 2)
    member = world.members[1]
    assert (await world.allocate(member, one, 30)).status_code == 201
    for body in ({"to_idea_id": str(two), "coins": 10}, {"coins": 5}):
        response = await world.call(
            member, "POST", "/campaigns/{id}/coins/reallocate",
            key=f"{body['coins']}", json={"from_idea_id": str(one), **body},
        )  # fmt: skip
        assert response.status_code == 201
    return world, str(one), str(two)


class TestFilters:
    async def test_by_idea_finds_both_directions(self, moved: tuple[World, str, str]) -> None:
        world, one, two = moved
        assert [line["kind"] for line in await lines_of(world, idea_id=one)] == ["take_back", "reallocate", "allocate"]
        (line,) = await lines_of(world, idea_id=two)
        assert (line["from_idea_id"], line["to_idea_id"], line["stake_after_coins"]) == (one, two, 10)

    async def test_by_idea_keeps_the_wallets_balance(self, moved: tuple[World, str, str]) -> None:
        world, one, _ = moved
        assert [line["wallet_after_coins"] for line in await lines_of(world, idea_id=one)] == [75, None, 70]

    async def test_by_several_kinds(self, moved: tuple[World, str, str]) -> None:
        world, *_ = moved
        assert [line["coins"] for line in await lines_of(world, kind=["grant", "take_back"])] == [5, 100]
        unknown = await world.call(world.members[1], "GET", HISTORY, params={"kind": "gift"})
        assert unknown.status_code == 422

    async def test_by_time_from_is_included_and_until_is_not(self, moved: tuple[World, str, str]) -> None:
        world, *_ = moved
        newest, middle, *older = await lines_of(world)
        since = await lines_of(world, **{"from": middle["effective_at"]})
        assert since == [newest, middle]
        assert await lines_of(world, until=middle["effective_at"]) == older

    async def test_a_cursor_keeps_the_filters(self, moved: tuple[World, str, str]) -> None:
        world, one, _ = moved
        first = await world.call(world.members[1], "GET", HISTORY, params={"idea_id": one, "limit": 2})
        rest = await lines_of(world, idea_id=one, limit=2, cursor=first.json()["next_cursor"])
        assert [line["kind"] for line in rest] == ["allocate"]


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


class TestCsv:
    @pytest.mark.parametrize(
        ("params", "accept"),
        [({"format": "csv"}, "*/*"), ({}, "text/csv"), ({}, "text/csv;q=0.9, application/json;q=0.5")],
    )
    async def test_is_requested_by_parameter_or_header(
        self, moved: tuple[World, str, str], params: dict[str, str], accept: str
    ) -> None:
        world, *_ = moved
        response = await world.call(world.members[1], "GET", HISTORY, params=params, headers={"Accept": accept})
        assert response.headers["content-type"] == "text/csv; charset=utf-8"
        assert response.text.startswith("\ufeff")  # Excel needs it to read UTF-8
        rows = read_csv(response.text)
        assert [(row["kind"], row["coins"]) for row in rows] == [
            ("take_back", "5"), ("reallocate", "10"), ("allocate", "30"), ("grant", "100"),
        ]  # fmt: skip
        assert list(rows[0]) == list((await lines_of(world))[0])

    async def test_json_is_the_default(self, moved: tuple[World, str, str]) -> None:
        world, *_ = moved
        for params, accept in (({}, "*/*"), ({}, "application/json, text/csv"), ({"format": "json"}, "text/csv")):
            response = await world.call(world.members[1], "GET", HISTORY, params=params, headers={"Accept": accept})
            assert response.headers["content-type"] == "application/json"

    @pytest.mark.parametrize("lines_at_once", [2, 3])  # with three, the second part is empty
    async def test_has_all_lines_in_parts(
        self, moved: tuple[World, str, str], monkeypatch: pytest.MonkeyPatch, lines_at_once: int
    ) -> None:
        """Each part continues after the last line of the previous one."""
        world, one, _ = moved
        monkeypatch.setattr(statements, "LINES_AT_ONCE", lines_at_once)
        response = await world.call(
            world.members[1], "GET", HISTORY, params={"format": "csv", "idea_id": one, "limit": 1}
        )
        assert [row["coins"] for row in read_csv(response.text)] == ["5", "10", "30"]

    @pytest.mark.parametrize("reason", ["=1+1", "+1+1", "-1+1", "@SUM(A1)", 'say "no", please'])
    async def test_a_cell_that_a_spreadsheet_would_evaluate_begins_with_a_quote(
        self, moved: tuple[World, str, str], reason: str
    ) -> None:
        world, one, _ = moved
        assert (await world.step(world.manager, UUID(one), "rejected", reason)).status_code == 200
        text = (await world.call(world.members[1], "GET", HISTORY, params={"format": "csv"})).text
        row = read_csv(text)[0]
        assert row["kind"] == "return"
        assert row["reason"] == (reason if reason.startswith("say") else f"'{reason}")

    async def test_reads_in_a_read_only_session(self, application: FastAPI) -> None:
        async with parts(application).database.snapshot() as session:
            with pytest.raises(DBAPIError, match="read-only transaction"):
                await coins.open_ledger(session, uuid4(), PolicyWrite(), actor_id=None)


class TestGini:
    @pytest.mark.parametrize(
        ("values", "expected"),
        [([], None), ([0, 0], None), ([5], 0), ([7, 7, 7], 0), ([0, 0, 0, 12], 0.75), ([1, 2, 3, 4], 0.25)],
    )
    def test_of_known_distributions(self, values: list[int], expected: float | None) -> None:
        assert gini(values) == expected

    def test_is_half_the_relative_mean_difference(self) -> None:
        values = [3, 14, 1, 59, 26, 5, 35, 0]
        differences = sum(abs(one - other) for one in values for other in values)
        assert gini(values) == pytest.approx(differences / (2 * len(values) * sum(values)))
