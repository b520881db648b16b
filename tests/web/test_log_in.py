from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import text

from api.web.sessions import allowed_next
from settings import Settings
from tests.auth.conftest import make_app
from tests.factories.containers import parts
from tests.factories.users import PASSWORD, commit_user

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import Response

    from api.auth.models import User

SETTINGS = Settings.of()
DASHBOARDS = SETTINGS.addresses.public_dashboards_url


async def open_form(http: AsyncClient, next_url: str = "", path: str = "/login") -> dict[str, str]:
    """The hidden fields of the form; its cookie stays in the client."""
    page = await http.get(path, params={"next": next_url} if next_url else None)
    assert page.status_code == 200
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text))


async def log_in(http: AsyncClient, user: User, password: str = PASSWORD, next_url: str = "") -> Response:
    form = await open_form(http, next_url)
    return await http.post("/login", data=form | {"email": user.email or "", "password": password})


class TestShowLogIn:
    async def test_is_a_form_that_needs_no_script_and_loads_nothing(self, http: AsyncClient) -> None:
        page = await http.get("/login")
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "<script" not in page.text
        assert re.findall(r'(?:src|href)="([^"]*)"', page.text) == ["/forgot-password", "/register"]
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert f"form-action 'self' {DASHBOARDS}" in policy
        for name, value in {
            "x-frame-options": "DENY",
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "cache-control": "no-store",
        }.items():
            assert page.headers[name] == value

    async def test_every_field_has_its_label_and_its_purpose(self, http: AsyncClient) -> None:
        page = (await http.get("/login")).text
        assert '<html lang="en">' in page
        for field, purpose in {"email": "username", "password": "current-password"}.items():
            assert f'<label for="{field}">' in page
            assert re.search(rf'<input id="{field}"[^>]*autocomplete="{purpose}"', page)

    async def test_shows_what_it_was_given_as_text(self, http: AsyncClient) -> None:
        form = await open_form(http)
        nasty = '"><script>alert(1)</script>@example.org'
        page = await http.post("/login", data=form | {"email": nasty, "password": PASSWORD})
        assert page.status_code == 422
        assert "<script" not in page.text
        assert "&lt;script&gt;" in page.text

    async def test_is_not_in_the_openapi_schema(self, app: FastAPI) -> None:
        assert not {"/login", "/logout"} & app.openapi()["paths"].keys()


class TestLogIn:
    @pytest.mark.parametrize("around", [" {} ", "\u00a0{}", "{}\u200b", "\t{}\n"])
    async def test_ignores_blanks_around_the_address(self, app: FastAPI, http: AsyncClient, around: str) -> None:
        user = await commit_user(app, password=PASSWORD)
        form = await open_form(http)
        data = form | {"email": around.format(user.email), "password": PASSWORD}
        assert (await http.post("/login", data=data)).status_code == 303

    @pytest.mark.parametrize("email", ["a\0b@example.org", "a\nb@example.org", "\u200b"])
    async def test_a_text_that_is_no_address_fails(self, http: AsyncClient, email: str) -> None:
        form = await open_form(http)
        page = await http.post("/login", data=form | {"email": email, "password": PASSWORD})
        assert page.status_code == 422
        assert "wrong" in page.text

    @pytest.mark.parametrize(("field", "length_max"), [("email", 1000), ("password", 1024)])
    async def test_limits_the_length_of_its_texts(self, http: AsyncClient, field: str, length_max: int) -> None:
        form = await open_form(http) | {"email": "anna@example.org", "password": PASSWORD}
        longest = await http.post("/login", data=form | {field: "x" * length_max})
        assert (longest.status_code, "csrf" in longest.text) == (422, True)
        longer = await http.post("/login", data=form | {field: "x" * (length_max + 1)})
        assert (longer.status_code, f"at most {length_max} characters" in longer.text) == (422, True)

    async def test_sets_an_http_only_cookie_and_redirects(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app, password=PASSWORD)
        response = await log_in(http, user, next_url=f"{DASHBOARDS}/campaign?id=1")
        assert (response.status_code, response.headers["location"]) == (303, f"{DASHBOARDS}/campaign?id=1")
        cookie = response.headers["set-cookie"].lower()
        for part in ("ideamint_session=", "httponly", "samesite=lax", "path=/"):
            assert part in cookie
        max_age = re.search(r"max-age=(\d+)", cookie)
        assert max_age
        assert 30 * 86400 - 60 < int(max_age[1]) <= 30 * 86400
        assert "secure" not in cookie
        assert "domain" not in cookie
        me = await http.get("/api/v1/probes/browser")
        assert (me.status_code, me.json()["user_id"]) == (200, str(user.id))

    async def test_the_cookie_is_secure_if_the_setting_requires_it(self, database: Settings) -> None:
        app = make_app(database.with_(secure_cookies=True))
        user = await commit_user(app, password=PASSWORD)
        async with AsyncClient(transport=ASGITransport(app=app), base_url="https://testserver") as http:
            response = await log_in(http, user)
        assert response.status_code == 303
        assert "; secure" in response.headers["set-cookie"].lower()
        await parts(app).database.close()

    async def test_keeps_only_the_hash_of_the_cookie(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app, password=PASSWORD)
        await log_in(http, user)
        async with parts(app).database.session() as session:
            kept = (
                await session.execute(
                    text(
                        "SELECT s.kind, t.token_hash = sha256(convert_to(:secret, 'UTF8')) FROM app.sessions s "
                        "JOIN app.session_tokens t ON t.session_id = s.id WHERE s.user_id = :user_id"
                    ),
                    {"secret": http.cookies["ideamint_session"], "user_id": user.id},
                )
            ).all()
        assert [tuple(row) for row in kept] == [("browser", True)]

    async def test_the_response_is_the_same_for_a_wrong_password_and_an_unknown_address(
        self, app: FastAPI, http: AsyncClient
    ) -> None:
        user = await commit_user(app, password=PASSWORD)
        wrong = await log_in(http, user, "granite-otter-53-lamp")
        form = await open_form(http)
        unknown = await http.post("/login", data=form | {"email": f"{uuid4().hex}@example.org", "password": PASSWORD})
        for page in (wrong, unknown):
            assert page.status_code == 422
            assert (
                'role="alert">The e-mail address or the password is wrong, or the address is not confirmed yet.</p>'
                in page.text
            )
            assert PASSWORD not in page.text
            assert "ideamint_session" not in http.cookies
        assert f'value="{user.email}"' in wrong.text

    async def test_too_many_failures_cause_a_delay(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app, password=PASSWORD)
        for _ in range(5):
            assert (await log_in(http, user, "granite-otter-53-lamp")).status_code == 422
        page = await log_in(http, user)
        assert (page.status_code, page.headers["retry-after"]) == (429, "1")
        recorded = {(each.operation, each.problem) for each in parts(app).refusals.take()}
        assert ("log_in_page", "too-many-attempts") in recorded
        assert "Try again in 1 s." in page.text

    async def test_refuses_a_form_that_is_not_its_own(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app, password=PASSWORD)
        typed = {"email": user.email or "", "password": PASSWORD}
        form = await open_form(http)
        other = AsyncClient(transport=ASGITransport(app=app), base_url="http://testserver")
        others_form = await open_form(other)
        refused = [
            await other.post("/login", data=typed),
            await other.post("/login", data=form | typed),
            await other.post("/login", data=others_form | typed, headers={"Sec-Fetch-Site": "cross-site"}),
            await other.post("/login", data=others_form | typed, headers={"Sec-Fetch-Site": "same-site"}),
        ]
        other.cookies.clear()
        refused.append(await other.post("/login", data=others_form | typed))
        for page in refused:
            assert page.status_code == 403
            assert "ideamint_session=" not in page.headers["set-cookie"]
        assert (
            await http.post("/login", data=form | typed, headers={"Sec-Fetch-Site": "same-origin"})
        ).status_code == 303
        await other.aclose()

    async def test_a_refused_form_can_be_sent_again(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app, password=PASSWORD)
        page = await http.post("/login", data={"email": user.email or "", "password": PASSWORD})
        assert page.status_code == 403
        form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text))
        again = await http.post("/login", data=form | {"email": user.email or "", "password": PASSWORD})
        assert again.status_code == 303

    async def test_two_forms_of_one_browser_both_work(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app, password=PASSWORD)
        forms = [await open_form(http), await open_form(http)]
        for form in forms:
            response = await http.post("/login", data=form | {"email": user.email or "", "password": PASSWORD})
            assert response.status_code == 303

    async def test_redirects_to_no_other_host(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app, password=PASSWORD)
        form = await open_form(http) | {"next": "https://evil.example/"}
        response = await http.post("/login", data=form | {"email": user.email or "", "password": PASSWORD})
        assert (response.status_code, response.headers["location"]) == (303, DASHBOARDS)


class TestAllowedNext:
    @pytest.mark.parametrize(
        "url", [DASHBOARDS, f"{DASHBOARDS}/", f"{DASHBOARDS}/roi?c=1#top", "/docs", "/api/v1/users/me?a=b", "/"]
    )
    def test_accepts_the_dashboards_and_paths_of_this_host(self, url: str) -> None:
        assert allowed_next(SETTINGS, url) == url

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "https://evil.example",
            f"{DASHBOARDS}.evil.example/",
            f"{DASHBOARDS}@evil.example/",
            f"{DASHBOARDS}1/",
            "http://localhost:8502",
            "https://localhost:8501",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            " //evil.example",
            "javascript:alert(1)",
            "data:text/html,x",
            "evil.example",
            "http:evil.example",
            "http:///evil.example",
            "http://[::1",
            "HTTP://EVIL.EXAMPLE",
        ],
    )
    def test_accepts_nothing_else(self, url: str) -> None:
        assert allowed_next(SETTINGS, url) == DASHBOARDS

    def test_stays_below_the_dashboards_path(self) -> None:
        settings = SETTINGS.with_(public_dashboards_url="https://ideas.example.org/dashboards")
        home = settings.addresses.public_dashboards_url
        for url in (home, f"{home}/roi", f"{home}?a=1"):
            assert allowed_next(settings, url) == url
        for url in (f"{home}2", "https://ideas.example.org/other", f"{home}/../other"):
            assert allowed_next(settings, url) == home


class TestLogOut:
    async def test_ends_the_session_and_deletes_the_cookie(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app, password=PASSWORD)
        await log_in(http, user)
        secret = http.cookies["ideamint_session"]
        response = await http.post("/logout", data=await open_form(http, path="/logout"))
        assert (response.status_code, urlsplit(response.headers["location"]).path) == (303, "/login")
        assert "ideamint_session" not in http.cookies
        kept = await http.get("/api/v1/probes/browser", headers={"Cookie": f"ideamint_session={secret}"})
        assert kept.status_code == 401

    async def test_a_link_alone_does_not_log_out(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app, password=PASSWORD)
        await log_in(http, user)
        assert '<form method="post" action="/logout">' in (await http.get("/logout")).text
        assert (await http.get("/api/v1/probes/browser")).status_code == 200

    async def test_refuses_a_form_that_is_not_its_own(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app, password=PASSWORD)
        await log_in(http, user)
        assert (await http.post("/logout")).status_code == 403
        assert (await http.get("/api/v1/probes/browser")).status_code == 200

    async def test_without_a_log_in_succeeds(self, http: AsyncClient) -> None:
        assert (await http.post("/logout", data=await open_form(http, path="/logout"))).status_code == 303
