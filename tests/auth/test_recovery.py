"""New passwords and addresses, with and without the old password."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from api.auth import log_ins, sessions
from api.auth.errors import LogInFailed, PasswordWrong
from api.auth.password_checks import check_password
from api.auth.throttle import ALERT_FAILURES
from api.kernel import clock
from tests.auth.calls import assert_problem, browser_cookie, events_of, header, log_in, new_email, refresh
from tests.auth.mailboxes import Mailbox, text_of, token_of
from tests.factories.containers import parts
from tests.factories.users import PASSWORD, bearer, commit_user

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient, Response

    from api.auth.models import User

NEW_PASSWORD = "eleven quiet herons waiting"


async def forget(http: AsyncClient, email: str | None) -> None:
    assert (await http.post("/api/v1/auth/forgot-password", json={"email": email})).status_code == 202


async def reset(http: AsyncClient, token: str, password: str = NEW_PASSWORD) -> Response:
    return await http.post("/api/v1/auth/reset-password", json={"token": token, "password": password})


async def change_password(http: AsyncClient, headers: dict[str, str], **changes: Any) -> Response:
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD} | changes
    return await http.post("/api/v1/users/me/password", json=body, headers=headers)


async def change_email(http: AsyncClient, headers: dict[str, str], email: str, password: str = PASSWORD) -> Response:
    body = {"email": email, "current_password": password}
    return await http.post("/api/v1/users/me/email", json=body, headers=headers)


async def confirm(http: AsyncClient, token: str, password: str = PASSWORD) -> Response:
    return await http.post("/api/v1/auth/verify-email", json={"token": token, "password": password})


@pytest.fixture
async def user(app: FastAPI) -> User:
    return await commit_user(app, password=PASSWORD)


class TestResetPassword:
    async def test_sets_the_password_ends_all_sessions_and_informs_the_owner(
        self, app: FastAPI, http: AsyncClient, mails: Mailbox, user: User
    ) -> None:
        tokens, cookie = await log_in(http, user), await browser_cookie(app, user)
        await forget(http, user.email)
        (message,) = await mails.receive(user.email or "")
        assert "30\N{NO-BREAK SPACE}minutes" in text_of(message)
        assert (await reset(http, token_of(message))).status_code == 204
        assert_problem(await refresh(http, tokens.json()["refresh_token"]), 401, "refresh-token-invalid")
        assert_problem(await http.get("/api/v1/users/me", headers=header(tokens)), 401, "token-invalid")
        report = await http.get("/login", headers={"Cookie": f"ideamint_session={cookie}"})
        assert report.status_code == 200
        assert [(await log_in(http, user, each)).status_code for each in (PASSWORD, NEW_PASSWORD)] == [401, 200]
        (notice,) = await mails.receive(user.email or "")
        assert NEW_PASSWORD not in notice.as_string()
        assert "password" in notice["Subject"].lower()
        assert {"password_reset_requested", "password_changed"} <= set(await events_of(app, user))

    async def test_a_link_works_once_for_30_minutes_and_only_the_newest(
        self, http: AsyncClient, mails: Mailbox, user: User
    ) -> None:
        await forget(http, user.email)
        first = await mails.token(user.email or "")
        with clock.at(datetime.now(UTC) + timedelta(minutes=2)):
            await forget(http, user.email)
            second = await mails.token(user.email or "")
            assert_problem(await reset(http, first), 422, "link-invalid")
        with clock.at(datetime.now(UTC) + timedelta(minutes=33)):
            assert_problem(await reset(http, second), 422, "link-invalid")
        assert (await reset(http, second)).status_code == 204
        assert_problem(await reset(http, second), 422, "link-invalid")

    async def test_concurrent_uses_of_a_link_succeed_once(self, http: AsyncClient, mails: Mailbox, user: User) -> None:
        await forget(http, user.email)
        token = await mails.token(user.email or "")
        responses = await asyncio.gather(*(reset(http, token, f"{NEW_PASSWORD} {n}") for n in range(6)))
        assert sorted(response.status_code for response in responses) == [204] + [422] * 5

    async def test_a_weak_password_leaves_the_link_valid(self, http: AsyncClient, mails: Mailbox, user: User) -> None:
        await forget(http, user.email)
        token = await mails.token(user.email or "")
        assert_problem(await reset(http, token, "password1234"), 422, "weak-password")
        assert (await reset(http, token)).status_code == 204

    async def test_confirms_the_address(self, http: AsyncClient, mails: Mailbox) -> None:
        email = new_email()
        body = {"email": email, "display_name": "Anna", "password": PASSWORD}
        await http.post("/api/v1/auth/register", json=body)
        await forget(http, email)
        link = next(message for message in await mails.receive(email) if "reset-password" in text_of(message))
        assert (await reset(http, token_of(link))).status_code == 204
        logged_in = await http.post("/api/v1/auth/login", json={"email": email, "password": NEW_PASSWORD})
        assert logged_in.status_code == 200

    async def test_unknown_and_deactivated_addresses_get_no_mail(
        self, app: FastAPI, http: AsyncClient, mails: Mailbox
    ) -> None:
        deactivated = await commit_user(app, password=PASSWORD, is_active=False)
        for email in (deactivated.email or "", new_email()):
            await forget(http, email)
            assert await mails.receive(email) == []


class TestChangePassword:
    async def test_keeps_this_session_and_ends_the_others(self, http: AsyncClient, mails: Mailbox, user: User) -> None:
        mine, other = await log_in(http, user), await log_in(http, user)
        assert (await change_password(http, header(mine))).status_code == 204
        assert (await http.get("/api/v1/users/me", headers=header(mine))).status_code == 200
        assert_problem(await http.get("/api/v1/users/me", headers=header(other)), 401, "token-invalid")
        assert (await log_in(http, user, NEW_PASSWORD)).status_code == 200
        assert len(await mails.receive(user.email or "")) == 1

    async def test_voids_the_links_to_reset_it(self, http: AsyncClient, mails: Mailbox, user: User) -> None:
        await forget(http, user.email)
        token = await mails.token(user.email or "")
        assert (await change_password(http, header(await log_in(http, user)))).status_code == 204
        assert_problem(await reset(http, token), 422, "link-invalid")

    async def test_wrong_current_passwords_are_refused_and_delayed(
        self, app: FastAPI, http: AsyncClient, user: User
    ) -> None:
        headers = await bearer(app, user)
        for _ in range(5):
            refused = await change_password(http, headers, current_password="a wrong password")
            assert_problem(refused, 403, "password-wrong")
        assert_problem(await change_password(http, headers), 429, "too-many-attempts")

    async def test_the_owner_is_informed_of_many_wrong_passwords(
        self, app: FastAPI, mails: Mailbox, user: User
    ) -> None:
        for host in range(ALERT_FAILURES + 1):
            with pytest.raises(PasswordWrong):
                await check_password(
                    parts(app).database,
                    parts(app).passwords,
                    parts(app).log_in_delays,
                    user_id=user.id,
                    password="a wrong password",
                    address=f"203.0.113.{host}",
                )
        [mail] = await mails.receive(user.email or "")
        assert mail["Subject"] == "Many failed log-ins to your account"

    async def test_refuses_a_weak_password(self, http: AsyncClient, user: User) -> None:
        headers = header(await log_in(http, user))
        assert_problem(await change_password(http, headers, new_password="password1234"), 422, "weak-password")

    async def test_a_user_without_a_password_has_none_to_change(self, app: FastAPI, http: AsyncClient) -> None:
        headers = await bearer(app, await commit_user(app))
        assert_problem(await change_password(http, headers), 403, "password-wrong")


class TestChangeEmail:
    async def test_changes_when_the_link_is_opened_and_informs_the_old_address(
        self, app: FastAPI, http: AsyncClient, mails: Mailbox, user: User
    ) -> None:
        headers, old, new = await bearer(app, user), user.email or "", new_email()
        asked = await change_email(http, headers, new)
        assert (asked.status_code, asked.json()) == (202, {"email": new})
        assert (await http.get("/api/v1/users/me", headers=headers)).json()["email"] == old
        assert (await confirm(http, await mails.token(new))).status_code == 204
        assert (await http.get("/api/v1/users/me", headers=headers)).json()["email"] == new
        (notice,) = await mails.receive(old)
        assert new not in notice.as_string()
        assert "A***@example.org" in text_of(notice)
        body = {"email": old, "password": PASSWORD}
        assert (await http.post("/api/v1/auth/login", json=body)).status_code == 401
        assert "user_address_changed" in await events_of(app, user)

    async def test_to_an_address_with_an_account_changes_nothing_and_informs_its_owner(
        self, app: FastAPI, http: AsyncClient, mails: Mailbox, user: User
    ) -> None:
        owner = await commit_user(app, password=PASSWORD)
        taken = await change_email(http, await bearer(app, user), owner.email or "")
        free = await change_email(http, await bearer(app, user), new_email())
        assert (taken.status_code, taken.json().keys()) == (free.status_code, free.json().keys())
        (message,) = await mails.receive(owner.email or "")
        assert "verify-email" not in text_of(message)

    async def test_an_address_that_is_taken_meanwhile_is_refused(
        self, app: FastAPI, http: AsyncClient, mails: Mailbox, user: User
    ) -> None:
        new = new_email()
        await change_email(http, await bearer(app, user), new)
        token = await mails.token(new)
        await commit_user(app, email=new.upper())
        refused = await confirm(http, token)
        assert_problem(refused, 409, "email-taken")

    async def test_requires_the_password_and_an_address(self, app: FastAPI, http: AsyncClient, user: User) -> None:
        headers = await bearer(app, user)
        assert_problem(await change_email(http, headers, new_email(), "a wrong password"), 403, "password-wrong")
        assert_problem(await change_email(http, headers, "anna@"), 422, "bad-email")

    @pytest.mark.parametrize("is_sent", [True, False])
    async def test_is_cancelled_by_a_new_password(
        self, app: FastAPI, http: AsyncClient, mails: Mailbox, user: User, *, is_sent: bool
    ) -> None:
        """Who knew the old password cannot take the account over by a link that was requested before."""
        new = new_email()
        await change_email(http, await bearer(app, user), new)
        token = await mails.token(new) if is_sent else ""
        assert (await change_password(http, await bearer(app, user))).status_code == 204
        if is_sent:
            assert_problem(await confirm(http, token, NEW_PASSWORD), 422, "link-invalid")
        assert await mails.receive(new) == []

    async def test_sends_one_mail_a_minute_to_an_address(
        self, app: FastAPI, http: AsyncClient, mails: Mailbox, user: User
    ) -> None:
        headers, first, second = await bearer(app, user), new_email(), new_email()
        received = 0
        for email in (first, second, first, second):
            assert (await change_email(http, headers, email)).status_code == 202
            received += len(await mails.receive(email))
        assert received == 2


class TestLogInDuringAReset:
    async def test_a_password_that_was_checked_before_starts_no_session(
        self, app: FastAPI, http: AsyncClient, mails: Mailbox, user: User
    ) -> None:
        container = parts(app)
        attempt = await log_ins.authenticate(
            container.database,
            container.passwords,
            container.log_in_delays,
            email=user.email or "",
            password=PASSWORD,
            client=sessions.Client("192.0.2.1"),
        )
        assert attempt.succeeded
        await forget(http, user.email)
        assert (await reset(http, await mails.token(user.email or ""))).status_code == 204
        async with container.database.session() as session:
            found = await log_ins.log_in(
                session,
                container.settings,
                container.log_in_delays,
                attempt,
                kind="token",
                client=sessions.Client("192.0.2.1"),
            )
        assert isinstance(found, LogInFailed)


class TestSessions:
    async def test_lists_where_each_began_and_ends_one_or_all(self, http: AsyncClient, user: User) -> None:
        credentials = {"email": user.email, "password": PASSWORD}
        phone = await http.post("/api/v1/auth/login", json=credentials, headers={"User-Agent": "Phone/1 " + "x" * 400})
        laptop = await http.post("/api/v1/auth/login", json=credentials, headers={"User-Agent": "Laptop/2"})
        listed = (await http.get("/api/v1/users/me/sessions", headers=header(laptop))).json()["items"]
        assert [(each["agent"][:8], each["is_current"]) for each in listed] == [("Laptop/2", True), ("Phone/1 ", False)]
        assert {each["address"] for each in listed} == {"127.0.0.1"}
        path = f"/api/v1/users/me/sessions/{listed[1]['id']}"
        assert (await http.delete(path, headers=header(laptop))).status_code == 204
        assert_problem(await http.delete(path, headers=header(laptop)), 404, "not-found")
        assert_problem(await http.get("/api/v1/users/me", headers=header(phone)), 401, "token-invalid")
        assert (await http.delete("/api/v1/users/me/sessions", headers=header(laptop))).status_code == 204
        assert_problem(await http.get("/api/v1/users/me", headers=header(laptop)), 401, "token-invalid")

    async def test_another_user_s_session_does_not_exist(self, app: FastAPI, http: AsyncClient, user: User) -> None:
        tokens = await log_in(http, user)
        (mine,) = (await http.get("/api/v1/users/me/sessions", headers=header(tokens))).json()["items"]
        others = await bearer(app, await commit_user(app))
        assert_problem(await http.delete(f"/api/v1/users/me/sessions/{mine['id']}", headers=others), 404, "not-found")
        assert (await http.get("/api/v1/users/me", headers=header(tokens))).status_code == 200


class TestSecrets:
    async def test_are_in_no_table(self, app: FastAPI, http: AsyncClient, mails: Mailbox, user: User) -> None:
        """Neither tokens of links nor passwords are stored, in jobs and events included."""
        email = new_email()
        await http.post("/api/v1/auth/register", json={"email": email, "display_name": "Anna", "password": PASSWORD})
        await forget(http, user.email)
        secrets = [await mails.token(email), await mails.token(user.email or ""), PASSWORD]
        async with parts(app).database.session() as session:
            tables = await session.scalars(
                text(
                    "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('app', 'jobs') "
                    "AND has_table_privilege(format('%I.%I', schemaname, tablename), 'SELECT')"
                )
            )
            for table in tables:
                for secret in secrets:
                    query = text(f"SELECT count(*) FROM {table} AS t WHERE t::text LIKE '%' || :secret || '%'")
                    assert await session.scalar(query, {"secret": secret}) == 0, table
