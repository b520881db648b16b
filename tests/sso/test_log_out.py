"""Log-outs at a provider, and by a provider."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from joserfc.jws import extract_compact
from sqlalchemy import text

from tests.auth.calls import events_of
from tests.factories.containers import parts
from tests.factories.users import PASSWORD, commit_user
from tests.sso.hostile import LOGOUT, NAME, Hostile, begin, new_key, unsigned
from tests.sso.people import account_of, caller, person

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import Response

    from tests.sso.providers import Idp, Visitor


async def confirm(visitor: Visitor, url: str) -> Response:
    """Confirm the log-out on the provider's page; the response sends the browser back."""
    page = await visitor.outside.get(url)
    assert page.status_code == 200, page.text
    [action] = re.findall(r'action="([^"]*)"', page.text)
    [secret] = re.findall(r'name="xsrf" value="([^"]*)"', page.text)
    return await visitor.outside.post(action, data={"xsrf": secret, "logout": "yes"})


class TestStartedHere:
    async def test_ends_the_session_and_goes_to_the_provider_and_back(
        self, app: FastAPI, visitor: Visitor, corp: Idp
    ) -> None:
        claims = person()
        await visitor.log_in("corp", claims)
        sent = await visitor.log_out()
        url = urlsplit(sent.headers["location"])
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        assert f"{url.scheme}://{url.netloc}" == corp.issuer
        assert asked.keys() == {"id_token_hint", "client_id", "post_logout_redirect_uri", "state"}
        assert extract_compact(asked["id_token_hint"].encode()).headers()["alg"] == "RS256"
        assert await caller(visitor) is None
        back = (await confirm(visitor, sent.headers["location"])).headers["location"]
        assert urlsplit(back).path == "/sso/corp/signed-off"
        page = await visitor.return_to(back)
        assert (page.status_code, "You are logged out." in page.text) == (200, True)
        assert "user_logged_out" in await events_of(app, await account_of(app, claims))

    async def test_the_form_may_redirect_to_the_provider(self, visitor: Visitor, corp: Idp) -> None:
        await visitor.log_in("corp", person())
        page = await visitor.http.get("/logout")
        assert corp.issuer in page.headers["content-security-policy"]
        assert "Ideamint and of Corp" in page.text

    async def test_a_session_by_password_has_no_provider(self, app: FastAPI, visitor: Visitor) -> None:
        user = await commit_user(app, password=PASSWORD)
        page = (await visitor.http.get("/login")).text
        form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
        await visitor.http.post("/login", data=form | {"email": user.email or "", "password": PASSWORD})
        assert await caller(visitor) == str(user.id)
        assert (await visitor.log_out()).headers["location"] == "/login"

    async def test_a_provider_without_a_log_out_page(self, visitor: Visitor, hostile: Hostile) -> None:
        begun = await begin(visitor, hostile)
        hostile.id_token = hostile.sign(hostile.claims(nonce=begun.nonce))
        await begun.end()
        assert (await visitor.log_out()).headers["location"] == "/login"

    @pytest.mark.parametrize("state", ["", "forged", "a.b.c"])
    async def test_a_forged_return_is_refused(self, visitor: Visitor, state: str) -> None:
        page = await visitor.http.get("/sso/corp/signed-off", params={"state": state})
        assert (page.status_code, "You are logged out" in page.text) == (422, False)

    async def test_the_stored_id_token_is_encrypted(self, app: FastAPI, visitor: Visitor) -> None:
        claims = person("partner.example")
        await visitor.log_in("partner", claims)
        async with parts(app).database.session() as session:
            stored = (await session.scalars(text("SELECT encrypted_id_token FROM app.provider_sessions"))).all()
        assert all(b"eyJ" not in each[:3] and claims["email"].encode() not in each for each in stored)


class TestByProvider:
    async def test_a_log_out_at_the_provider_ends_the_sessions_that_began_there(
        self, app: FastAPI, visitor: Visitor, other_visitor: Visitor, corp: Idp
    ) -> None:
        """The provider itself calls the application."""
        claims = person()
        await visitor.log_in("corp", claims)
        await other_visitor.log_in("corp", claims)  # another browser, another session of the provider
        await confirm(visitor, f"{corp.issuer}/session/end")
        assert await caller(visitor) is None
        assert await caller(other_visitor) is not None
        assert "user_logged_out_by_provider" in await events_of(app, await account_of(app, claims))


def logout_claims(hostile: Hostile, **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    claims = {
        "iss": hostile.issuer,
        "aud": "ideamint",
        "iat": now,
        "exp": now + 120,
        "jti": uuid4().hex,
        "sub": "subject-of-hostile",
        "events": LOGOUT,
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not None}


async def send(visitor: Visitor, token: str, provider: str = NAME) -> Response:
    return await visitor.http.post(f"/sso/{provider}/back-channel-log-out", data={"logout_token": token})


async def log_in(visitor: Visitor, hostile: Hostile, **claims: Any) -> None:
    begun = await begin(visitor, hostile)
    hostile.id_token = hostile.sign(hostile.claims(nonce=begun.nonce, **claims))
    assert (await begun.end()).status_code == 303


class TestLogoutToken:
    async def test_with_a_subject_ends_all_sessions_of_the_person(
        self, visitor: Visitor, other_visitor: Visitor, hostile: Hostile
    ) -> None:
        for each, sid in ((visitor, "one"), (other_visitor, "two")):
            await log_in(each, hostile, sid=sid)
        response = await send(visitor, hostile.sign(logout_claims(hostile), typ="logout+jwt"))
        assert (response.status_code, response.json()["sessions_ended"] >= 2) == (200, True)
        assert response.headers["cache-control"] == "no-store"
        assert await caller(visitor) is None
        assert await caller(other_visitor) is None

    @pytest.mark.parametrize("subject", [None, "subject-of-hostile"])
    async def test_with_a_session_ends_that_session(
        self, visitor: Visitor, other_visitor: Visitor, hostile: Hostile, subject: str | None
    ) -> None:
        ended, kept = uuid4().hex, uuid4().hex
        await log_in(visitor, hostile, sid=ended)
        await log_in(other_visitor, hostile, sid=kept)
        response = await send(visitor, hostile.sign(logout_claims(hostile, sub=subject, sid=ended)))
        assert (response.status_code, response.json()) == (200, {"sessions_ended": 1})
        assert await caller(visitor) is None
        assert await caller(other_visitor) is not None

    async def test_of_another_provider_ends_no_session(self, visitor: Visitor, hostile: Hostile) -> None:
        claims = person()
        await visitor.log_in("corp", claims)
        response = await send(visitor, hostile.sign(logout_claims(hostile, sub=claims["sub"])))
        assert (response.status_code, response.json()) == (200, {"sessions_ended": 0})
        token = hostile.sign(logout_claims(hostile, sub=claims["sub"]))
        assert (await send(visitor, token, provider="corp")).status_code == 400
        assert await caller(visitor) is not None

    async def test_is_accepted_once(self, visitor: Visitor, hostile: Hostile) -> None:
        token = hostile.sign(logout_claims(hostile))
        assert (await send(visitor, token)).status_code == 200
        await log_in(visitor, hostile)
        response = await send(visitor, token)
        assert (response.status_code, response.json()["error"]) == (400, "invalid_request")
        assert await caller(visitor) is not None

    @pytest.mark.parametrize(
        "changes",
        [
            {"iss": "http://127.0.0.1:1"},
            {"aud": "another-client"},
            {"exp": 1},
            {"exp": None},
            {"exp": 99_999_999_999},
            {"iat": 99_999_999_999},
            {"iat": None},
            {"jti": None},
            {"jti": 7},
            {"events": None},
            {"events": {}},
            {"events": {"http://schemas.openid.net/event/backchannel-logout": True}},
            {"nonce": "a-nonce"},
            {"sub": None},
            {"sub": ""},
        ],
        ids=str,
    )
    async def test_each_claim_is_verified(self, visitor: Visitor, hostile: Hostile, changes: dict[str, Any]) -> None:
        await log_in(visitor, hostile)
        assert (await send(visitor, hostile.sign(logout_claims(hostile, **changes)))).status_code == 400
        assert await caller(visitor) is not None

    async def test_must_be_signed_by_the_provider_as_a_log_out_token(self, visitor: Visitor, hostile: Hostile) -> None:
        await log_in(visitor, hostile)
        claims = logout_claims(hostile)
        id_token = hostile.sign(hostile.claims())
        forged = hostile.sign(claims, key=new_key("one"))
        for token in (unsigned(claims), forged, hostile.sign(claims, typ="at+jwt"), id_token, "", "a.b.c"):
            assert (await send(visitor, token)).status_code == 400
        assert await caller(visitor) is not None

    async def test_of_an_unknown_provider(self, visitor: Visitor, hostile: Hostile) -> None:
        assert (await send(visitor, hostile.sign(logout_claims(hostile)), provider="other")).status_code == 400
