"""Lists of members: what spreadsheets save, errors with line and column, and the import of long lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from api.campaigns import service as campaigns
from api.campaigns.member_lists.importing import import_members
from api.campaigns.member_lists.people import PEOPLE_MAX, MemberList
from api.campaigns.member_lists.reading import read_file, read_list
from api.coins import service as coins
from api.kernel.errors import InvalidInput
from tests.auth.calls import new_email
from tests.factories.campaigns import World, make_world
from tests.factories.containers import parts, statements_of
from tests.factories.users import commit_user

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient, Response

# ten shapes of the same list: what Excel, LibreOffice, Google Sheets, Numbers and personnel systems save
_ROWS = "Name{s}E-mail{s}Role{s}Home District\r\nZofia Żółć{s}zofia@example.org{s}Moderator{s}Śródmieście\r\n"
_SHAPES = {
    "commas": b"name,email,role,home district\nZofia \xc5\xbb\xc3\xb3\xc5\x82\xc4\x87,zofia@example.org,moderator,"
    b"\xc5\x9ar\xc3\xb3dmie\xc5\x9bcie\n",
    "semicolons and a byte order mark": _ROWS.replace("E-mail", "Email").format(s=";").encode("utf-8-sig"),
    "tabs in utf-16": _ROWS.replace("E-mail", "EMAIL").format(s="\t").encode("utf-16"),
    "windows-1250": _ROWS.replace("E-mail", "Email").format(s=";").encode("cp1250"),
    "capital headers": _ROWS.replace("E-mail", "Email").format(s=",").upper().replace("@EXAMPLE.ORG", "@example.org")
    .replace("ZOFIA@", "zofia@").replace("ZOFIA ŻÓŁĆ", "Zofia Żółć").replace("ŚRÓDMIEŚCIE", "Śródmieście").encode(),
    "quoted fields": '"name","email","role","home district"\n"Zofia Żółć","zofia@example.org","moderator",'
    '"Śródmieście"\n'.encode(),
    "blank rows and empty columns": "name,email,role,home district,,\n,,,,,\nZofia Żółć,zofia@example.org,moderator,"
    "Śródmieście,,\n\n,,,,,\n".encode(),
    "a line with the separator": ("sep=;\r\n" + _ROWS.replace("E-mail", "Email").format(s=";")).encode("utf-8-sig"),
    "other order, no line break at the end": "ROLE;HOME_DISTRICT;EMAIL;NAME\nMODERATOR;Śródmieście;zofia@example.org;"
    "Zofia Żółć".encode(),
    "white space around fields": " Name ; Email ; Role ; Home-District \n  Zofia Żółć ; zofia@example.org ; moderator ;"
    " Śródmieście \n".encode(),
}  # fmt: skip

# a list in parts of a thousand people, and the statements that a change of each takes at most
MANY = pytest.mark.parametrize(("many", "most"), [(2000, 60), pytest.param(PEOPLE_MAX, 200, marks=pytest.mark.volume)])


def csv(*rows: str, header: str = "email,name,role,site") -> bytes:
    return "\n".join((header, *rows)).encode()


async def send(world: World, content: bytes, **query: Any) -> Response:
    return await world.call(
        world.manager, "POST", "/campaigns/{id}/member-lists", content=content, params=query,
        headers={"Content-Type": "text/csv"},
    )  # fmt: skip


async def members(world: World) -> dict[str, dict[str, Any]]:
    """The members by address."""
    found = await world.call(world.manager, "GET", "/campaigns/{id}/members", params={"limit": 200})
    return {member["email"]: member for member in found.json()["items"]}


async def invited(world: World) -> dict[str, dict[str, Any]]:
    """The invitations by address."""
    found = await world.call(world.manager, "GET", "/campaigns/{id}/invitations", params={"limit": 200})
    return {each["email"]: each for each in found.json()["items"]}


class TestReadFile:
    @pytest.mark.parametrize("body", _SHAPES.values(), ids=_SHAPES)
    def test_accepts_what_spreadsheets_save(self, body: bytes) -> None:
        found = read_file(body)
        assert found.problems == []
        (entry,) = found.entries
        assert (entry.name, entry.email, entry.role) == ("Zofia Żółć", "zofia@example.org", "moderator")
        assert entry.attributes == {"home_district": "Śródmieście"}

    def test_one_person_twice_is_reported_with_both_lines(self) -> None:
        found = read_file(csv("alice@example.org,Alice,,", "bob@example.org,Bob,,", "Alice@EXAMPLE.org,A.,,"))
        assert [entry.line for entry in found.entries] == [2, 3]
        (problem,) = found.problems
        assert (problem.line, problem.column, problem.problem) == (4, "email", "Alice@example.org is in line 2 too")

    @pytest.mark.parametrize(
        ("row", "column"),
        [
            ("no address,Ann,,", "email"),
            (",Ann,,", "email"),
            ("ann@example.org,Ann,king,", "role"),
            (f"ann@example.org,{'x' * 201},,", "name"),
            (f"ann@example.org,Ann,,{'x' * 201}", "site"),
            ("ann@example.org,Ann", "role"),
            ("ann@example.org,Ann,,,,more", "5"),
        ],
    )
    def test_an_error_names_line_and_column_and_stops_nothing_else(self, row: str, column: str) -> None:
        found = read_file(csv("one@example.org,One,,", row, "two@example.org,Two,,"))
        assert [(problem.line, problem.column) for problem in found.problems] == [(3, column)]
        assert [(entry.line, entry.name) for entry in found.entries] == [(2, "One"), (4, "Two")]

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (b"", "line 1: the header is ''"),
            (b"name,role\nAnn,member\n", "must have email"),
            (b"email,Site,SITE\na@example.org,1,2\n", "line 1, column 3: there are two columns site"),
            (b"email,,site\na@example.org,1,2\n", "line 1, column 2: the name of a column"),
            (b"email\n", "line 2: there is no person after the header"),
            (b'email,name\n"a@example.org,Ann\n', "line 2: unexpected end of data"),
            (b"\x00\x01\x02", "neither UTF-8 nor Windows-1250"),
            (b"email\n" + b"a@example.org\n" * (PEOPLE_MAX + 1), "at most 10,000 people"),
        ],
    )
    def test_refuses_what_is_no_list(self, body: bytes, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("api.auth.service.check_email", str)
        with pytest.raises(InvalidInput, match=reason.replace("(", r"\(")):
            read_file(body)

    def test_reads_json_alike(self) -> None:
        given = {
            "members": [{"email": "a@example.org", "role": " Manager "}, {"email": "A@example.org"}, {"email": "x"}]
        }
        found = read_list(MemberList.model_validate(given))
        assert [(entry.line, entry.role) for entry in found.entries] == [(1, "manager")]
        assert [problem.line for problem in found.problems] == [2, 3]


class TestImport:
    async def test_who_has_an_account_becomes_a_member_and_others_are_invited(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client)
        user, unconfirmed = await commit_user(application), await commit_user(application, email_verified_at=None)
        present, email = world.members[0], new_email()
        assert user.email is not None
        body = csv(
            f"{user.email.upper()},,observer,North", f"{present.email},,moderator,", f"{world.members[1].email},,,",
            f"{email},Ida,,South", f"{unconfirmed.email},,manager,",
        )  # fmt: skip
        done = await send(world, body)
        assert (done.status_code, done.json()) == (
            200,
            {"added": 1, "invited": 2, "updated": 1, "unchanged": 1, "failed": 0, "errors": []},
        )
        now = await members(world)
        assert (now[user.email]["role"], now[user.email]["attributes"]) == ("observer", {"site": "North"})
        assert now[str(present.email)]["role"] == "moderator"
        made = await invited(world)
        assert (made[email]["name"], made[email]["role"], made[email]["attributes"]) == (
            "Ida",
            "member",
            {"site": "South"},
        )
        assert made[str(unconfirmed.email)]["role"] == "manager"
        again = await send(world, body)
        assert again.json() == {**done.json(), "added": 0, "updated": 0, "unchanged": 3}

    async def test_given_attributes_are_added_and_empty_fields_change_nothing(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client)
        email = world.members[0].email
        assert (await send(world, csv(f"{email},,,North"))).json()["updated"] == 1
        assert (await send(world, csv(f"{email},Sales,", header="email,team,site"))).json()["updated"] == 1
        assert (await members(world))[str(email)]["attributes"] == {"site": "North", "team": "Sales"}

    async def test_after_an_error_nobody_is_imported(self, application: FastAPI, client: AsyncClient) -> None:
        world, user = await make_world(application, client), await commit_user(application)
        before = await members(world)
        refused = await send(world, csv(f"{user.email},,,", "nobody,,,", "x@example.org,,king,"))
        assert refused.status_code == 422
        found = [(each["line"], each["column"]) for each in refused.json()["errors"]]
        assert found == [(3, "email"), (4, "role")]
        assert (await members(world), await invited(world)) == (before, {})

    async def test_continue_on_failure_imports_the_others(self, application: FastAPI, client: AsyncClient) -> None:
        world, user = await make_world(application, client), await commit_user(application)
        body = csv(f"{user.email},,,", "nobody,,,", f"{world.manager.email},,member,", "short")
        done = await send(world, body, mode="continue_on_failure")
        result = done.json()
        assert (done.status_code, result["added"], result["failed"]) == (200, 1, 3)
        assert [(each["line"], each["column"]) for each in result["errors"]] == [(3, "email"), (4, "role"), (5, "name")]
        assert "only manager" in result["errors"][1]["problem"]
        assert (await members(world))[str(world.manager.email)]["role"] == "manager"

    async def test_a_refused_change_rolls_everything_back(self, application: FastAPI, client: AsyncClient) -> None:
        world, user = await make_world(application, client), await commit_user(application)
        refused = await send(world, csv(f"{user.email},,,", f"{world.manager.email},,observer,"))
        assert refused.status_code == 422
        assert str(user.email) not in await members(world)

    async def test_a_dry_run_changes_nothing(self, application: FastAPI, client: AsyncClient) -> None:
        world, user = await make_world(application, client), await commit_user(application)
        shown = await send(world, csv(f"{user.email},,,", f"{new_email()},,,"), dry_run=True)
        assert (shown.json()["added"], shown.json()["invited"]) == (1, 1)
        assert str(user.email) not in await members(world)
        assert await invited(world) == {}

    async def test_a_removed_member_comes_back_with_the_old_wallet_and_attributes(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client)
        member, idea = world.members[1], await world.submit(world.members[0])
        await send(world, csv(f"{member.email},,,North"))
        await world.allocate(member, idea, 40)
        await world.call(world.manager, "DELETE", f"/campaigns/{{id}}/members/{member.id}")
        assert (await send(world, csv(f"{member.email}", header="email"))).json()["added"] == 1
        assert (await world.balance(member))["wallet_coins"] == 100
        assert (await members(world))[str(member.email)]["attributes"] == {"site": "North"}

    async def test_is_refused_in_a_completed_campaign(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        await world.call(world.manager, "POST", "/campaigns/{id}/complete")
        refused = await send(world, csv(f"{new_email()},,,"))
        assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (409, "campaign-not-active")

    async def test_takes_bodies_longer_than_other_routes(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        padding = b",\n" * 600_000
        assert (await send(world, csv(f"{new_email()},,,") + b"\n" + padding)).status_code == 200
        refused = await world.call(
            world.manager, "POST", "/campaigns/{id}/members", content=padding, headers={"Content-Type": "text/csv"}
        )
        assert refused.status_code in {413, 415}

    @MANY
    async def test_many_people_take_few_statements(
        self, application: FastAPI, client: AsyncClient, many: int, most: int
    ) -> None:
        """Half of them have an account. Coins are granted by one call, and the ledger is consistent."""
        half = many // 2
        world = await make_world(application, client)
        run = uuid4().hex[:8]
        async with parts(application).database.session() as session:
            await session.execute(
                text(
                    "INSERT INTO app.users (email, display_name, email_verified_at)"
                    " SELECT format('%s-%s@example.org', CAST(:run AS text), n), 'Person ' || n, now()"
                    " FROM generate_series(1, CAST(:half AS integer)) AS n"
                ),
                {"run": run, "half": half},
            )
        people = read_file(csv(*(f"{run}-{n}@example.org,Person {n},,North" for n in range(1, many + 1))))
        progress: list[tuple[int, int]] = []
        async with parts(application).database.session(statement_timeout_ms=0) as session:
            campaign = await campaigns.get_campaign(session, world.campaign_id)
            with statements_of(application) as statements:
                result = await import_members(
                    session, parts(application).settings, campaign, people,
                    actor_id=world.manager.id, progress=lambda done, total: progress.append((done, total)),
                )  # fmt: skip
        assert len(statements) < most * 2.5
        assert (result.added, result.invited, result.failed) == (half, half, 0)
        assert progress == [(n * 1000, many) for n in range(1, many // 1000 + 1)]
        async with parts(application).database.session() as session:
            (found,) = await coins.verify(session, world.campaign_id)
            counts = await session.execute(
                text(
                    "SELECT kind, count(*) FROM app.events WHERE campaign_id = :id"
                    " AND kind IN ('member_invited', 'member_joined') GROUP BY kind"
                ),
                {"id": world.campaign_id},
            )
            assert sorted(map(tuple, counts)) == [("member_invited", half), ("member_joined", half + 4)]
        assert (found.holds, found.issued_coins) == (True, (half + 4) * 100)


class TestRolesOfMany:
    @MANY
    async def test_change_by_few_statements_with_wallets_and_events(
        self, application: FastAPI, client: AsyncClient, many: int, most: int
    ) -> None:
        """Many members become observers, and members again, as if each were changed alone."""
        world = await make_world(application, client, members=1)
        run = uuid4().hex[:8]
        async with parts(application).database.session(statement_timeout_ms=0) as session:
            await session.execute(
                text(
                    "INSERT INTO app.users (email, display_name, email_verified_at)"
                    " SELECT format('%s-%s@example.org', CAST(:run AS text), n), 'Person ' || n, now()"
                    " FROM generate_series(1, CAST(:most AS integer)) AS n"
                ),
                {"run": run, "most": many},
            )
        numbers = range(1, many + 1)
        results, counts = [], []
        for role in ("member", "observer", "member"):
            people = read_file(csv(*(f"{run}-{n}@example.org,,{role},{role}" for n in numbers)))
            async with parts(application).database.session(statement_timeout_ms=0) as session:
                campaign = await campaigns.get_campaign(session, world.campaign_id)
                with statements_of(application) as statements:
                    done = await import_members(
                        session, parts(application).settings, campaign, people, actor_id=world.manager.id
                    )
            results.append((done.added, done.updated))
            counts.append(len(statements))
        assert results == [(many, 0), (0, many), (0, many)]
        assert max(counts) < most
        async with parts(application).database.session() as session:
            (found,) = await coins.verify(session, world.campaign_id)
            assert (found.holds, found.issued_coins) == (True, (many + 2) * 100), "no second grant"
            changes = await session.execute(
                text(
                    "SELECT data -> 'before' ->> 'is_frozen', data -> 'after' ->> 'is_frozen', count(*) FROM app.events"
                    " WHERE campaign_id = :id AND kind = 'member_role_changed' GROUP BY 1, 2"
                ),
                {"id": world.campaign_id},
            )
            assert sorted(map(tuple, changes)) == [("false", "true", many), ("true", "false", many)]
            attributes = await session.scalar(
                text(
                    "SELECT count(*) FROM app.memberships"
                    " WHERE campaign_id = :id AND role = 'member' AND attributes = '{\"site\": \"member\"}'"
                ),
                {"id": world.campaign_id},
            )
            assert attributes == many

    async def test_one_manager_is_left_and_the_lines_of_the_others_are_reported(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client, members=2)
        first, second = world.members
        rows = (f"{first.email},,manager,", f"{world.manager.email},,member,")
        assert (await send(world, csv(*rows))).json()["updated"] == 2
        done = await world.call(
            first, "POST", "/campaigns/{id}/member-lists", headers={"Content-Type": "text/csv"},
            content=csv(f"{first.email},,member,", f"{second.email},,manager,"), params={"mode": "continue_on_failure"},
        )  # fmt: skip
        assert [(each["line"], each["column"]) for each in done.json()["errors"]] == [(2, "role")]
        assert done.json()["updated"] == 1


class TestExport:
    async def test_is_a_list_that_changes_nothing_when_it_is_imported(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client, members=2)
        first, second = world.members
        await send(world, csv(f"{first.email},,moderator,North"))
        await send(world, csv(f"{second.email},,,=1+1", header="email,name,role,team"))
        exported = await world.call(world.manager, "GET", "/campaigns/{id}/member-lists")
        assert exported.status_code == 200, exported.text
        assert exported.headers["content-type"] == "text/csv; charset=utf-8"
        header, *rows = exported.content.decode("utf-8-sig").splitlines()
        assert header == "email,name,role,site,team"
        assert f"{first.email},{first.display_name},moderator,North," in rows
        assert f"{second.email},{second.display_name},member,,'=1+1" in rows, "no formula"
        before = await members(world)
        again = await send(world, exported.content.replace(b"'=1+1", b"=1+1"))
        assert again.status_code == 200, again.text
        assert await members(world) == before

    async def test_an_attribute_whose_name_is_a_formula_is_none_in_the_file(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client, members=1)
        body = {"email": world.members[0].email, "attributes": {"=1+1": "North"}}
        assert (await world.call(world.manager, "POST", "/campaigns/{id}/members", json=body)).is_success
        exported = await world.call(world.manager, "GET", "/campaigns/{id}/member-lists")
        assert exported.content.decode("utf-8-sig").splitlines()[0] == "email,name,role,'=1+1"

    async def test_has_the_filters_of_the_list_and_is_for_managers(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client, members=2)
        found = await world.call(world.manager, "GET", "/campaigns/{id}/member-lists?role=manager")
        assert [row.partition(",")[0] for row in found.text.splitlines()[1:]] == [world.manager.email]
        refused = await world.call(world.members[0], "GET", "/campaigns/{id}/member-lists")
        assert refused.status_code == 403
