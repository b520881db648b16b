"""The pages of second steps and of a user's own account, as a browser without JavaScript sends their forms."""

from __future__ import annotations

import html
import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from api.auth.devices import COOKIE as DEVICE_COOKIE
from api.kernel import clock
from tests.auth.authenticators import SoftwarePasskey, code_of
from tests.factories.containers import parts
from tests.factories.users import PASSWORD, commit_user
from tests.web.test_log_in import log_in

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient, Response

    from api.auth.models import User


@pytest.fixture
async def user(app: FastAPI) -> User:
    return await commit_user(app, password=PASSWORD)


@pytest.fixture
def passkey(app: FastAPI) -> SoftwarePasskey:
    return SoftwarePasskey(parts(app).settings.addresses.public_api_url)


def form_of(page: Response, action: str) -> dict[str, str]:
    """The hidden fields of the form of a page with this action."""
    found = re.search(rf'<form[^>]* action="{action}".*?</form>', page.text, re.DOTALL)
    assert found, page.text
    fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', found[0])
    return {name: html.unescape(value) for name, value in fields}


def options_of(page: Response) -> dict[str, Any]:
    """The options for the browser's authenticator."""
    found = re.search(r'data-options="([^"]*)"', page.text)
    assert found, page.text
    options: dict[str, Any] = json.loads(html.unescape(found[1]))
    return options


async def send(http: AsyncClient, page: Response, action: str, **fields: str) -> Response:
    """Fill in and send a form of a page."""
    return await http.post(action, data=form_of(page, action) | fields)


async def add_app(http: AsyncClient) -> tuple[str, list[str]]:
    """The secret of a new authenticator app, and the recovery codes."""
    page = await send(http, await http.get("/account"), "/account/app")
    found = re.search(r"<code>([A-Z2-7 ]+)</code>", page.text)
    assert found, page.text
    secret = found[1].replace(" ", "")
    shown = await send(http, page, "/account/app", code=code_of(secret))
    return secret, re.findall(r"<li><code>(\S+)</code></li>", shown.text)


async def add_passkey(http: AsyncClient, passkey: SoftwarePasskey) -> Response:
    page = await send(http, await http.get("/account"), "/account/passkeys")
    response = json.dumps(passkey.create(options_of(page)))
    return await send(http, page, "/account/passkeys", name="My laptop", passkey=response)


class TestAccount:
    async def test_asks_for_a_log_in_and_comes_back(self, http: AsyncClient) -> None:
        response = await http.get("/account")
        assert (response.status_code, response.headers["location"]) == (303, "/login?next=/account")
        assert (await http.post("/account/app")).status_code == 303

    async def test_shows_factors_and_sessions_and_changes_them(self, http: AsyncClient, user: User) -> None:
        assert (await log_in(http, user, next_url="/account")).headers["location"] == "/account"
        _, codes = await add_app(http)
        assert len(codes) == 10
        page = await http.get("/account")
        assert "10 unused" in page.text
        assert str(user.email) in page.text
        assert (await send(http, page, "/account/recovery-codes")).text.count("<li><code>") == 10
        removed = await send(http, page, "/account/app/remove")
        assert (removed.status_code, removed.headers["location"]) == (303, "/account")
        assert "unused" not in (await http.get("/account")).text
        assert "has no authenticator app" in (await send(http, page, "/account/app/remove")).text

    async def test_ends_another_session(self, app: FastAPI, http: AsyncClient, user: User) -> None:
        await log_in(http, user)
        first = http.cookies["ideamint_session"]
        http.cookies.clear()
        await log_in(http, user)
        page = await http.get("/account")
        assert page.text.count("<small>This browser") == 1
        assert (await send(http, page, "/account/sessions/end")).status_code == 303
        ended = await http.get("/api/v1/probes/browser", headers={"Cookie": f"ideamint_session={first}"})
        assert ended.status_code == 401
        assert (await http.get("/account")).status_code == 200

    async def test_refuses_forms_of_other_sites(self, http: AsyncClient, user: User) -> None:
        await log_in(http, user)
        page = await http.get("/account")
        for action in ("/account/app", "/account/app/remove", "/account/passkeys", "/account/recovery-codes"):
            assert (await http.post(action)).status_code == 403
            cross = await http.post(
                action, data={"csrf": form_of(page, "/account/app")["csrf"]}, headers={"Sec-Fetch-Site": "cross-site"}
            )
            assert cross.status_code == 403
        assert (await http.post("/account/confirm", data={"password": PASSWORD})).status_code == 403
        assert (await http.post("/account/sessions/end", data={"session_id": str(user.id)})).status_code == 403

    async def test_a_change_after_ten_minutes_asks_who_it_is(self, http: AsyncClient, user: User) -> None:
        await log_in(http, user)
        page = await http.get("/account")
        with clock.at(datetime.now(UTC) + timedelta(minutes=11)):
            asked = await send(http, page, "/account/app")
            assert "Is it you?" in asked.text
            wrong = await send(http, asked, "/account/confirm", password="not the password here")
            assert (wrong.status_code, "This is not the password" in wrong.text) == (422, True)
            assert (await send(http, asked, "/account/confirm", password=PASSWORD)).status_code == 303
            assert "Scan this" in (await send(http, page, "/account/app")).text


class TestSecondStep:
    async def test_a_code_finishes_the_log_in(self, http: AsyncClient, user: User) -> None:
        await log_in(http, user)
        secret, codes = await add_app(http)
        http.cookies.clear()
        page = await log_in(http, user, next_url="/account")
        assert (page.status_code, "ideamint_session" in http.cookies) == (200, False)
        assert "<script" in page.text
        assert "script-src 'sha256-" in page.headers["content-security-policy"]
        wrong = await send(http, page, "/login/second-step", code="000000")
        assert (wrong.status_code, "This code is wrong" in wrong.text) == (422, True)
        with clock.at(datetime.now(UTC) + timedelta(seconds=60)):
            done = await send(http, wrong, "/login/second-step", code=code_of(secret))
        assert (done.status_code, done.headers["location"]) == (303, "/account")
        again = await send(http, wrong, "/login/second-step", code=codes[0])
        assert (again.status_code, "not valid any more" in again.text) == (422, True)

    async def test_of_another_site_is_refused(self, http: AsyncClient, user: User) -> None:
        await log_in(http, user)
        _, codes = await add_app(http)
        http.cookies.clear()
        page = await log_in(http, user)
        fields = form_of(page, "/login/second-step") | {"code": codes[0]}
        assert (await http.post("/login/second-step", data=fields | {"csrf": ""})).status_code == 403
        assert "ideamint_session" not in http.cookies

    async def test_a_passkey_finishes_it_or_logs_in_alone(
        self, http: AsyncClient, user: User, passkey: SoftwarePasskey
    ) -> None:
        await log_in(http, user)
        added = await add_passkey(http, passkey)
        assert added.text.count("<li><code>") == 10
        assert "My laptop" in (await http.get("/account")).text
        http.cookies.clear()
        page = await log_in(http, user)
        response = json.dumps(passkey.get(options_of(page)))
        assert (await send(http, page, "/login/second-step", passkey=response)).status_code == 303
        http.cookies.clear()
        page = await send(http, await http.get("/login", params={"next": "/account"}), "/login/passkey")
        response = json.dumps(passkey.get(options_of(page)))
        done = await send(http, page, "/login/passkey", passkey=response)
        assert (done.status_code, done.headers["location"]) == (303, "/account")
        refused = await send(http, page, "/login/passkey", passkey=response)
        assert (refused.status_code, "not valid any more" in refused.text) == (422, True)
        for text in ("[]", "{", '"x"', "[" * 5000):
            assert (await send(http, refused, "/login/passkey", passkey=text)).status_code == 422

    async def test_the_device_cookie_spares_its_browser_the_delays(self, http: AsyncClient, user: User) -> None:
        await log_in(http, user)
        device = http.cookies[DEVICE_COOKIE]
        http.cookies.clear()
        for _ in range(5):
            await log_in(http, user, "not the password here")
        assert (await log_in(http, user)).status_code == 429
        http.cookies.set(DEVICE_COOKIE, device)
        assert (await log_in(http, user)).status_code == 303
