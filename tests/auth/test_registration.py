"""Registration until the address is confirmed: what the owner gets, and what others cannot do or learn."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import text

from api.auth.account_mails import LINK_TTL, Purpose
from api.kernel import clock
from tests.auth.calls import assert_problem, new_email
from tests.auth.conftest import make_app
from tests.auth.mailboxes import Mailbox, text_of, token_of
from tests.factories.containers import parts, statements_of
from tests.factories.users import PASSWORD, commit_user

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import Response

    from settings import Settings

OTHER_PASSWORD = "eleven quiet herons waiting"


async def register(http: AsyncClient, email: str, **changes: Any) -> Response:
    body = {"email": email, "display_name": "Anna Nowak", "password": PASSWORD} | changes
    return await http.post("/api/v1/auth/register", json=body)


async def confirm(http: AsyncClient, token: str, password: str = PASSWORD) -> Response:
    return await http.post("/api/v1/auth/verify-email", json={"token": token, "password": password})


async def log_in(http: AsyncClient, email: str, password: str = PASSWORD) -> int:
    return (await http.post("/api/v1/auth/login", json={"email": email, "password": password})).status_code


async def jobs(app: FastAPI) -> int:
    async with parts(app).database.session() as session:
        count: int = await session.scalar(text("SELECT count(*) FROM jobs.procrastinate_jobs"))
    return count


class TestConfirmAddress:
    async def test_a_link_works_once(self, http: AsyncClient, mails: Mailbox) -> None:
        email = new_email()
        await register(http, email)
        token = await mails.token(email)
        assert (await confirm(http, token)).status_code == 204
        assert_problem(await confirm(http, token), 422, "link-invalid")
        assert await log_in(http, email) == 200

    async def test_a_link_expires_after_48_hours(self, http: AsyncClient, mails: Mailbox) -> None:
        email = new_email()
        await register(http, email)
        token = await mails.token(email)
        with clock.at(datetime.now(UTC) + timedelta(hours=48, minutes=1)):
            assert_problem(await confirm(http, token), 422, "link-invalid")
        with clock.at(datetime.now(UTC) + timedelta(hours=47, minutes=59)):
            assert (await confirm(http, token)).status_code == 204

    @pytest.mark.parametrize("token", ["x" * 43, "\N{GREEK SMALL LETTER ALPHA}", "' OR 1=1 --"])
    async def test_refuses_other_tokens(self, http: AsyncClient, token: str) -> None:
        assert_problem(await confirm(http, token), 422, "link-invalid")

    async def test_refuses_the_link_of_another_purpose(self, app: FastAPI, http: AsyncClient, mails: Mailbox) -> None:
        user = await commit_user(app, password=PASSWORD)
        await http.post("/api/v1/auth/forgot-password", json={"email": user.email})
        assert_problem(await confirm(http, await mails.token(user.email or "")), 422, "link-invalid")

    async def test_refuses_the_link_of_a_deactivated_user(
        self, app: FastAPI, http: AsyncClient, mails: Mailbox
    ) -> None:
        email = new_email()
        await register(http, email)
        token = await mails.token(email)
        async with parts(app).database.session() as session:
            await session.execute(text("UPDATE app.users SET is_active = false WHERE email = :email"), {"email": email})
        assert_problem(await confirm(http, token), 422, "link-invalid")


class TestRepeatedRegistration:
    async def test_of_an_unconfirmed_address_replaces_name_and_password(
        self, http: AsyncClient, mails: Mailbox
    ) -> None:
        email = new_email()
        await register(http, email, display_name="Not Anna", password=OTHER_PASSWORD)
        await register(http, email)
        (message,) = await mails.receive(email)
        assert "Hello Anna Nowak" in text_of(message)
        assert (await confirm(http, token_of(message))).status_code == 204
        assert (await log_in(http, email, OTHER_PASSWORD), await log_in(http, email)) == (401, 200)

    async def test_by_another_person_gives_them_no_account(self, http: AsyncClient, mails: Mailbox) -> None:
        """The owner of the address opens the newest link, but has another password than who registered last."""
        email = new_email()
        await register(http, email)
        await register(http, email, password=OTHER_PASSWORD)
        token = await mails.token(email)
        assert_problem(await confirm(http, token), 403, "password-wrong")
        assert (await log_in(http, email), await log_in(http, email, OTHER_PASSWORD)) == (401, 401)
        await http.post("/api/v1/auth/forgot-password", json={"email": email})
        body = {"token": await mails.token(email), "password": "a third password of the owner"}
        assert (await http.post("/api/v1/auth/reset-password", json=body)).status_code == 204
        assert (await log_in(http, email, OTHER_PASSWORD), await log_in(http, email, body["password"])) == (401, 200)

    async def test_of_a_confirmed_address_informs_its_owner_once_a_minute(
        self, app: FastAPI, http: AsyncClient, mails: Mailbox
    ) -> None:
        user = await commit_user(app, password=PASSWORD)
        assert user.email is not None
        for _ in range(3):
            await register(http, user.email, password=OTHER_PASSWORD, display_name="Not Anna")
        (message,) = await mails.receive(user.email)
        assert "Not Anna" not in text_of(message)
        assert (await log_in(http, user.email, OTHER_PASSWORD), await log_in(http, user.email)) == (401, 200)

    async def test_of_a_deactivated_account_changes_and_sends_nothing(
        self, app: FastAPI, http: AsyncClient, mails: Mailbox
    ) -> None:
        user = await commit_user(app, password=PASSWORD, is_active=False)
        assert user.email is not None
        await register(http, user.email, password=OTHER_PASSWORD)
        assert await mails.receive(user.email) == []
        assert await log_in(http, user.email, OTHER_PASSWORD) == 401


class TestResendVerification:
    async def test_sends_a_new_link_which_voids_the_earlier_one(self, http: AsyncClient, mails: Mailbox) -> None:
        email = new_email()
        await register(http, email)
        earlier = await mails.token(email)
        later = datetime.now(UTC) + timedelta(minutes=2)
        with clock.at(later):
            asked = await http.post("/api/v1/auth/verify-email/resend", json={"email": email})
            assert (asked.status_code, asked.json()) == (202, {"email": email})
            newer = await mails.token(email)
            assert_problem(await confirm(http, earlier), 422, "link-invalid")
            assert (await confirm(http, newer)).status_code == 204

    async def test_sends_nothing_within_a_minute_to_confirmed_and_to_unknown_addresses(
        self, app: FastAPI, http: AsyncClient, mails: Mailbox
    ) -> None:
        email = new_email()
        await register(http, email)
        await mails.receive(email)
        confirmed = (await commit_user(app)).email or ""
        for address in (email, confirmed, new_email()):
            asked = await http.post("/api/v1/auth/verify-email/resend", json={"email": address})
            assert asked.status_code == 202
            assert await mails.receive(address) == []


class TestKnownAndUnknownAddresses:
    """The request path does the same work for each, so that its time tells nothing."""

    @pytest.mark.parametrize("path", ["register", "forgot-password", "verify-email/resend"])
    async def test_cause_the_same_statements_and_jobs(
        self, app: FastAPI, http: AsyncClient, mails: Mailbox, path: str
    ) -> None:
        unverified = new_email()
        await register(http, unverified)
        known = (await commit_user(app, password=PASSWORD)).email or ""
        deactivated = (await commit_user(app, password=PASSWORD, is_active=False)).email or ""
        found = []
        for email in (known, unverified, deactivated, new_email()):
            body = {"email": email} | ({"display_name": "Anna", "password": PASSWORD} if path == "register" else {})
            before = await jobs(app)
            with statements_of(app) as statements:
                response = await http.post(f"/api/v1/auth/{path}", json=body)
            assert await jobs(app) == before + 1
            assert (response.status_code, response.json()) == (202, {"email": email})
            found.append([statement.split("(")[0].split()[:3] for statement in statements])
        assert found[1:] == found[:1] * 3

    async def test_mails_without_a_log_in_are_limited_by_network_address(self, database: Settings) -> None:
        app = make_app(database.with_(account_mails_per_address="2/hour"))
        async with AsyncClient(transport=ASGITransport(app=app), base_url="http://testserver") as http:
            statuses = [
                (await http.post(f"/api/v1/auth/{path}", json={"email": new_email()})).status_code
                for path in ("forgot-password", "verify-email/resend", "forgot-password")
            ]
        await parts(app).database.close()
        assert statuses == [202, 202, 429]


class TestLinks:
    def test_have_the_stated_lifetimes(self) -> None:
        assert {
            Purpose.VERIFY_ADDRESS: timedelta(hours=48),
            Purpose.CONFIRM_NEW_ADDRESS: timedelta(hours=48),
            Purpose.RESET_PASSWORD: timedelta(minutes=30),
            Purpose.INVITED: timedelta(days=14),
        } == LINK_TTL

    async def test_never_contain_the_host_of_a_request(self, app: FastAPI, http: AsyncClient, mails: Mailbox) -> None:
        user = await commit_user(app, password=PASSWORD)
        forwarded = {"X-Forwarded-Host": "evil.example", "Origin": "http://evil.example", "Host": "testserver:666"}
        asked = await http.post("/api/v1/auth/forgot-password", json={"email": user.email}, headers=forwarded)
        assert asked.status_code == 202, asked.text
        (message,) = await mails.receive(user.email or "")
        assert "http://localhost:8000/reset-password?token=" in text_of(message)
        assert "evil" not in message.as_string()
        assert "666" not in text_of(message)
