"""Rosters: the reader of files, and the import by the API and the command."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from api.auth import lifecycle, service
from api.auth.rosters import reading
from api.auth.rosters.importing import import_roster
from api.auth.rosters.reading import read_rows
from api.kernel.errors import InvalidInput
from api.kernel.permissions import SystemRole
from tests.auth.calls import assert_problem, events_of, log_in, new_email
from tests.factories.containers import parts, statements_of
from tests.factories.users import PASSWORD, bearer, commit_user

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient, Response

    from api.auth.models import User
    from tests.auth.mailboxes import Mailbox


def listed(**values: Any) -> dict[str, Any]:
    return {"name": "Zofia Nowak", "email": new_email().lower(), **values}


async def send(app: FastAPI, http: AsyncClient, *people: dict[str, Any], **query: Any) -> Response:
    caller = await commit_user(app, roles=[SystemRole.SYSTEM_ADMIN])
    headers = await bearer(app, caller)
    return await http.post("/api/v1/rosters", json={"people": people}, params=query, headers=headers)


async def account(app: FastAPI, email: str) -> User | None:
    async with parts(app).database.session() as session:
        return await service.find_user_by_email(session, email)


async def fresh(app: FastAPI, user: User) -> User:
    async with parts(app).database.session() as session:
        return await service.get_user(session, user.id)


class TestReadRows:
    @pytest.mark.parametrize(
        "body",
        [
            b"name,email,department,external_id,active\nJo,jo@example.org,R&D,7,yes\n",
            b"\xef\xbb\xbfName;Email;Department;External ID;Active\r\nJo;jo@example.org;R&D;7;TAK\r\n",
            b"EMAIL\tNAME\tACTIVE\tExternal-Id\tDEPARTMENT\njo@example.org\tJo\t1\t7\tR&D\n",
            "name,email,department,external id,active,,\nJo,jo@example.org,R&D,7,,,\n,,,,,,\n".encode("utf-16"),
            b'name,email,department,external_id,active\n"Jo","jo@example.org","R&D","7","true"',
        ],
    )
    def test_accepts_what_spreadsheets_write(self, body: bytes) -> None:
        [row] = read_rows(body)
        assert (row.line, row.person.name, row.person.email) == (2, "Jo", "jo@example.org")
        assert (row.person.department, row.person.external_id, row.person.active) == ("R&D", "7", True)

    def test_reads_windows_1250(self) -> None:
        [row] = read_rows("name;email\nŻółć Łęcka;zl@example.org\n".encode("cp1250"))
        assert row.person.name == "Żółć Łęcka"

    def test_counts_blank_rows_and_lines_inside_of_fields(self) -> None:
        with pytest.raises(InvalidInput, match=r"^line 6, column name: "):
            read_rows(b'name,email,department\n\n"Jo","jo@example.org","R&D\n"\n\n,jo@example.org,\n')

    @pytest.mark.parametrize(
        ("body", "problem"),
        [
            (b"", "line 1: the header is ''"),
            (b"name\nJo\n", "line 1: the header is 'name'; it must have name and email"),
            (b"name,email,email\n", "line 1: the header"),
            (b"name,email,salary\n", "line 1: the header"),
            (b"name,email\n", "line 2: there is no person"),
            (b"name,email\nJo\n", "line 2: 1 fields; there must be 2."),
            (b"name,email\nJo,jo@example.org,x\n", "line 2: 3 fields; there must be 2."),
            (b"name,email\nJo,jo.example.org\n", "line 2, column email: "),
            (b"name,email\n,jo@example.org\n", "line 2, column name: "),
            (b"name,email,active\nJo,jo@example.org,maybe\n", "line 2, column active: "),
            (b'name,email\n"Jo,jo@example.org\n', "line 2: unexpected end of data."),
            (b"name,email\nJo,jo@example.org\nJ\x81,j@example.org\n", "line 3: the file is neither UTF-8"),
            (b"name,email\nJ\0,j@example.org\n", "line 2: the file is neither UTF-8"),
        ],
    )
    def test_an_error_names_line_and_column(self, body: bytes, problem: str) -> None:
        with pytest.raises(InvalidInput) as caught:
            read_rows(body)
        assert caught.value.detail.startswith(problem)

    def test_lists_twenty_errors(self) -> None:
        with pytest.raises(InvalidInput, match=r"; and 5 more$") as caught:
            read_rows(b"name,email\n" + b"Jo,nowhere\n" * 25)
        assert len(caught.value.extensions["errors"]) == 20


class TestImportRoster:
    async def test_creates_accounts_that_their_owners_confirm(
        self, app: FastAPI, http: AsyncClient, mails: Mailbox
    ) -> None:
        person = listed(department="Research", external_id=uuid4().hex)
        response = await send(app, http, person)
        assert (response.status_code, response.json()["created"]) == (200, 1)
        user = await account(app, person["email"])
        assert user is not None
        assert (user.display_name, user.department, user.external_id) == (
            person["name"], person["department"], person["external_id"],
        )  # fmt: skip
        assert (user.password_hash, user.email_verified_at) == (None, None)
        assert await events_of(app, user) == ["user_created"]
        assert (await log_in(http, user)).status_code == 401
        await http.post("/api/v1/auth/forgot-password", json={"email": person["email"]})
        body = {"token": await mails.token(person["email"]), "password": PASSWORD}
        assert (await http.post("/api/v1/auth/reset-password", json=body)).status_code == 204
        assert (await log_in(http, user)).status_code == 200

    async def test_updates_accounts_by_address_and_by_external_id(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app, department="Sales")
        external_id = uuid4().hex
        first = await send(app, http, listed(email=(user.email or "").upper(), external_id=external_id))
        assert (first.json()["created"], first.json()["updated"]) == (0, 1)
        moved = listed(external_id=external_id, department="Research")
        second = await send(app, http, moved)
        assert (second.json()["created"], second.json()["updated"]) == (0, 1)
        assert second.json()["other_addresses"] == [moved["email"]]
        after = await fresh(app, user)
        assert (after.display_name, after.department, after.email) == ("Zofia Nowak", "Research", user.email)
        assert after.email_verified_at is not None

    async def test_a_second_import_changes_nothing(self, app: FastAPI, http: AsyncClient) -> None:
        people = [listed(), listed(department="Sales")]
        await send(app, http, *people)
        response = await send(app, http, *people)
        assert (response.json()["unchanged"], response.json()["updated"], response.json()["created"]) == (2, 0, 0)

    async def test_reads_csv(self, app: FastAPI, http: AsyncClient) -> None:
        email = new_email().lower()
        headers = await bearer(app, await commit_user(app, roles=[SystemRole.SYSTEM_ADMIN]))
        response = await http.post(
            "/api/v1/rosters",
            content=f"Name;Email\nŁucja;{email}\n".encode("cp1250"),
            headers=headers | {"Content-Type": "text/csv"},
        )
        assert (response.status_code, response.json()["created"]) == (200, 1)
        user = await account(app, email)
        assert user is not None
        assert user.display_name == "Łucja"

    async def test_an_address_that_is_none_is_refused_with_its_number(self, app: FastAPI, http: AsyncClient) -> None:
        document = assert_problem(await send(app, http, listed(), listed(email="nowhere")), 422, "invalid-input")
        assert document["detail"].startswith("line 2, column email: ")

    @pytest.mark.parametrize("content_type", ["text/csv", "application/json"])
    async def test_does_not_check_addresses_in_the_event_loop(
        self, app: FastAPI, http: AsyncClient, monkeypatch: pytest.MonkeyPatch, content_type: str
    ) -> None:
        threads = []

        def check(email: str) -> str:
            threads.append(threading.get_ident())
            return service.check_email(email)

        monkeypatch.setattr(reading, "check_email", check)
        person = listed()
        content = {
            "text/csv": f"name,email\n{person['name']},{person['email']}\n",
            "application/json": json.dumps({"people": [person]}),
        }
        headers = await bearer(app, await commit_user(app, roles=[SystemRole.SYSTEM_ADMIN]))
        response = await http.post(
            "/api/v1/rosters", content=content[content_type], headers=headers | {"Content-Type": content_type}
        )
        assert (response.status_code, len(threads)) == (200, 1)
        assert threads[0] != threading.get_ident()

    async def test_a_dry_run_writes_nothing(self, app: FastAPI, http: AsyncClient) -> None:
        person = listed()
        response = await send(app, http, person, dry_run="true")
        assert (response.status_code, response.json()["created"]) == (200, 1)
        assert await account(app, person["email"]) is None

    async def test_writes_all_or_nothing(self, app: FastAPI, http: AsyncClient) -> None:
        one, two = await commit_user(app, external_id=uuid4().hex), await commit_user(app, external_id=uuid4().hex)
        new = listed()
        for wrong in (
            listed(email=one.email, external_id=two.external_id),
            listed(email=one.email, external_id=uuid4().hex),
            new | {"email": new["email"].upper()},
        ):
            document = assert_problem(await send(app, http, new, wrong), 422, "invalid-input")
            assert document["errors"][0]["line"] == 2
            assert await account(app, new["email"]) is None

    async def test_deactivates_people_who_have_left(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app, password=PASSWORD)
        new = listed(active=False)
        response = await send(app, http, listed(email=user.email, active=False), new, confirmed="true")
        assert response.json()["deactivated"] == [user.email]
        assert not (await fresh(app, user)).is_active
        assert await account(app, new["email"]) is None
        assert (await log_in(http, user)).status_code == 401

    async def test_reports_active_people_whose_account_is_deactivated(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app, is_active=False)
        response = await send(app, http, listed(email=user.email))
        assert response.json()["still_deactivated"] == [user.email]
        assert not (await fresh(app, user)).is_active

    async def test_deleted_accounts_are_neither_changed_nor_shown(self, app: FastAPI, http: AsyncClient) -> None:
        users = [await commit_user(app, external_id=uuid4().hex) for _ in range(3)]
        async with parts(app).database.session() as session:
            for user in users:
                await lifecycle.delete_user(session, await lifecycle.lock_user(session, user.id), actor_id=None)
        by_address, by_id = listed(email=users[0].email), listed(external_id=users[1].external_id)
        gone = listed(email=users[2].email, external_id=uuid4().hex, active=False)
        response = await send(app, http, by_address, by_id, gone)
        assert (response.status_code, response.json()["deleted"]) == (200, 3)
        assert not any(user.email in response.text for user in users if user.email)
        for user in users:
            after = await fresh(app, user)
            assert (after.display_name, after.external_id) == (user.display_name, user.external_id)
        other = await commit_user(app)
        document = assert_problem(
            await send(app, http, listed(email=other.email, external_id=users[1].external_id)), 422, "invalid-input"
        )
        assert users[1].email not in document["detail"]
        assert "the account with this external id is deleted" in document["detail"]

    async def test_deactivates_missing_people_only_when_asked_and_confirmed(
        self, app: FastAPI, http: AsyncClient
    ) -> None:
        missing = await commit_user(app)
        assert (await send(app, http, listed())).json()["deactivated"] == []
        document = assert_problem(
            await send(app, http, listed(), deactivate_missing="true"), 409, "roster-deactivates-many"
        )
        assert document["deactivated"] <= document["active"]
        assert (await fresh(app, missing)).is_active
        preview = await send(app, http, listed(), deactivate_missing="true", confirmed="true", dry_run="true")
        assert missing.email in preview.json()["deactivated"]
        assert preview.json()["kept"] != []  # the caller, who is in no roster
        assert (await fresh(app, missing)).is_active

    async def test_needs_the_same_number_of_statements_for_many_people(self, app: FastAPI, http: AsyncClient) -> None:
        caller = await commit_user(app, roles=[SystemRole.SYSTEM_ADMIN])
        headers = await bearer(app, caller)
        used = []
        for size in (2, 12):
            users = [await commit_user(app) for _ in range(2 * size)]
            renamed = [listed(email=user.email) for user in users[:size]]
            leaving = [listed(email=user.email, name=user.display_name, active=False) for user in users[size:]]
            people = [*renamed, *leaving, *(listed() for _ in range(size))]
            with statements_of(app) as statements:
                response = await http.post("/api/v1/rosters?confirmed=true", json={"people": people}, headers=headers)
            assert response.status_code == 200, response.text
            result = response.json()
            assert (result["created"], result["updated"], len(result["deactivated"])) == (size, size, size)
            for user in users[size:]:
                assert (await events_of(app, user))[-2:] == ["user_deactivated", "user_sessions_ended"]
            used.append(len(statements))
        assert used[0] == used[1]

    async def test_needs_the_permission(self, app: FastAPI, http: AsyncClient) -> None:
        headers = await bearer(app, await commit_user(app))
        response = await http.post("/api/v1/rosters", json={"people": [listed()]}, headers=headers)
        assert_problem(response, 403, "forbidden")


class TestLastAdministrator:
    async def test_is_never_deactivated(self, app: FastAPI) -> None:
        """By the command, which has no caller; rolled back, since the accounts of other tests are left out of it."""
        admin = await commit_user(app, roles=[SystemRole.SYSTEM_ADMIN])
        rows = read_rows(f"name,email\nJo,{new_email()}\n".encode())
        async with parts(app).database.dry_run() as session:
            others = text("UPDATE app.users SET is_active = false WHERE is_active AND id <> :id")
            await session.execute(others, {"id": admin.id})
            result = await import_roster(
                session, parts(app).settings, rows, actor_id=None, deactivate_missing=True, confirmed=True
            )
            left = await session.scalar(
                text("SELECT count(*) FROM app.users WHERE is_active AND 'system_admin' = ANY (roles)")
            )
        assert (left, len(result.kept)) == (1, 1)
