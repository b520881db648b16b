"""Attributes that a campaign defines for its members: definitions, joining, own and managers' changes, lists, copies."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from tests.auth.calls import new_email, problem
from tests.auth.mailboxes import Mailbox, mailbox
from tests.factories.campaigns import World, make_world
from tests.factories.containers import parts, replaced
from tests.factories.users import PASSWORD, commit_user

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fastapi import FastAPI
    from httpx2 import AsyncClient, Response

    from api.auth.models import User

PATH = "/campaigns/{id}/member-attributes"
MINE = "/campaigns/{id}/my-attributes"
DEPARTMENT = {"key": "department", "label": "Department", "kind": "choice", "options": ["Sales", "Works"]}


@pytest.fixture
def mails(application: FastAPI, tmp_path: Path) -> Iterator[Mailbox]:
    with mailbox(application, tmp_path / "mails") as box:
        yield box


async def define(world: World, **fields: Any) -> dict[str, Any]:
    made = await world.call(world.manager, "POST", PATH, json=DEPARTMENT | fields)
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


async def join(world: World, user: User, **attributes: str) -> Response:
    return await world.call(user, "POST", "/campaigns/{id}/join", json={"attributes": attributes})


async def set_values(world: World, user: User, **values: str | None) -> Response:
    path = f"/campaigns/{{id}}/members/{user.id}/attributes"
    return await world.call(world.manager, "PATCH", path, json={"attributes": values})


async def values_of(world: World, user: User) -> dict[str, str]:
    response = await world.call(user, "GET", MINE)
    assert response.status_code == 200, response.text
    found: dict[str, str] = response.json()["attributes"]
    return found


async def send(world: World, *rows: str, **query: Any) -> Response:
    return await world.call(
        world.manager, "POST", "/campaigns/{id}/member-lists", content="\n".join(rows).encode(), params=query,
        headers={"Content-Type": "text/csv"},
    )  # fmt: skip


class TestDefine:
    async def test_are_listed_in_their_order_with_counts_for_managers(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client)
        await define(world, position=1)
        await define(world, key="site", label="Site", kind="text", options=[])
        await set_values(world, world.members[0], department="Sales")
        shown = (await world.call(world.manager, "GET", PATH)).json()
        assert [(each["key"], each["members"]) for each in shown] == [("site", 0), ("department", 1)]
        stranger = await commit_user(application)
        assert [each["members"] for each in (await world.call(stranger, "GET", PATH)).json()] == [None, None]
        assert problem(await world.call(world.members[0], "POST", PATH, json=DEPARTMENT)) == (403, "not-a-manager")

    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            ({"key": "Department"}, (422, "validation")),
            ({"key": "email"}, (422, "validation")),
            ({"options": ["Sales", "Sales"]}, (422, "validation")),
            ({"options": [" "]}, (422, "validation")),
            ({"kind": "number"}, (422, "validation")),
            ({"options": []}, (422, "invalid-input")),
            ({"kind": "text"}, (422, "invalid-input")),
            ({"is_required": True, "is_asked": False}, (422, "invalid-input")),
        ],
        ids=str,
    )
    async def test_refuses_what_contradicts_itself(
        self, application: FastAPI, client: AsyncClient, fields: dict[str, Any], expected: tuple[int, str]
    ) -> None:
        world = await make_world(application, client)
        assert problem(await world.call(world.manager, "POST", PATH, json=DEPARTMENT | fields)) == expected

    async def test_refuses_a_taken_key_and_too_many(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        await define(world)
        taken = await world.call(world.manager, "POST", PATH, json=DEPARTMENT)
        assert problem(taken) == (409, "member-attribute-taken")
        for number in range(19):
            await define(world, key=f"a{number}")
        more = await world.call(world.manager, "POST", PATH, json=DEPARTMENT | {"key": "more"})
        assert problem(more) == (409, "too-many-member-attributes")

    async def test_present_free_values_are_kept_or_removed_by_command(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client)
        for member, value in zip(world.members, ("Sales", "sales dept.", "sales dept."), strict=True):
            await set_values(world, member, department=value)
        refused = await world.call(world.manager, "POST", PATH, json=DEPARTMENT)
        assert problem(refused) == (409, "member-attribute-in-use")
        assert (refused.json()["members"], refused.json()["by_value"]) == (2, {"sales dept.": 2})
        made = await world.call(world.manager, "POST", PATH, json=DEPARTMENT, params={"remove_values": True})
        assert made.status_code == 201, made.text
        assert [await values_of(world, each) for each in world.members] == [{"department": "Sales"}, {}, {}]

    async def test_is_refused_in_a_completed_campaign(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        await world.call(world.manager, "POST", "/campaigns/{id}/complete")
        assert problem(await world.call(world.manager, "POST", PATH, json=DEPARTMENT)) == (409, "campaign-not-active")


class TestEditDefinition:
    async def test_an_option_that_members_have_is_removed_by_command_only(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client)
        path = f"{PATH}/{(await define(world))['id']}"
        await set_values(world, world.members[0], department="Sales")
        await set_values(world, world.members[1], department="Works")
        refused = await world.call(world.manager, "PATCH", path, json={"options": ["Works", "IT"]})
        assert problem(refused) == (409, "member-attribute-in-use")
        assert refused.json()["by_value"] == {"Sales": 1}
        body = {"options": ["Works", "IT"], "label": "Unit"}
        shown = await world.call(
            world.manager, "PATCH", path, json=body, params={"remove_values": True, "dry_run": True}
        )
        assert (shown.status_code, await values_of(world, world.members[0])) == (200, {"department": "Sales"})
        done = await world.call(world.manager, "PATCH", path, json=body, params={"remove_values": True})
        assert (done.json()["options"], done.json()["label"]) == (["Works", "IT"], "Unit")
        assert [await values_of(world, each) for each in world.members[:2]] == [{}, {"department": "Works"}]
        await set_values(world, world.members[0], department="IT")
        text_ = await world.call(world.manager, "PATCH", path, json={"kind": "text"})
        assert (text_.status_code, text_.json()["options"]) == (200, [])

    async def test_an_unknown_one_is_not_found(self, application: FastAPI, client: AsyncClient) -> None:
        world, other = await make_world(application, client), await make_world(application, client)
        path = f"{PATH}/{(await define(other))['id']}"
        for method, body in (("PATCH", {"label": "Unit"}), ("DELETE", None)):
            refused = await world.call(world.manager, method, path, json=body)
            assert problem(refused) == (404, "member-attribute-not-found")


class TestDeleteDefinition:
    async def test_states_how_many_people_have_a_value(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        path = f"{PATH}/{(await define(world))['id']}"
        for member in world.members[:2]:
            await set_values(world, member, department="Sales")
        await world.call(world.members[1], "POST", "/campaigns/{id}/leave")
        refused = await world.call(world.manager, "DELETE", path)
        assert (problem(refused), refused.json()["members"]) == ((409, "member-attribute-in-use"), 2)
        done = await world.call(world.manager, "DELETE", path, params={"remove_values": True})
        assert (done.status_code, done.json()) == (200, {"members": 2})
        assert (await values_of(world, world.members[0]), (await world.call(world.manager, "GET", PATH)).json()) == (
            {},
            [],
        )


class TestJoin:
    async def test_asks_for_what_is_required(self, application: FastAPI, client: AsyncClient) -> None:
        world, user = await make_world(application, client), await commit_user(application)
        await define(world, is_required=True)
        await define(world, key="badge", label="Badge", kind="text", options=[], is_asked=False, is_editable=False)
        missing = await world.call(user, "POST", "/campaigns/{id}/join")
        assert problem(missing) == (422, "member-attributes-refused")
        assert missing.json()["faults"] == {"department": "is required"}
        wrong = await join(world, user, department="Tax", badge="7", colour="red")
        assert sorted(wrong.json()["faults"]) == ["badge", "colour", "department"]
        assert "one of Sales, Works" in wrong.json()["faults"]["department"]
        assert (await join(world, user, department="Sales")).status_code == 200
        assert await values_of(world, user) == {"department": "Sales"}

    async def test_without_definitions_takes_no_values(self, application: FastAPI, client: AsyncClient) -> None:
        world, user = await make_world(application, client), await commit_user(application)
        assert problem(await join(world, user, department="Sales")) == (422, "member-attributes-refused")
        assert (await world.call(user, "POST", "/campaigns/{id}/join")).status_code == 200

    async def test_who_returns_has_the_values_that_are_allowed_now(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client)
        member = world.members[0]
        made = await define(world, is_required=True, is_editable=False)
        await define(world, key="site", label="Site", kind="text", options=[])
        await set_values(world, member, department="Sales", site="North")
        await world.call(member, "POST", "/campaigns/{id}/leave")
        refused = await join(world, member, department="Works")
        assert refused.json()["faults"] == {"department": "is 'Sales'; only managers change it"}
        assert (await world.call(member, "POST", "/campaigns/{id}/join")).status_code == 200
        assert await values_of(world, member) == {"department": "Sales", "site": "North"}
        await world.call(member, "POST", "/campaigns/{id}/leave")
        path = f"{PATH}/{made['id']}"
        await world.call(world.manager, "PATCH", path, json={"options": ["Works"]}, params={"remove_values": True})
        assert (await world.call(member, "POST", "/campaigns/{id}/join")).status_code == 422
        assert (await join(world, member, department="Works")).status_code == 200

    async def test_managers_add_people_with_valid_values_only(self, application: FastAPI, client: AsyncClient) -> None:
        world, user = await make_world(application, client), await commit_user(application)
        await define(world, is_required=True)
        body: dict[str, Any] = {"email": user.email, "attributes": {"department": "Tax"}}
        for refused in (body, {"email": user.email}):
            response = await world.call(world.manager, "POST", "/campaigns/{id}/members", json=refused)
            assert problem(response) == (422, "member-attributes-refused")
        body["attributes"] = {"department": "Works"}
        assert (await world.call(world.manager, "POST", "/campaigns/{id}/members", json=body)).status_code == 201


class TestRequest:
    async def test_the_answers_of_a_request_are_those_of_the_member(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client, join_policy="by_request")
        user = await commit_user(application)
        made = await define(world, is_required=True)
        path = "/campaigns/{id}/join-requests"
        assert problem(await world.call(user, "POST", path, json={})) == (422, "member-attributes-refused")
        asked = await world.call(user, "POST", path, json={"attributes": {"department": "Sales"}})
        assert (asked.status_code, asked.json()["attributes"]) == (201, {"department": "Sales"})
        # what the campaign no longer allows is left out
        await world.call(world.manager, "PATCH", f"{PATH}/{made['id']}", json={"options": ["Works"]})
        approved = await world.call(world.manager, "POST", f"{path}/{asked.json()['id']}/approve")
        assert approved.status_code == 200, approved.text
        assert await values_of(world, user) == {}


class TestInvitation:
    async def test_asks_for_what_the_invitation_does_not_have(
        self, application: FastAPI, client: AsyncClient, mails: Mailbox
    ) -> None:
        world, user = await make_world(application, client), await commit_user(application)
        assert user.email is not None
        await define(world, is_required=True, is_editable=False)
        await define(world, key="site", label="Site", kind="text", options=[], is_required=True)
        invite = {"invitations": [{"email": user.email, "attributes": {"department": "Tax"}}]}
        refused = await world.call(world.manager, "POST", "/campaigns/{id}/invitations", json=invite)
        assert (problem(refused), refused.json()["email"]) == ((422, "member-attributes-refused"), user.email)
        invite["invitations"][0]["attributes"] = {"department": "Sales"}
        assert (await world.call(world.manager, "POST", "/campaigns/{id}/invitations", json=invite)).is_success
        path = f"/invitations/{await mails.token(user.email)}/accept"
        missing = await world.call(user, "POST", path)
        assert missing.json()["faults"] == {"site": "is required"}
        accepted = await world.call(user, "POST", path, json={"attributes": {"site": "North"}})
        assert accepted.status_code == 200, accepted.text
        assert await values_of(world, user) == {"department": "Sales", "site": "North"}

    async def test_the_page_asks_and_checks(self, application: FastAPI, client: AsyncClient, mails: Mailbox) -> None:
        world, email = await make_world(application, client), new_email()
        await define(world, is_required=True, label="Department <b>")
        await define(world, key="site", label="Site", kind="text", options=[])
        await world.call(
            world.manager, "POST", "/campaigns/{id}/invitations",
            json={"invitations": [{"email": email, "attributes": {"site": "North"}}]},
        )  # fmt: skip
        token = await mails.token(email)
        allowed = parts(application).settings.with_(registration="invitation")
        with replaced(application, settings=allowed):
            page = await client.get("/campaign-invitation", params={"token": token})
            assert "Department &lt;b&gt;" in page.text
            assert re.search(r'<select id="attribute-department"[^>]* required>', page.text)
            assert re.search(r'<input id="attribute-site"[^>]* value="North"', page.text)
            fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text))
            fields |= {"name": "Ida", "password": PASSWORD, "attribute-site": "South"}
            refused = await client.post("/campaign-invitation", data=fields)
            assert (refused.status_code, "Department &lt;b&gt; is required." in refused.text) == (422, True)
            assert re.search(r'<input id="attribute-site"[^>]* value="South"', refused.text)
            long = await client.post("/campaign-invitation", data=fields | {"attribute-site": "x" * 201})
            assert long.status_code == 422
            done = await client.post("/campaign-invitation", data=fields | {"attribute-department": "Works"})
        assert done.status_code == 200, done.text
        found = (await world.call(world.manager, "GET", "/campaigns/{id}/members", params={"q": email})).json()["items"]
        assert [each["attributes"] for each in found] == [{"department": "Works", "site": "South"}]


class TestValues:
    async def test_members_change_what_they_may(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        member = world.members[0]
        await define(world, is_required=True)
        await define(world, key="badge", label="Badge", kind="text", options=[], is_editable=False)
        await set_values(world, member, badge="7")
        done = await world.call(member, "PATCH", MINE, json={"attributes": {"department": "Works"}})
        assert done.json() == {"attributes": {"badge": "7", "department": "Works"}}
        for changes, key in (
            ({"department": "Tax"}, "department"), ({"department": None}, "department"), ({"badge": "8"}, "badge"),
            ({"colour": "red"}, "colour"),
        ):  # fmt: skip
            refused = await world.call(member, "PATCH", MINE, json={"attributes": changes})
            assert (problem(refused), list(refused.json()["faults"])) == ((422, "member-attributes-refused"), [key])
        stranger = await commit_user(application)
        assert problem(await world.call(stranger, "GET", MINE)) == (403, "not-a-member")

    async def test_managers_change_all(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        await define(world, is_editable=False)
        done = await set_values(world, world.members[0], department="Sales")
        assert (done.status_code, done.json()["attributes"]) == (200, {"department": "Sales"})
        assert (await set_values(world, world.members[0], department=None)).json()["attributes"] == {}
        assert problem(await set_values(world, world.members[0], department="Tax"))[1] == "member-attributes-refused"
        path = f"/campaigns/{{id}}/members/{world.members[0].id}/attributes"
        body = {"attributes": {"department": "Sales"}}
        assert problem(await world.call(world.members[1], "PATCH", path, json=body)) == (403, "not-a-manager")
        assert problem(await set_values(world, await commit_user(application), department="Sales"))[1] == "not-a-member"

    async def test_the_database_refuses_values_and_definitions_that_differ(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client)
        await define(world)
        await set_values(world, world.members[0], department="Sales")
        update = "UPDATE app.memberships SET attributes = '{}' WHERE campaign_id = :id"
        insert = (
            "INSERT INTO app.memberships (campaign_id, user_id, attributes) SELECT campaign_id, user_id, '{}' FROM"
            " (SELECT DISTINCT campaign_id, user_id FROM app.memberships WHERE campaign_id = :id AND role = 'manager')"
        )
        of_campaign = "WHERE campaign_id = :id"
        for statement in (
            update.replace("'{}'", """'{"department": "Tax"}'"""),
            update.replace("'{}'", """'{"colour": "red"}'"""),
            update.replace("'{}'", """'{"department": 7}'"""),
            insert.replace("'{}'", """'{"department": "Tax"}'""")
            .replace("attributes)", "attributes, left_at)")
            .replace(" FROM (", ", now() FROM ("),
            f"UPDATE app.member_attributes SET options = '{{Works}}' {of_campaign}",
            f"UPDATE app.member_attributes SET options = '{{Sales,Sales}}' {of_campaign}",
            f"UPDATE app.member_attributes SET options = '{{}}' {of_campaign}",
            f"UPDATE app.member_attributes SET is_required = true, is_asked = false {of_campaign}",
            f"UPDATE app.member_attributes SET key = 'email' {of_campaign}",
        ):
            with pytest.raises(IntegrityError):
                async with parts(application).database.session() as session:
                    await session.execute(
                        text(statement.replace(":id", f"'{world.campaign_id}'").replace(": ", "\\: "))
                    )


class TestLists:
    async def test_an_unknown_column_is_reported_with_its_number(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client)
        await define(world)
        for mode in ("atomic", "continue_on_failure"):
            refused = await send(world, "email,Department,site", f"{new_email()},Sales,North", mode=mode)
            assert refused.status_code == 422
            assert [(each["line"], each["column"]) for each in refused.json()["errors"]] == [(1, "site")]
            assert "column 3 of the header" in refused.json()["errors"][0]["problem"]

    async def test_values_are_checked_by_line_and_column(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        await define(world, is_required=True, label="Business unit")
        users = [await commit_user(application) for _ in range(2)]
        rows = (
            f"{users[0].email},Sales", f"{users[1].email},", f"{world.members[0].email},Tax",
            f"{world.members[1].email},Works", f"{new_email()},",
        )  # fmt: skip
        done = await send(world, "email,Business Unit", *rows, mode="continue_on_failure")
        result = done.json()
        assert (result["added"], result["updated"], result["invited"], result["failed"]) == (1, 1, 1, 2)
        assert [(each["line"], each["column"]) for each in result["errors"]] == [(3, "department"), (4, "department")]
        assert await values_of(world, users[0]) == {"department": "Sales"}

    async def test_the_export_has_the_defined_columns_and_can_be_imported(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client)
        await set_values(world, world.members[0], left_over="x")
        await define(world, position=2)
        await define(world, key="site", label="Site", kind="text", options=[])
        await set_values(world, world.members[0], department="Sales")
        exported = await world.call(world.manager, "GET", "/campaigns/{id}/member-lists")
        header, *rows = exported.content.decode("utf-8-sig").splitlines()
        assert header == "email,name,role,site,department"
        again = await send(world, header, *rows)
        assert (again.status_code, again.json()["unchanged"]) == (200, 4)


class TestCopy:
    async def test_a_copy_of_a_campaign_has_the_definitions(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        made = await define(world, is_required=True, is_editable=False, position=3)
        body = {"title": "The next year", "copy_of": str(world.campaign_id)}
        copied = await world.call(world.manager, "POST", "/campaigns", json=body)
        assert copied.status_code == 201, copied.text
        (found,) = (
            await world.call(world.manager, "GET", f"/campaigns/{copied.json()['id']}/member-attributes")
        ).json()
        assert found["id"] != made["id"]
        assert {**found, "id": made["id"]} == {**made, "members": 0}
        deleted = await world.call(world.manager, "DELETE", f"/campaigns/{copied.json()['id']}")
        assert deleted.status_code == 204, deleted.text
