"""The list of members: filters, search, orders and pages, and the plan of a page among ten thousand members."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
import pytest
import pytest_asyncio
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import event, text

from api.campaigns.member_lists.listing import MemberFilters, Sort, list_members
from api.campaigns.schemas import MemberRead
from tests.auth.calls import problem
from tests.factories.campaigns import World, make_world
from tests.factories.containers import parts
from tests.factories.elections import Importer, election_file

if TYPE_CHECKING:
    from pathlib import Path

    from fastapi import FastAPI
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.auth.models import User

MEMBERS = "/campaigns/{id}/members"
CROWD = 10_000
PAGE = 50


async def listed(world: World, **query: Any) -> list[dict[str, Any]]:
    response = await world.call(world.manager, "GET", MEMBERS, params=query)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["items"]
    return found


async def ids(world: World, **query: Any) -> list[str]:
    return [each["user_id"] for each in await listed(world, **query)]


async def rename(world: World, names: dict[str, User]) -> None:
    async with parts(world.app).database.session() as session:
        for name, user in names.items():
            await session.execute(
                text("UPDATE app.users SET display_name = :name WHERE id = :id"), {"name": name, "id": user.id}
            )


class TestFilters:
    async def test_by_attribute(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        first, second, third = world.members
        for member, site, team in ((first, "North", "A"), (second, "North", "B"), (third, "South", "A:1")):
            body = {"attributes": {"site": site, "team": team}}
            path = f"{MEMBERS}/{member.id}/attributes"
            assert (await world.call(world.manager, "PATCH", path, json=body)).status_code == 200
        assert await ids(world, attribute="site:North") == [str(first.id), str(second.id)]
        assert await ids(world, attribute=["site:North", "team:B"]) == [str(second.id)]
        assert await ids(world, attribute="team:A:1") == [str(third.id)]
        assert await ids(world, attribute="site:") == [str(world.manager.id)]
        exported = await world.call(
            world.manager, "GET", "/campaigns/{id}/member-lists", params={"attribute": "site:North", "sort": "-joined"}
        )
        assert [row.partition(",")[0] for row in exported.text.splitlines()[1:]] == [second.email, first.email]

    @pytest.mark.parametrize("given", ["site", ":North", "colour:red"])
    async def test_refuses_what_is_no_attribute(self, application: FastAPI, client: AsyncClient, given: str) -> None:
        world = await make_world(application, client, members=0)
        body = {"key": "site", "label": "Site"}
        assert (await world.call(world.manager, "POST", "/campaigns/{id}/member-attributes", json=body)).is_success
        for path in (MEMBERS, "/campaigns/{id}/member-lists"):
            refused = await world.call(world.manager, "GET", path, params={"attribute": given})
            assert problem(refused) == (422, "invalid-input")

    async def test_by_state_a_person_is_listed_once(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        left, removed, back = world.members
        for member in (left, back):
            await world.call(member, "POST", "/campaigns/{id}/leave")
        await world.call(back, "POST", "/campaigns/{id}/join")
        await world.call(world.manager, "DELETE", f"{MEMBERS}/{removed.id}")
        assert await ids(world, state="left") == [str(left.id)]
        assert await ids(world, state="removed") == [str(removed.id)]
        assert await ids(world) == [str(world.manager.id), str(back.id)]
        await world.call(left, "POST", "/campaigns/{id}/join")
        await world.call(left, "POST", "/campaigns/{id}/leave")
        (found,) = await listed(world, state="left")
        assert (found["user_id"], found["left_at"] is None) == (str(left.id), False)

    async def test_by_the_moment_of_joining(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, members=2)
        joined = [each["joined_at"] for each in await listed(world)]
        assert await ids(world, joined_from=joined[1]) == [str(each.id) for each in world.members]
        assert await ids(world, joined_until=joined[0]) == [str(world.manager.id)]
        assert await ids(world, joined_from=joined[1], joined_until=joined[1]) == [str(world.members[0].id)]

    async def test_are_recorded_by_name(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        await listed(world, q="ann", role="member", state="left", attribute="site:North")
        async with parts(application).database.session() as session:
            recorded = await session.scalar(
                text("SELECT data FROM app.events WHERE campaign_id = :id AND kind = 'personal_data_read'"),
                {"id": world.campaign_id},
            )
        assert recorded["filters"] == ["role", "q", "state", "attribute"]

    async def test_members_of_an_imported_election_have_numbers_as_attributes(
        self, session: AsyncSession, tmp_path: Path
    ) -> None:
        imported = await Importer(session, tmp_path)(election_file("approval"))
        rows = await list_members(session, imported.campaign_id, limit=200, after=None)
        read = [
            MemberRead.model_validate({**vars(row.membership), "display_name": row.display_name, "email": row.email})
            for row in rows
        ]
        assert int in {type(each.attributes["age"]) for each in read if "age" in each.attributes}


class TestSort:
    @pytest.mark.parametrize("sort", ["joined", "-joined", "name", "role"])
    async def test_pages_have_each_member_once_in_order(
        self, application: FastAPI, client: AsyncClient, sort: str
    ) -> None:
        world = await make_world(application, client)
        first, second, third = world.members
        await rename(world, {"Zoe": first, "adam": second, "Łucja": third, "Mia": world.manager})
        await world.call(world.manager, "PUT", f"{MEMBERS}/{third.id}/role", params={"role": "moderator"})
        manager = world.manager
        expected = {
            "joined": [manager, first, second, third],
            "-joined": [third, second, first, manager],
            "name": [second, manager, first, third],
            "role": [manager, third, first, second],
        }[sort]
        found: list[str] = []
        query: dict[str, Any] = {"sort": sort, "limit": 1}
        while True:
            page = (await world.call(manager, "GET", MEMBERS, params=query)).json()
            found += [each["user_id"] for each in page["items"]]
            if page["next_cursor"] is None:
                break
            query["cursor"] = page["next_cursor"]
        if sort == "name":  # the place of Ł depends on the collation of the database
            last = str(third.id)
            assert [each for each in found if each != last] == [str(each.id) for each in expected if each is not third]
            assert sorted(found) == sorted(str(each.id) for each in expected)
        else:
            assert found == [str(each.id) for each in expected]

    async def test_a_cursor_of_another_order_is_refused(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        page = (await world.call(world.manager, "GET", MEMBERS, params={"limit": 1})).json()
        query = {"limit": 1, "cursor": page["next_cursor"], "sort": "role"}
        assert problem(await world.call(world.manager, "GET", MEMBERS, params=query)) == (422, "invalid-input")


@dataclass(frozen=True)
class Crowd:
    """A campaign with ten thousand members, beside another of the same size."""

    application: FastAPI
    campaign_id: UUID
    joined_at: datetime


@pytest_asyncio.fixture(scope="module")
async def crowd(application: FastAPI) -> Crowd:
    async with AsyncClient(transport=ASGITransport(app=application), base_url="http://testserver") as client:
        worlds = [await make_world(application, client, members=0) for _ in range(2)]
    start = datetime(2026, 1, 1, tzinfo=UTC)
    async with parts(application).database.session(statement_timeout_ms=0) as session:
        for world in worlds:
            run = uuid4().hex[:8]
            await session.execute(
                text(
                    "WITH people AS (INSERT INTO app.users (email, display_name, email_verified_at)"
                    " SELECT format('%s-%s@example.org', CAST(:run AS text), n), 'Person ' || n, now()"
                    " FROM generate_series(1, CAST(:crowd AS integer)) AS n RETURNING id)"
                    " INSERT INTO app.memberships (campaign_id, user_id, joined_at, attributes)"
                    " SELECT :id, p.id, :start + row_number() OVER () * interval '1 second',"
                    " jsonb_build_object('site', 'Site ' || (row_number() OVER () % 20)) FROM people AS p"
                ),
                {"run": run, "crowd": CROWD, "id": world.campaign_id, "start": start},
            )
    return Crowd(application, worlds[0].campaign_id, start + timedelta(seconds=CROWD // 2))


async def rows_read(crowd: Crowd, admin_url: str, **arguments: Any) -> tuple[set[str], int]:
    """The indexes that the statement of a page reads, and the rows that it reads of memberships."""
    database = parts(crowd.application).database
    ran: list[tuple[str, Any]] = []

    def note(_1: Any, _2: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "FROM app.memberships" in statement:
            ran.append((statement, parameters))

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    try:
        async with database.session() as session:
            found = await list_members(session, crowd.campaign_id, limit=PAGE, **arguments)
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", note)
    assert len(found) == PAGE
    (statement,) = ran
    async with await psycopg.AsyncConnection.connect(admin_url, autocommit=True) as admin:
        await admin.execute("ANALYZE app.memberships")
        await admin.execute("ANALYZE app.users")
    async with database.session() as session:
        connection = await session.connection()
        explained = await connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement[0]}", statement[1])
        nodes = list(_nodes(explained.scalar_one()[0]["Plan"]))
    read = [node for node in nodes if node.get("Relation Name") == "memberships"]
    rows = sum((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"] for node in read)
    return {node["Index Name"] for node in nodes if "Index Name" in node}, round(rows)


async def count_memberships(crowd: Crowd) -> int:
    """The rows of the table, in all campaigns of the database."""
    async with parts(crowd.application).database.session() as session:
        found: int | None = await session.scalar(text("SELECT count(*) FROM app.memberships"))
    assert found is not None
    return found


def _nodes(plan: dict[str, Any]) -> Any:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


class TestPlan:
    @pytest.mark.parametrize("sort", ["joined", "-joined"])
    async def test_a_page_in_the_order_of_joining_reads_that_page(
        self, crowd: Crowd, admin_url: str, sort: Sort
    ) -> None:
        for after in (None, (crowd.joined_at, UUID(int=0))):
            indexes, rows = await rows_read(crowd, admin_url, sort=sort, after=after)
            assert "ix_memberships_current" in indexes
            assert rows <= PAGE + 1

    @pytest.mark.parametrize("sort", ["name", "role"])
    async def test_a_page_in_another_order_reads_the_members_of_the_campaign_once(
        self, crowd: Crowd, admin_url: str, sort: Sort
    ) -> None:
        _, rows = await rows_read(crowd, admin_url, sort=sort, after=None)
        assert rows <= await count_memberships(crowd), "the table is read through at most once"

    async def test_a_filtered_page_reads_the_members_of_the_campaign_once(self, crowd: Crowd, admin_url: str) -> None:
        filters = MemberFilters(attribute=(("site", "Site 7"),))
        _, rows = await rows_read(crowd, admin_url, filters=filters, after=None)
        assert rows <= await count_memberships(crowd)
