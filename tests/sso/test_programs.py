"""Tokens for programs: a code at an address of the user's machine, and its exchange."""

from __future__ import annotations

import base64
import hashlib
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from api.kernel import clock
from tests.auth.calls import assert_problem, change, events_of, header, refresh
from tests.sso.hostile import Hostile, begin
from tests.sso.people import account_of, caller, person
from tests.sso.test_log_out import logout_claims, send

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient, Response

    from tests.sso.providers import Visitor

LISTENING = "http://127.0.0.1:5555/done"


def new_verifier() -> tuple[str, str]:
    """A verifier and its challenge."""
    verifier = secrets.token_urlsafe(48)
    return verifier, base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def received(response: Response) -> dict[str, str]:
    """The parameters that the program receives."""
    assert response.status_code == 303, response.text
    url = urlsplit(response.headers["location"])
    assert f"{url.scheme}://{url.netloc}{url.path}" == LISTENING
    return {name: values[0] for name, values in parse_qs(url.query).items()}


async def exchange(http: AsyncClient, code: str, verifier: str) -> Response:
    return await http.post("/api/v1/auth/sso/token", json={"code": code, "code_verifier": verifier})


class TestExchangeCode:
    async def test_a_program_gets_tokens_after_a_log_in_in_the_browser(self, app: FastAPI, visitor: Visitor) -> None:
        verifier, challenge = new_verifier()
        claims = person()
        done = await visitor.log_in("corp", claims, redirect_uri=LISTENING, code_challenge=challenge, state="s&=1")
        parameters = received(done)
        assert parameters.keys() == {"code", "state"}
        assert parameters["state"] == "s&=1"
        assert await caller(visitor) is None  # the browser gets no session
        tokens = await exchange(visitor.http, parameters["code"], verifier)
        assert tokens.status_code == 200
        assert tokens.headers["cache-control"] == "no-store"
        user = await account_of(app, claims)
        me = await visitor.http.get("/api/v1/users/me", headers=header(tokens))
        assert (me.status_code, me.json()["id"]) == (200, str(user.id))
        assert (await refresh(visitor.http, tokens.json()["refresh_token"])).status_code == 200
        assert "user_logged_in" in await events_of(app, user)

    async def test_a_code_works_once(self, visitor: Visitor) -> None:
        verifier, challenge = new_verifier()
        code = received(await visitor.log_in("corp", person(), redirect_uri=LISTENING, code_challenge=challenge))[
            "code"
        ]
        assert (await exchange(visitor.http, code, verifier)).status_code == 200
        assert_problem(await exchange(visitor.http, code, verifier), 401, "sign-on-code-invalid")

    async def test_a_code_with_another_verifier_is_void(self, visitor: Visitor) -> None:
        verifier, challenge = new_verifier()
        code = received(await visitor.log_in("corp", person(), redirect_uri=LISTENING, code_challenge=challenge))[
            "code"
        ]
        assert_problem(await exchange(visitor.http, code, new_verifier()[0]), 401, "sign-on-code-invalid")
        assert_problem(await exchange(visitor.http, code, verifier), 401, "sign-on-code-invalid")

    async def test_a_code_expires_after_a_minute(self, visitor: Visitor) -> None:
        verifier, challenge = new_verifier()
        code = received(await visitor.log_in("corp", person(), redirect_uri=LISTENING, code_challenge=challenge))[
            "code"
        ]
        with clock.at(clock.now() + timedelta(seconds=61)):
            assert_problem(await exchange(visitor.http, code, verifier), 401, "sign-on-code-invalid")

    async def test_a_code_of_a_deactivated_person_is_void(self, app: FastAPI, visitor: Visitor) -> None:
        verifier, challenge = new_verifier()
        claims = person()
        code = received(await visitor.log_in("corp", claims, redirect_uri=LISTENING, code_challenge=challenge))["code"]
        await change(app, "UPDATE app.users SET is_active = false WHERE lower(email) = :email", email=claims["email"])
        assert_problem(await exchange(visitor.http, code, verifier), 401, "sign-on-code-invalid")

    async def test_a_log_out_at_the_provider_voids_the_code_and_ends_the_session(
        self, visitor: Visitor, hostile: Hostile
    ) -> None:
        verifier, challenge = new_verifier()
        codes = []
        for _ in range(2):
            begun = await begin(visitor, hostile, redirect_uri=LISTENING, code_challenge=challenge)
            hostile.id_token = hostile.sign(hostile.claims(nonce=begun.nonce, sid="one"))
            codes.append(received(await begun.end())["code"])
        tokens = await exchange(visitor.http, codes[0], verifier)
        assert (await send(visitor, hostile.sign(logout_claims(hostile, sid="one")))).status_code == 200
        assert_problem(await exchange(visitor.http, codes[1], verifier), 401, "sign-on-code-invalid")
        assert_problem(await refresh(visitor.http, tokens.json()["refresh_token"]), 401, "refresh-token-invalid")
        me = await visitor.http.get("/api/v1/users/me", headers=header(tokens))
        assert_problem(me, 401, "token-invalid")

    @pytest.mark.parametrize("verifier", ["", "short", "x" * 129, "ż" * 43])
    async def test_a_verifier_has_43_to_128_characters(self, visitor: Visitor, verifier: str) -> None:
        assert_problem(await exchange(visitor.http, "code", verifier), 422, "validation")


class TestRedirect:
    @pytest.mark.parametrize("uri", ["http://[::1]:5555", "http://127.0.0.1:1/a?b=c"])
    async def test_goes_to_any_port_of_this_machine(self, visitor: Visitor, uri: str) -> None:
        begun = await visitor.begin("corp", redirect_uri=uri, code_challenge=new_verifier()[1])
        assert begun.status_code == 303

    @pytest.mark.parametrize(
        "uri",
        [
            "https://evil.example/",
            "http://localhost:5555/",
            "http://127.0.0.1/",
            "http://127.0.0.1:5555@evil.example/",
            "http://user@127.0.0.1:5555/",
            "http://127.0.0.1:5555\\@evil.example/",
            "http://127.0.0.1:5555/#x",
            "http://127.0.0.1:x/",
            "https://127.0.0.1:5555/",
            "javascript:alert(1)",
            "http://127.0.0.1:5555/" + "x" * 500,
            "http://127.0.0.1:5555/\r\nX: y",
            "",
        ],
    )
    async def test_goes_nowhere_else(self, visitor: Visitor, uri: str) -> None:
        begun = await visitor.begin("corp", redirect_uri=uri, code_challenge=new_verifier()[1])
        assert (begun.status_code, "location" in begun.headers) == (422, False)

    @pytest.mark.parametrize("challenge", ["", "short", "x" * 44, "=" * 43])
    async def test_needs_a_challenge(self, visitor: Visitor, challenge: str) -> None:
        begun = await visitor.begin("corp", redirect_uri=LISTENING, code_challenge=challenge)
        assert begun.status_code == 422


class TestListProviders:
    async def test_names_each_and_where_a_log_in_begins(self, visitor: Visitor) -> None:
        response = await visitor.http.get("/api/v1/auth/sso/providers")
        assert response.status_code == 200
        assert response.json()["items"][0] == {"name": "corp", "label": "Corp", "log_in_path": "/sso/corp/log-in"}
        assert response.json()["has_passwords"] is True
        assert "secret" not in response.text
