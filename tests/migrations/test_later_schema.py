"""A running API on the schema of a later version, which has columns and values that this version does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio

from tests.factories.campaigns import further_application
from tests.factories.containers import parts
from tests.factories.journeys import Journey, make_journey

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import psycopg
    from fastapi import FastAPI
    from httpx2 import AsyncClient

    from settings import Settings

TABLES = """
    SELECT c.relname FROM pg_class AS c
    WHERE c.relnamespace = 'app'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
"""


@pytest_asyncio.fixture
async def api(installation: Settings) -> AsyncIterator[tuple[FastAPI, AsyncClient]]:
    async with further_application(installation) as made:
        yield made


@pytest_asyncio.fixture
async def ended(api: tuple[FastAPI, AsyncClient]) -> Journey:
    """A completed campaign. The connections of the API have prepared its statements."""
    app, client = api
    journey = await make_journey(parts(app).database, [client])
    await journey.run()
    return journey


class TestAddedColumns:
    async def test_break_no_command_of_a_running_process(
        self, api: tuple[FastAPI, AsyncClient], ended: Journey, connection: psycopg.Connection
    ) -> None:
        before = await ended.observe()
        for (table,) in connection.execute(TABLES).fetchall():
            connection.execute(
                f"ALTER TABLE app.{table} ADD COLUMN later text, "
                "ADD COLUMN later_at timestamptz NOT NULL DEFAULT now()".encode()
            )
        assert await ended.observe() == before
        app, client = api
        journey = await make_journey(parts(app).database, [client])
        await journey.run()
        assert await journey.observe() == before


class TestUnknownValues:
    async def test_of_an_enumeration_are_returned_as_text(self, ended: Journey, connection: psycopg.Connection) -> None:
        connection.execute("SET session_replication_role = replica")  # policies are append-only
        for table, column, value in (
            ("coin_policies", "at_end", "donate"),
            ("coin_policies", "stakes_visible_to", "everyone"),
            ("campaigns", "status", "paused"),
            ("campaigns", "origin", "merged"),
            ("ideas", "status", "merged"),
            ("sessions", "kind", "device"),
            ("users", "language", "de"),
        ):
            for (name,) in connection.execute(
                "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'c' "
                "AND pg_get_constraintdef(oid) LIKE %s",
                (f"app.{table}", f"%{column}%"),
            ).fetchall():
                connection.execute(f"ALTER TABLE app.{table} DROP CONSTRAINT {name}".encode())
            connection.execute(f"UPDATE app.{table} SET {column} = %s".encode(), (value,))
        policies = await ended.get("/campaigns/{id}/coins/policies")
        assert {(policy["at_end"], policy["stakes_visible_to"]) for policy in policies} == {("donate", "everyone")}
        campaign = await ended.get("/campaigns/{id}")
        assert (campaign["status"], campaign["origin"]) == ("paused", "merged")
        (listed,) = [each for each in (await ended.get("/campaigns"))["items"] if each["id"] == campaign["id"]]
        assert listed["status"] == "paused"
        ideas = (await ended.manage("GET", "/campaigns/{id}/ideas")).json()["items"]
        assert {(idea["status"], *idea["next_statuses"]) for idea in ideas} == {("merged",)}
        sessions = (await ended.manage("GET", "/users/me/sessions")).json()["items"]
        assert {session["kind"] for session in sessions} == {"device"}
        assert (await ended.manage("GET", "/users/me")).json()["language"] == "de"

    async def test_an_unknown_audience_shows_stakes_only_to_their_owners(
        self, ended: Journey, connection: psycopg.Connection
    ) -> None:
        connection.execute("SET session_replication_role = replica")
        connection.execute("ALTER TABLE app.coin_policies DROP CONSTRAINT ck_coin_policies_stakes_visible_to")
        connection.execute("UPDATE app.coin_policies SET stakes_visible_to = 'everyone'")
        refused = await ended.manage("GET", f"/ideas/{ended.ideas[0]}/stakes")
        assert refused.status_code == 403
        assert refused.json()["detail"] == "The campaign's coin policy shows the stakes on an idea to their owner."
        audit = (await ended.manage("GET", "/campaigns/{id}/coins/audit")).json()["items"]
        assert {event["user_id"] for event in audit if event["kind"] == "coins_allocated"} == {None}
