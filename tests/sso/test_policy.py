"""The log-in page with providers, and an installation in which only they identify users."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from api.auth.sso.rates import SignOnRates
from api.kernel.rates import LocalBuckets
from tests.auth.calls import assert_problem, log_in, new_email
from tests.factories.containers import parts, replaced
from tests.factories.users import PASSWORD, commit_user
from tests.sso.people import person

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

    from tests.sso.providers import Visitor

EMERGENCY = "emergency.account@example.org"


@pytest.fixture
def sso_only(app: FastAPI) -> Iterator[None]:
    settings = parts(app).settings.with_(sso_only="true", sso_emergency_email=EMERGENCY)
    with replaced(app, settings=settings):
        yield


class TestLogInPage:
    async def test_has_a_link_to_each_provider_and_the_form(self, visitor: Visitor) -> None:
        page = (await visitor.http.get("/login", params={"next": "/docs?a=1&b=2"})).text
        links = re.findall(r'<a class="provider" href="([^"]*)">Log in with (\w+)</a>', page)
        assert links[:2] == [
            ("/sso/corp/log-in?next=%2Fdocs%3Fa%3D1%26b%3D2", "Corp"),
            ("/sso/partner/log-in?next=%2Fdocs%3Fa%3D1%26b%3D2", "Partner"),
        ]
        assert 'type="password"' in page

    @pytest.mark.usefixtures("sso_only")
    async def test_has_no_form_if_only_providers_identify_users(self, visitor: Visitor) -> None:
        page = (await visitor.http.get("/login")).text
        assert 'type="password"' not in page
        [emergency] = re.findall(r'href="(/login[^"]*)"', page)
        assert 'type="password"' in (await visitor.http.get(emergency.replace("&amp;", "&"))).text


@pytest.mark.usefixtures("sso_only")
class TestSsoOnly:
    async def test_refuses_log_in_by_password(self, app: FastAPI, visitor: Visitor) -> None:
        user = await commit_user(app, password=PASSWORD)
        assert_problem(await log_in(visitor.http, user), 403, "passwords-off")
        page = (await visitor.http.get("/login?emergency=true")).text
        form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
        response = await visitor.http.post("/login", data=form | {"email": user.email or "", "password": PASSWORD})
        assert (response.status_code, "has no log-in by password" in response.text) == (403, True)

    async def test_the_emergency_account_may_use_its_password(self, app: FastAPI, visitor: Visitor) -> None:
        user = await commit_user(app, email=EMERGENCY, password=PASSWORD)
        assert (await log_in(visitor.http, user)).status_code == 200
        page = (await visitor.http.get("/login?emergency=true")).text
        form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
        typed = form | {"email": EMERGENCY.upper(), "password": PASSWORD}
        assert (await visitor.http.post("/login", data=typed)).status_code == 303
        forgot = await visitor.http.post("/api/v1/auth/forgot-password", json={"email": EMERGENCY})
        assert forgot.status_code == 202

    async def test_refuses_registration_and_new_passwords(self, visitor: Visitor) -> None:
        email = new_email()
        body = {"email": email, "display_name": "Anna", "password": PASSWORD}
        assert_problem(await visitor.http.post("/api/v1/auth/register", json=body), 403, "passwords-off")
        forgot = await visitor.http.post("/api/v1/auth/forgot-password", json={"email": email})
        assert_problem(forgot, 403, "passwords-off")
        page = (await visitor.http.get("/forgot-password")).text
        form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
        assert (await visitor.http.post("/forgot-password", data=form | {"email": email})).status_code == 403

    async def test_log_ins_by_providers_work(self, visitor: Visitor) -> None:
        assert (await visitor.log_in("corp", person())).status_code == 303
        assert (await visitor.http.get("/api/v1/auth/sso/providers")).json()["has_passwords"] is False


class TestSignOnRates:
    async def test_limits_the_log_ins_of_a_network_address(self, app: FastAPI, visitor: Visitor) -> None:
        settings = parts(app).settings.with_(sso_log_ins_per_address="2/hour")
        with replaced(app, sign_on_rates=SignOnRates(settings.sso, LocalBuckets())):
            assert (await visitor.begin("corp")).status_code == 303
            assert (await visitor.http.get("/sso/corp/callback")).status_code == 403
            limited = await visitor.begin("corp")
            assert (limited.status_code, int(limited.headers["retry-after"]) > 0) == (429, True)
            assert (await visitor.http.get("/sso/corp/callback")).status_code == 429
