"""The pages of the links in mails."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from api.kernel.refusals import Refusals
from api.web.accounts import TOKEN_LENGTH_MAX
from tests.auth.calls import new_email
from tests.auth.mailboxes import Mailbox
from tests.factories.containers import parts, replaced
from tests.factories.users import PASSWORD, commit_user

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI
    from httpx2 import AsyncClient, Response

NEW_PASSWORD = "eleven quiet herons waiting"


async def open_form(http: AsyncClient, path: str, token: str = "") -> dict[str, str]:
    """The hidden fields of a page's form."""
    page = await http.get(path, params={"token": token} if token else None)
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert (page.headers["cache-control"], page.headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert "<script" not in page.text
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text))


async def submit(http: AsyncClient, path: str, token: str = "", **fields: str) -> Response:
    return await http.post(path, data=await open_form(http, path, token) | fields)


async def can_log_in(http: AsyncClient, email: str, password: str) -> bool:
    return (await http.post("/api/v1/auth/login", json={"email": email, "password": password})).status_code == 200


class TestVerifyEmail:
    async def test_the_button_confirms_and_opening_the_page_does_not(self, http: AsyncClient, mails: Mailbox) -> None:
        email = new_email()
        body = {"email": email, "display_name": "Anna", "password": PASSWORD}
        await http.post("/api/v1/auth/register", json=body)
        token = await mails.token(email)
        for _ in range(2):
            await open_form(http, "/verify-email", token)
        assert not await can_log_in(http, email, PASSWORD)
        wrong = await submit(http, "/verify-email", token, password=NEW_PASSWORD)
        assert wrong.status_code == 403
        assert "not the password of the account" in wrong.text
        done = await submit(http, "/verify-email", token, password=PASSWORD)
        assert done.status_code == 200
        assert "Your address is confirmed" in done.text
        assert await can_log_in(http, email, PASSWORD)
        again = await submit(http, "/verify-email", token, password=PASSWORD)
        assert again.status_code == 422
        assert 'role="alert"' in again.text

    async def test_shows_the_token_as_text_only(self, http: AsyncClient) -> None:
        page = await http.get("/verify-email", params={"token": '"><b>x'})
        assert "<b>x" not in page.text


class TestRefusals:
    @pytest.fixture
    def refusals(self, app: FastAPI) -> Iterator[Refusals]:
        """The refusals of an installation in which only providers identify users."""
        provider = {"name": "corp", "label": "Corp", "issuer": "https://id.example", "client_id": "ideamint"}
        settings = parts(app).settings.with_(
            sso_providers=json.dumps([provider]), sso_only="true", sso_emergency_email="emergency@example.org"
        )
        with replaced(app, refusals=Refusals(), settings=settings):
            yield parts(app).refusals

    async def test_of_registrations_and_new_passwords_are_pages_and_recorded(
        self, http: AsyncClient, refusals: Refusals
    ) -> None:
        for path in ("/register", "/forgot-password"):
            page = await submit(http, path, name="Anna", email=new_email(), password=PASSWORD)
            assert (page.status_code, page.headers["content-type"]) == (403, "text/html; charset=utf-8")
            assert "has no log-in by password" in page.text
        noted = {(each.operation, each.problem) for each in refusals.take()}
        assert noted == {("registration_page", "passwords-off"), ("forgot_password_page", "passwords-off")}

    async def test_of_a_wrong_password_are_recorded(self, app: FastAPI, http: AsyncClient, mails: Mailbox) -> None:
        email = new_email()
        body = {"email": email, "display_name": "Anna", "password": PASSWORD}
        await http.post("/api/v1/auth/register", json=body)
        with replaced(app, refusals=Refusals()):
            wrong = await submit(http, "/verify-email", await mails.token(email), password=NEW_PASSWORD)
            [noted] = parts(app).refusals.take()
        assert wrong.status_code == 403
        assert (noted.operation, noted.problem, noted.status) == ("verify_email_page", "password-wrong", 403)

    @pytest.mark.usefixtures("refusals")
    async def test_of_registrations_are_not_offered(self, http: AsyncClient) -> None:
        page = await http.get("/login", params={"emergency": "true"})
        assert 'type="password"' in page.text
        assert "Create an account" not in page.text


class TestForgotPassword:
    async def test_says_the_same_for_known_unknown_and_invalid_addresses(
        self, app: FastAPI, http: AsyncClient, mails: Mailbox
    ) -> None:
        user = await commit_user(app, password=PASSWORD)
        pages = [
            await submit(http, "/forgot-password", email=email)
            for email in (user.email or "", new_email(), "no address", "a\x00b")
        ]
        assert {page.status_code for page in pages} == {200}
        assert len({re.sub(r'value="[^"]*"', "", page.text) for page in pages}) == 1
        assert len(await mails.receive(user.email or "")) == 1


class TestResetPassword:
    async def test_sets_the_password(self, app: FastAPI, http: AsyncClient, mails: Mailbox) -> None:
        user = await commit_user(app, password=PASSWORD)
        email = user.email or ""
        await submit(http, "/forgot-password", email=email)
        token = await mails.token(email)
        weak = await submit(http, "/reset-password", token, password="password1234")
        assert weak.status_code == 422
        assert "easy to guess" in weak.text
        assert f'name="token" value="{token}"' in weak.text
        assert "password1234" not in weak.text
        done = await submit(http, "/reset-password", token, password=NEW_PASSWORD)
        assert done.status_code == 200
        assert await can_log_in(http, email, NEW_PASSWORD)
        again = await submit(http, "/reset-password", token, password=NEW_PASSWORD)
        assert again.status_code == 422


@pytest.mark.parametrize("path", ["/verify-email", "/forgot-password", "/reset-password"])
class TestEveryForm:
    async def test_is_refused_without_the_secret_of_this_browser(self, http: AsyncClient, path: str) -> None:
        form = await open_form(http, path, "x" * 43)
        http.cookies.clear()
        page = await http.post(path, data=form | {"email": "a@example.org", "password": NEW_PASSWORD})
        assert page.status_code == 403
        assert "This form has expired" in page.text

    async def test_a_long_token_is_refused(self, http: AsyncClient, path: str) -> None:
        page = await submit(http, path, token="x" * (TOKEN_LENGTH_MAX + 1), email="x" * 2000)
        assert page.status_code == 422
