from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from argon2 import PasswordHasher
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import select, text

from api.auth import sessions
from api.auth.models import User
from api.auth.passwords import Passwords, needs_rehash
from api.kernel import clock
from tests.auth.calls import (
    assert_problem,
    change,
    events_of,
    header,
    log_in,
    new_email,
    until,
)
from tests.auth.conftest import make_app
from tests.auth.mailboxes import Mailbox
from tests.factories.containers import parts, pool_of, replaced
from tests.factories.users import PASSWORD, bearer, commit_user

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import Response

    from settings import Settings


class TestRegister:
    async def register(self, http: AsyncClient, **changes: Any) -> Response:
        body = {"email": new_email(), "display_name": "Anna Nowak", "password": PASSWORD} | changes
        return await http.post("/api/v1/auth/register", json=body)

    async def test_creates_an_account_without_rights_that_can_log_in_when_its_address_is_confirmed(
        self, app: FastAPI, http: AsyncClient, mails: Mailbox
    ) -> None:
        email = new_email()
        registered = await self.register(http, email=email, display_name="  Anna Nowak ")
        assert (registered.status_code, registered.json()) == (202, {"email": email})
        early = await http.post("/api/v1/auth/login", json={"email": email, "password": PASSWORD})
        assert_problem(early, 401, "log-in-failed")
        confirmed = await http.post(
            "/api/v1/auth/verify-email", json={"token": await mails.token(email), "password": PASSWORD}
        )
        assert confirmed.status_code == 204
        tokens = await http.post("/api/v1/auth/login", json={"email": email.upper(), "password": PASSWORD})
        assert tokens.status_code == 200
        account = (await http.get("/api/v1/users/me", headers=header(tokens))).json()
        assert (account["email"], account["display_name"]) == (email, "Anna Nowak")
        assert (account["roles"], account["permissions"]) == ([], [])
        events = ["user_registered", "log_in_failed", "user_address_verified", "user_logged_in"]
        assert await events_of(app, User(id=UUID(account["id"]))) == events

    async def test_an_address_with_an_account_gets_the_same_response_and_its_account_does_not_change(
        self, app: FastAPI, http: AsyncClient
    ) -> None:
        user = await commit_user(app, password=PASSWORD)
        assert user.email is not None
        unknown = await self.register(http, email=(email := new_email()))
        known = await self.register(http, email=user.email.upper(), password="granite-otter-53-lamp")
        for response in (unknown, known):
            for name in ("date", "x-request-id"):
                response.headers.pop(name, None)
        assert (known.status_code, known.json().keys()) == (unknown.status_code, unknown.json().keys())
        assert known.headers.keys() == unknown.headers.keys()
        assert (unknown.json(), known.json()["email"].lower()) == ({"email": email}, user.email)

        assert (await log_in(http, user, "granite-otter-53-lamp")).status_code == 401
        assert (await log_in(http, user)).status_code == 200
        events = ["user_created", "registration_repeated", "log_in_failed", "user_logged_in"]
        assert await events_of(app, user) == events

    async def test_blanks_and_invisible_characters_around_an_address_are_no_part_of_it(
        self, http: AsyncClient, mails: Mailbox
    ) -> None:
        email = new_email()
        registered = await self.register(http, email=f"\u200b{email} ")
        assert (registered.status_code, registered.json()) == (202, {"email": email})
        assert (
            await http.post("/api/v1/auth/verify-email", json={"token": await mails.token(email), "password": PASSWORD})
        ).status_code == 204
        body = {"email": f" {email}\u2028", "password": PASSWORD}
        assert (await http.post("/api/v1/auth/login", json=body)).status_code == 200

    async def test_many_concurrent_requests_create_one_account(self, app: FastAPI, http: AsyncClient) -> None:
        email = new_email()
        responses = await asyncio.gather(*(self.register(http, email=email) for _ in range(8)))
        assert {response.status_code for response in responses} == {202}
        async with parts(app).database.session() as session:
            (user_id,) = await session.scalars(select(User.id).where(User.email == email))
        events = await events_of(app, User(id=user_id))
        assert sorted(events) == ["registration_repeated"] * 7 + ["user_registered"]

    @pytest.mark.parametrize("email", ["anna", "anna@", "@example.org", "an na@example.org", "anna@example"])
    async def test_refuses_an_invalid_address(self, http: AsyncClient, email: str) -> None:
        assert_problem(await self.register(http, email=email), 422, "bad-email")

    async def test_refuses_a_weak_password(self, http: AsyncClient) -> None:
        assert_problem(await self.register(http, password="password1234"), 422, "weak-password")
        assert_problem(
            await self.register(http, password="Anna-Nowak-77", display_name="Anna Nowak"), 422, "weak-password"
        )

    @pytest.mark.parametrize("name", ["", "   ", "a\nb", "a\x00b", "a\u2028b", "\u200b\u2800", "x" * 201])
    async def test_refuses_a_name_with_control_characters(self, http: AsyncClient, name: str) -> None:
        assert_problem(await self.register(http, display_name=name), 422, "validation")

    async def test_refuses_unknown_fields(self, http: AsyncClient) -> None:
        assert_problem(await self.register(http, roles=["system_admin"]), 422, "validation")

    async def test_ignores_an_idempotency_key(self, http: AsyncClient) -> None:
        body = {"email": new_email(), "display_name": "Anna", "password": PASSWORD}
        for _ in range(2):
            again = await http.post("/api/v1/auth/register", json=body, headers={"Idempotency-Key": "one"})
            assert (again.status_code, "idempotency-replayed" in again.headers) == (202, False)

    async def test_is_closed_by_the_setting(self, database: Settings) -> None:
        app = make_app(database.with_(registration="invitation"))
        async with AsyncClient(transport=ASGITransport(app=app), base_url="http://testserver") as http:
            assert_problem(await self.register(http), 403, "registration-closed")


class TestLogIn:
    async def test_returns_a_short_lived_access_token_and_a_refresh_token(
        self, app: FastAPI, http: AsyncClient
    ) -> None:
        user = await commit_user(app, password=PASSWORD)
        response = await log_in(http, user)
        assert (response.status_code, response.headers["cache-control"]) == (200, "no-store")
        tokens = response.json()
        assert (tokens["token_type"], tokens["expires_in_s"], len(tokens["refresh_token"])) == ("Bearer", 900, 43)
        assert await events_of(app, user) == ["user_created", "user_logged_in"]

    async def test_stores_only_hashes_of_tokens(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app, password=PASSWORD)
        tokens = (await log_in(http, user)).json()
        async with parts(app).database.session() as session:
            kept = await session.scalar(
                text(
                    "SELECT string_agg(t::text || s::text, ' ') FROM app.session_tokens t "
                    "JOIN app.sessions s ON s.id = t.session_id WHERE s.user_id = :user_id"
                ),
                {"user_id": user.id},
            )
        assert kept
        assert tokens["refresh_token"] not in kept
        assert tokens["refresh_token"].encode().hex() not in kept

    async def test_the_response_is_the_same_for_a_wrong_password_and_an_unknown_address(
        self, app: FastAPI, http: AsyncClient
    ) -> None:
        user = await commit_user(app, password=PASSWORD)
        no_password, inactive = await commit_user(app), await commit_user(app, password=PASSWORD, is_active=False)
        responses = [
            await log_in(http, user, "granite-otter-53-lamp"),
            await http.post("/api/v1/auth/login", json={"email": new_email(), "password": PASSWORD}),
            await log_in(http, no_password),
            await log_in(http, inactive),
        ]
        documents = [assert_problem(response, 401, "log-in-failed") for response in responses]
        assert len({(document["detail"], len(document)) for document in documents}) == 1

    async def test_records_a_failure_by_id_and_without_the_address(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app, password=PASSWORD)
        email = new_email()
        await log_in(http, user, "granite-otter-53-lamp")
        await http.post("/api/v1/auth/login", json={"email": email, "password": PASSWORD})
        assert await events_of(app, user) == ["user_created", "log_in_failed"]
        async with parts(app).database.session() as session:
            rows = (await session.scalars(text("SELECT e::text FROM app.events e WHERE kind = 'log_in_failed'"))).all()
        assert rows
        assert not any(email.lower() in row.lower() or (user.email or "") in row for row in rows)

    async def test_the_fifth_failure_of_an_account_causes_a_delay(self, app: FastAPI, http: AsyncClient) -> None:
        user, other = await commit_user(app, password=PASSWORD), await commit_user(app, password=PASSWORD)
        for _ in range(5):
            assert_problem(await log_in(http, user, "granite-otter-53-lamp"), 401, "log-in-failed")
        refused = await log_in(http, user)
        assert assert_problem(refused, 429, "too-many-attempts")["retry_after_s"] == 1
        assert refused.headers["retry-after"] == "1"
        assert (await log_in(http, other)).status_code == 429, "the address has failed five times as well"

    async def test_only_a_few_of_many_concurrent_guesses_are_checked(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app, password=PASSWORD)
        responses = await asyncio.gather(*(log_in(http, user, f"granite-otter-{n}-lamp") for n in range(60, 100)))
        statuses = [response.status_code for response in responses]
        assert set(statuses) == {401, 429}
        assert 5 <= statuses.count(401) <= 4 + parts(app).settings.auth.password_hashes_at_once

    async def test_holds_no_connection_while_it_waits_for_a_hash(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app, password=PASSWORD)
        passwords = Passwords(1)
        with replaced(app, passwords=passwords):
            async with passwords.slot():
                waiting = [asyncio.create_task(log_in(http, user)) for _ in range(40)]
                await until(lambda: passwords._slots._waiting == 40)
                assert pool_of(app).checkedout() == 0
            responses = await asyncio.gather(*waiting)
        assert {response.status_code for response in responses} == {200}

    async def test_replaces_an_old_hash(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app, password=PASSWORD)
        weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
        await change(app, "UPDATE app.users SET password_hash = :h WHERE id = :id", h=weak, id=user.id)
        assert (await log_in(http, user)).status_code == 200
        async with parts(app).database.session() as session:
            kept = await session.get_one(User, user.id)
        assert kept.password_hash is not None
        assert not needs_rehash(kept.password_hash)
        assert (await log_in(http, user)).status_code == 200

    async def test_an_eleventh_session_ends_the_oldest(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app, password=PASSWORD)
        first = await log_in(http, user)
        second = await log_in(http, user)
        for _ in range(9):
            await bearer(app, user)
        assert (await http.get("/api/v1/users/me", headers=header(first))).status_code == 401
        assert (await http.get("/api/v1/users/me", headers=header(second))).status_code == 200

    async def test_concurrent_log_ins_do_not_wait_for_each_other(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app, password=PASSWORD)
        async with parts(app).database.session() as other:
            held = await sessions.start_session(other, parts(app).settings, user.id, kind="token")
            assert held is not None
            assert (await log_in(http, user)).status_code == 200, "while another log-in has not ended"
        responses = await asyncio.gather(*(log_in(http, user) for _ in range(30)))
        assert {response.status_code for response in responses} == {200}
        await bearer(app, user)
        async with parts(app).database.session() as session:
            alive = await session.scalar(
                text("SELECT count(*) FROM app.sessions WHERE user_id = :user_id AND revoked_at IS NULL"),
                {"user_id": user.id},
            )
        assert alive == 10

    async def test_expired_sessions_are_removed(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app, password=PASSWORD)
        await log_in(http, user)
        with clock.at(datetime.now(UTC) + timedelta(days=91)):
            assert (await log_in(http, user)).status_code == 200
        async with parts(app).database.session() as session:
            kept = await session.scalar(
                text("SELECT count(*) FROM app.sessions WHERE user_id = :user_id"), {"user_id": user.id}
            )
        assert kept == 1

    async def test_refuses_a_text_that_cannot_be_an_address(self, http: AsyncClient) -> None:
        for email in ("a\0b@example.org", "\ud800@example.org", "x" * 300):
            body = json.dumps({"email": email, "password": PASSWORD})
            refused = await http.post("/api/v1/auth/login", content=body, headers={"Content-Type": "application/json"})
            assert_problem(refused, 422, "validation")


class TestUpdateMe:
    async def test_changes_the_name_and_records_who_and_when(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app)
        changed = await http.patch(
            "/api/v1/users/me", json={"display_name": "  Zoe\u0301 "}, headers=await bearer(app, user)
        )
        assert (changed.status_code, changed.json()["display_name"]) == (200, "Zo\u00e9")
        async with parts(app).database.session() as session:
            kept = await session.get_one(User, user.id)
        assert (kept.display_name, kept.updated_by) == ("Zo\u00e9", user.id)
        assert kept.updated_at > user.updated_at
        assert (await events_of(app, user))[-1] == "user_updated"

    async def test_an_omitted_or_equal_name_changes_nothing(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app)
        for body in ({}, {"display_name": user.display_name}):
            same = await http.patch("/api/v1/users/me", json=body, headers=await bearer(app, user))
            assert (same.status_code, same.json()["display_name"]) == (200, user.display_name)
        assert await events_of(app, user) == ["user_created"]

    @pytest.mark.parametrize(
        "body", [{"display_name": ""}, {"display_name": None}, {"display_name": "a\tb"}, {"email": "x@example.org"}]
    )
    async def test_refuses_other_content(self, app: FastAPI, http: AsyncClient, body: dict[str, object]) -> None:
        user = await commit_user(app)
        refused = await http.patch("/api/v1/users/me", json=body, headers=await bearer(app, user))
        assert_problem(refused, 422, "validation")
