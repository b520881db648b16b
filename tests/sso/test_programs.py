"""Tokens for programs: a code at an address of the user's machine, and its exchange."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from api.auth import lifecycle
from api.auth.sessions import Client
from api.auth.sso import codes, identities
from api.auth.sso.accounts import Account
from api.auth.sso.log_in import start_provider_session
from api.kernel import clock
from tests.auth.calls import assert_problem, change, events_of, header, refresh
from tests.coins.test_bulk import until_a_connection_waits_for_a_lock
from tests.factories.containers import parts
from tests.sso.hostile import Hostile, begin
from tests.sso.people import account_of, caller, has_second_factor, person
from tests.sso.test_log_out import logout_claims, send

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fastapi import FastAPI
    from httpx2 import AsyncClient, Response
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.auth.models import User
    from api.auth.sso.models import Identity
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


async def log_out_everywhere(session: AsyncSession, user: User) -> None:
    await lifecycle.end_all_sessions(session, user, actor_id=user.id)


async def deactivate_and_reactivate(session: AsyncSession, user: User) -> None:
    await lifecycle.deactivate_user(session, user, actor_id=None)
    await lifecycle.reactivate_user(session, user, actor_id=None)


async def give_a_role(session: AsyncSession, user: User) -> None:
    await lifecycle.change_rights(session, user, actor_id=None, roles=["data_viewer"])


async def unlink(app: FastAPI, user: User, identity: Identity) -> None:
    async with parts(app).database.session() as session:
        await identities.unlink_identity(session, user.id, identity.id, actor_id=user.id)


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

    async def test_a_session_has_the_second_factor_of_its_log_in(self, app: FastAPI, visitor: Visitor) -> None:
        for methods, has_factor in ((["pwd"], False), (["mfa"], True)):
            verifier, challenge = new_verifier()
            claims = person("partner.example", amr=methods)
            done = await visitor.log_in("partner", claims, redirect_uri=LISTENING, code_challenge=challenge)
            assert (await exchange(visitor.http, received(done)["code"], verifier)).status_code == 200
            assert await has_second_factor(app, claims) is has_factor
            visitor.outside.cookies.clear()

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

    @pytest.mark.parametrize("change_account", [log_out_everywhere, deactivate_and_reactivate, give_a_role])
    async def test_a_change_that_ends_access_tokens_voids_the_code(
        self, app: FastAPI, visitor: Visitor, change_account: Callable[[AsyncSession, User], Awaitable[None]]
    ) -> None:
        verifier, challenge = new_verifier()
        claims = person()
        code = received(await visitor.log_in("corp", claims, redirect_uri=LISTENING, code_challenge=challenge))["code"]
        user = await account_of(app, claims)
        async with parts(app).database.session() as session:
            await change_account(session, await lifecycle.lock_user(session, user.id))
        assert_problem(await exchange(visitor.http, code, verifier), 401, "sign-on-code-invalid")
        renewed = f"{code.rpartition('.')[0]}.{(await account_of(app, claims)).token_version}"
        assert_problem(await exchange(visitor.http, renewed, verifier), 401, "sign-on-code-invalid")

    async def test_an_unlinking_meanwhile_waits_and_ends_the_session(self, app: FastAPI, visitor: Visitor) -> None:
        verifier, challenge = new_verifier()
        claims = person()
        code = received(await visitor.log_in("corp", claims, redirect_uri=LISTENING, code_challenge=challenge))["code"]
        user = await account_of(app, claims)
        async with parts(app).database.session() as session:
            used = await codes.use_code(session, code, verifier)
            assert used is not None
            unlinked = asyncio.create_task(unlink(app, user, used.identity))
            await until_a_connection_waits_for_a_lock(app)
            issued = await start_provider_session(
                session,
                parts(app).settings,
                Account(user, used.identity),
                kind="token",
                client=Client(),
                provider=used.provider,
                provider_session=used.provider_session,
                encrypted_id_token=used.encrypted_id_token,
                has_second_factor=used.has_second_factor,
            )
        await unlinked
        assert_problem(await refresh(visitor.http, issued.secret), 401, "refresh-token-invalid")

    async def test_a_code_of_an_identity_that_is_being_unlinked_is_void(self, app: FastAPI, visitor: Visitor) -> None:
        verifier, challenge = new_verifier()
        claims = person()
        code = received(await visitor.log_in("corp", claims, redirect_uri=LISTENING, code_challenge=challenge))["code"]
        user = await account_of(app, claims)
        async with parts(app).database.session() as session:
            [identity] = await identities.list_identities(session, user.id)
            await identities.unlink_identity(session, user.id, identity.id, actor_id=user.id)
            exchanged = asyncio.create_task(exchange(visitor.http, code, verifier))
            await until_a_connection_waits_for_a_lock(app)
        assert_problem(await exchanged, 401, "sign-on-code-invalid")

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
