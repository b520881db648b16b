"""Invitations, deleted accounts, unconfirmed accounts that hold an address, and who may register."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import bcrypt
import pytest
from httpx2 import AsyncClient
from sqlalchemy import text

from api.auth import service
from api.auth.errors import EmailTaken
from api.auth.passwords import check_hash
from api.kernel import clock
from api.kernel.errors import InvalidInput
from settings import SettingsError
from tests.auth.calls import assert_problem, events_of, header, log_in, new_email
from tests.auth.mailboxes import Mailbox
from tests.factories.containers import parts, replaced
from tests.factories.users import PASSWORD, commit_user

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import Response

    from api.auth.models import User
    from settings import Settings

API = "/api/v1"
NEW_PASSWORD = "eleven quiet herons waiting"


@pytest.fixture
async def admin(app: FastAPI) -> User:
    return await commit_user(app, password=PASSWORD, roles=["system_admin"])


@pytest.fixture
async def headers(http: AsyncClient, admin: User) -> dict[str, str]:
    return header(await log_in(http, admin))


async def invite(http: AsyncClient, headers: dict[str, str], email: str, **fields: Any) -> Response:
    return await http.post(f"{API}/users", json={"email": email, "display_name": "Ida", **fields}, headers=headers)


async def accept(http: AsyncClient, token: str, password: str = PASSWORD, name: str = "Ida Lind") -> Response:
    body = {"token": token, "display_name": name, "password": password}
    return await http.post(f"{API}/auth/accept-invitation", json=body)


async def try_log_in(http: AsyncClient, email: str, password: str = PASSWORD) -> Response:
    return await http.post(f"{API}/auth/login", json={"email": email, "password": password})


class TestInvitation:
    async def test_is_completed_by_its_link_once(
        self, app: FastAPI, http: AsyncClient, mails: Mailbox, headers: dict[str, str]
    ) -> None:
        email = new_email()
        invited = await invite(http, headers, email, roles=["executive"])
        assert (invited.status_code, invited.json()["email_verified_at"]) == (201, None)
        token = await mails.token(email)
        assert_problem(await accept(http, token, "short"), 422, "weak-password")
        assert (await accept(http, token)).status_code == 204
        assert_problem(await accept(http, token, NEW_PASSWORD), 422, "link-invalid")
        me = await http.get(f"{API}/users/me", headers=header(await try_log_in(http, email)))
        assert (me.json()["display_name"], me.json()["roles"]) == ("Ida Lind", ["executive"])

    async def test_expires_after_14_days_and_can_be_repeated(
        self, http: AsyncClient, mails: Mailbox, headers: dict[str, str]
    ) -> None:
        email = new_email()
        invited = (await invite(http, headers, email)).json()
        first = await mails.token(email)
        with clock.at(datetime.now(UTC) + timedelta(days=14, minutes=1)):
            assert_problem(await accept(http, first), 422, "link-invalid")
        with clock.at(datetime.now(UTC) + timedelta(minutes=2)):
            again = await http.post(f"{API}/users/{invited['id']}/invite", headers=headers)
            assert again.status_code == 202
            second = await mails.token(email)
        assert_problem(await accept(http, first), 422, "link-invalid")
        assert (await accept(http, second)).status_code == 204
        again = await http.post(f"{API}/users/{invited['id']}/invite", headers=headers)
        assert_problem(again, 409, "email-taken")

    async def test_of_a_confirmed_address_is_refused(
        self, http: AsyncClient, headers: dict[str, str], admin: User
    ) -> None:
        assert_problem(await invite(http, headers, str(admin.email)), 409, "email-taken")
        assert_problem(await invite(http, headers, "no address"), 422, "bad-email")
        assert_problem(await invite(http, headers, new_email(), roles=["emperor"]), 422, "invalid-input")

    async def test_page_completes_it_without_javascript(
        self, http: AsyncClient, mails: Mailbox, headers: dict[str, str]
    ) -> None:
        from tests.web.test_log_in import open_form

        email = new_email()
        await invite(http, headers, email)
        token = await mails.token(email)
        form = await open_form(http, path=f"/invitation?token={token}")
        weak = await http.post("/invitation", data=form | {"name": "Ida", "password": "short"})
        assert (weak.status_code, "12 to 128 characters" in weak.text) == (422, True)
        assert (await http.post("/invitation", data=form | {"csrf": ""})).status_code == 403
        done = await http.post("/invitation", data=form | {"name": "Ida", "password": PASSWORD})
        assert (done.status_code, "Your account is ready" in done.text) == (200, True)
        void = await http.get("/invitation", params={"token": token})
        assert (void.status_code, "The invitation is not valid" in void.text) == (422, True)
        assert (await try_log_in(http, email)).status_code == 200


class TestPreparedAccount:
    async def test_of_a_roster_can_be_invited_and_imported_again(
        self, app: FastAPI, http: AsyncClient, mails: Mailbox, headers: dict[str, str]
    ) -> None:
        email = new_email()
        roster = {"people": [{"name": "Ida Lind", "email": email, "external_id": email, "department": "Yard"}]}
        assert (await http.post(f"{API}/rosters", json=roster, headers=headers)).status_code == 200
        invited = await invite(http, headers, email, roles=["executive"])
        assert (invited.status_code, invited.json()["department"]) == (201, "Yard")
        again = await http.post(f"{API}/rosters", json=roster, headers=headers)
        assert again.status_code == 200, again.text
        assert (await accept(http, await mails.token(email))).status_code == 204
        me = await http.get(f"{API}/users/me", headers=header(await try_log_in(http, email)))
        assert me.json()["roles"] == ["executive"]

    async def test_is_not_changed_by_a_registration_with_its_address(
        self, http: AsyncClient, mails: Mailbox, headers: dict[str, str]
    ) -> None:
        email = new_email()
        invited = (await invite(http, headers, email, roles=["executive"])).json()
        token = await mails.token(email)
        body = {"display_name": "Squatter", "password": NEW_PASSWORD, "email": email}
        assert (await http.post(f"{API}/auth/register", json=body)).status_code == 202
        stored = (await http.get(f"{API}/users/{invited['id']}", headers=headers)).json()
        assert (stored["display_name"], stored["roles"]) == ("Ida", ["executive"])
        assert (await accept(http, token)).status_code == 204
        assert (await try_log_in(http, email, NEW_PASSWORD)).status_code == 401
        assert (await try_log_in(http, email)).status_code == 200


class TestWhoMayRegister:
    @pytest.fixture
    def allowing(self, app: FastAPI) -> Any:
        return lambda **changes: replaced(app, settings=parts(app).settings.with_(**changes))

    async def test_by_domain(self, http: AsyncClient, allowing: Any) -> None:
        body = {"display_name": "Ida", "password": PASSWORD}
        with allowing(registration="domains", registration_domains="Example.org, mint.example"):
            allowed = await http.post(f"{API}/auth/register", json=body | {"email": new_email().lower()})
            assert allowed.status_code == 202
            refused = await http.post(f"{API}/auth/register", json=body | {"email": "ida@sub.example.org"})
            assert "example.org, mint.example" in assert_problem(refused, 403, "registration-closed")["detail"]

    async def test_by_invitation(self, http: AsyncClient, allowing: Any) -> None:
        body = {"display_name": "Ida", "password": PASSWORD, "email": new_email()}
        with allowing(registration="invitation"):
            assert_problem(await http.post(f"{API}/auth/register", json=body), 403, "registration-closed")
            assert "Create an account" not in (await http.get("/login")).text
        assert "Create an account" in (await http.get("/login")).text

    async def test_page_registers(self, http: AsyncClient, mails: Mailbox, allowing: Any) -> None:
        from tests.web.test_log_in import open_form

        email = new_email()
        form = await open_form(http, path="/register")
        typed = {"name": "Ida", "email": email, "password": PASSWORD}
        assert (await http.post("/register", data=form | typed | {"csrf": "x"})).status_code == 403
        for changes in ({"name": ""}, {"email": "no address"}, {"password": "short"}):
            assert (await http.post("/register", data=form | typed | changes)).status_code == 422
        done = await http.post("/register", data=form | typed)
        assert (done.status_code, "Check your mail" in done.text) == (200, True)
        assert len(await mails.receive(email)) == 1
        with allowing(registration="invitation"):
            assert (await http.post("/register", data=form | typed)).status_code == 403

    def test_in_production_it_is_by_invitation(self, database: Settings) -> None:
        given = dict.fromkeys(database.SECRETS, "s" * 40)
        production = database.with_(env="production", database_url="postgresql://db/ideamint", **given)
        assert production.auth.registration == "invitation"
        assert production.with_(registration="open").auth.registration == "open"

    @pytest.mark.parametrize("domains", ["", "a@example.org", "localhost"])
    def test_domains_are_checked(self, database: Settings, domains: str) -> None:
        with pytest.raises(SettingsError, match="IDEAMINT_REGISTRATION_DOMAINS"):
            database.with_(registration="domains", registration_domains=domains)


class TestUnconfirmedAccount:
    async def test_does_not_keep_an_address_from_others(
        self, app: FastAPI, http: AsyncClient, mails: Mailbox, headers: dict[str, str]
    ) -> None:
        created, changed, invited = new_email(), new_email(), new_email()
        for email in (created, changed, invited):
            body = {"display_name": "Squatter", "password": NEW_PASSWORD, "email": email}
            assert (await http.post(f"{API}/auth/register", json=body)).status_code == 202
        squatters_link = await mails.token(created)
        owner = await commit_user(app, email=created, password=PASSWORD)
        confirmed = await http.post(
            f"{API}/auth/verify-email", json={"token": squatters_link, "password": NEW_PASSWORD}
        )
        assert_problem(confirmed, 422, "link-invalid")
        assert (await try_log_in(http, created, NEW_PASSWORD)).status_code == 401
        own = header(await log_in(http, owner))
        asked = await http.post(
            f"{API}/users/me/email", json={"email": changed, "current_password": PASSWORD}, headers=own
        )
        assert asked.status_code == 202
        async with parts(app).database.session() as session:
            assert await service.find_confirmed_user(session, changed) is None
        assert (await invite(http, headers, invited)).status_code == 201

    async def test_a_confirmed_one_keeps_it(self, app: FastAPI) -> None:
        user = await commit_user(app, password=PASSWORD)
        with pytest.raises(EmailTaken):
            await commit_user(app, email=user.email, password=PASSWORD)


class TestDeletion:
    async def test_by_the_owner_hides_the_account_and_ends_its_sessions(
        self, app: FastAPI, http: AsyncClient, mails: Mailbox, headers: dict[str, str]
    ) -> None:
        user = await commit_user(app, password=PASSWORD)
        own = header(await log_in(http, user))
        assert (await http.delete(f"{API}/users/me", headers=own)).status_code == 204
        assert_problem(await http.get(f"{API}/users/me", headers=own), 401, "token-invalid")
        assert (await log_in(http, user)).status_code == 401
        assert [mail["Subject"] for mail in await mails.receive(str(user.email))] == ["Your account was deleted"]
        listed = await http.get(f"{API}/users", params={"q": user.email}, headers=headers)
        assert listed.json()["items"] == []
        deleted = await http.get(f"{API}/users", params={"q": user.email, "is_deleted": "true"}, headers=headers)
        assert [each["id"] for each in deleted.json()["items"]] == [str(user.id)]
        async with parts(app).database.session() as session:
            people = (await session.execute(service.PEOPLE.select().where(service.PEOPLE.c.id == user.id))).one()
        assert (people.display_name, people.email) == ("Deleted user", None)
        assert "user_deleted" in await events_of(app, user)

    async def test_can_be_undone_for_30_days(self, app: FastAPI, http: AsyncClient, headers: dict[str, str]) -> None:
        user = await commit_user(app, password=PASSWORD)
        path = f"{API}/users/{user.id}"
        assert (await http.delete(path, headers=headers)).json()["deleted_at"] is not None
        restored = await http.post(f"{path}/reactivate", headers=headers)
        assert (restored.status_code, restored.json()["deleted_at"]) == (200, None)
        assert (await log_in(http, user)).status_code == 200
        assert (await http.delete(path, headers=headers)).status_code == 200
        async with parts(app).database.session() as session:
            await session.execute(
                text("UPDATE app.users SET deleted_at = now() - interval '31 days' WHERE id = :id"), {"id": user.id}
            )
        late = await http.post(f"{path}/reactivate", headers=headers)
        assert assert_problem(late, 409, "restore-period-over")["days"] == 30

    async def test_of_the_last_administrator_is_refused(
        self, app: FastAPI, http: AsyncClient, headers: dict[str, str], admin: User
    ) -> None:
        async with parts(app).database.session() as session:
            await session.execute(
                text("UPDATE app.users SET is_active = false WHERE 'system_admin' = ANY(roles) AND id <> :id"),
                {"id": admin.id},
            )
        assert_problem(await http.delete(f"{API}/users/me", headers=headers), 409, "last-administrator")
        assert_problem(await http.delete(f"{API}/users/{admin.id}", headers=headers), 409, "last-administrator")


class TestEarlierPasswords:
    async def test_are_refused_if_the_setting_says_so(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app, password=PASSWORD)
        own = header(await log_in(http, user))

        async def change(current: str, new: str) -> Response:
            body = {"current_password": current, "new_password": new}
            return await http.post(f"{API}/users/me/password", json=body, headers=own)

        with replaced(app, settings=parts(app).settings.with_(earlier_passwords_refused=2)):
            assert_problem(await change(PASSWORD, PASSWORD), 422, "password-used-before")
            assert (await change(PASSWORD, NEW_PASSWORD)).status_code == 204
            assert_problem(await change(NEW_PASSWORD, PASSWORD), 422, "password-used-before")
            third = "seven amber lanterns adrift"
            assert (await change(NEW_PASSWORD, third)).status_code == 204
            assert (await change(third, PASSWORD)).status_code == 204, "only the last two are refused"
        assert (await change(PASSWORD, PASSWORD)).status_code == 204, "without the setting none is"


class TestImportedHash:
    async def test_of_bcrypt_logs_in_and_is_replaced(self, app: FastAPI, http: AsyncClient) -> None:
        email, password = new_email(), "correct horse battery staple " * 3
        stored = bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(4)).decode()
        async with parts(app).database.session() as session:
            user = await service.create_user(session, email=email, display_name="Bea", password_hash=stored)
        assert (await try_log_in(http, email, "correct horse battery stapler")).status_code == 401
        assert (await try_log_in(http, email, password)).status_code == 200
        async with parts(app).database.session() as session:
            now_stored = (await service.get_user(session, user.id)).password_hash
        assert str(now_stored).startswith("$argon2id$")
        assert (await try_log_in(http, email, password)).status_code == 200

    @pytest.mark.parametrize(
        "text", ["", "secret", "$2b$12$short", "$argon2i$v=19$m=1,t=1,p=1$aaaaaaaaaaa$b", "$1$md5"]
    )
    def test_of_another_kind_is_refused(self, text: str) -> None:
        with pytest.raises(InvalidInput, match="bcrypt"):
            check_hash(text)

    @pytest.mark.parametrize(
        ("parameters", "problem"),
        [
            ("$2b$15$", "The parameter cost of the hash is 15; it must be from 4 to 14."),
            ("$2b$03$", "The parameter cost of the hash is 03"),
            (
                "$argon2id$v=19$m=1048577,t=1,p=1$",
                "The parameter m of the hash is 1048577; it must be from 8 to 1048576.",
            ),
            ("$argon2id$v=19$m=65536,t=11,p=1$", "The parameter t of the hash is 11"),
            ("$argon2id$v=19$m=65536,t=0,p=1$", "The parameter t of the hash is 0"),
            ("$argon2id$v=19$m=65536,t=3,p=17$", "The parameter p of the hash is 17"),
        ],
    )
    def test_that_costs_too_much_is_refused(self, parameters: str, problem: str) -> None:
        with pytest.raises(InvalidInput, match=problem):
            check_hash(hash_with(parameters))

    @pytest.mark.parametrize(
        "parameters", ["$2b$14$", "$2y$10$", "$argon2id$v=19$m=1048576,t=10,p=16$", "$argon2id$v=19$m=19456,t=2,p=1$"]
    )
    def test_with_usual_parameters_is_accepted(self, parameters: str) -> None:
        check_hash(hash_with(parameters))


def hash_with(parameters: str) -> str:
    """A text in the form of a hash."""
    return parameters + ("a" * 53 if parameters.startswith("$2") else f"{'a' * 22}${'a' * 43}")
