from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from httpx2 import AsyncClient
from sqlalchemy import text

from api.kernel import clock
from tests.auth.calls import (
    assert_problem,
    browser_cookie,
    change,
    events_of,
    header,
    log_in,
    refresh,
)
from tests.factories.containers import parts
from tests.factories.users import PASSWORD, commit_user

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from fastapi import FastAPI


def after_the_grace() -> AbstractContextManager[None]:
    """A time at which the repeated use of a refresh token counts as reuse."""
    return clock.at(datetime.now(UTC) + timedelta(seconds=11))


class TestRefresh:
    async def test_returns_new_tokens_of_the_same_session(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app, password=PASSWORD)
        first = await log_in(http, user)
        second = await refresh(http, first.json()["refresh_token"])
        assert (second.status_code, second.headers["cache-control"]) == (200, "no-store")
        assert second.json()["refresh_token"] != first.json()["refresh_token"]
        for tokens in (first, second):
            assert (await http.get("/api/v1/users/me", headers=header(tokens))).status_code == 200
        third = await refresh(http, second.json()["refresh_token"])
        assert third.status_code == 200
        async with parts(app).database.session() as session:
            families = await session.scalar(
                text("SELECT count(*) FROM app.sessions WHERE user_id = :user_id"), {"user_id": user.id}
            )
        assert families == 1

    async def test_reuse_ends_the_session_for_all_clients(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app, password=PASSWORD)
        first, other = await log_in(http, user), await log_in(http, user)
        second = await refresh(http, first.json()["refresh_token"])
        with after_the_grace():
            stolen = await refresh(http, first.json()["refresh_token"])
        assert assert_problem(stolen, 401, "refresh-token-used")["session_ended"] is True
        assert_problem(await refresh(http, second.json()["refresh_token"]), 401, "refresh-token-invalid")
        assert_problem(await http.get("/api/v1/users/me", headers=header(second)), 401, "token-invalid")
        assert (await refresh(http, other.json()["refresh_token"])).status_code == 200, (
            "another log-in is another family"
        )
        assert (await events_of(app, user))[-2:] == ["refresh_token_reused", "session_refreshed"]
        for _ in range(3):
            assert_problem(await refresh(http, first.json()["refresh_token"]), 401, "refresh-token-used")
        assert (await events_of(app, user)).count("refresh_token_reused") == 1

    async def test_one_of_50_concurrent_requests_succeeds_and_the_session_continues(
        self, app: FastAPI, http: AsyncClient
    ) -> None:
        user = await commit_user(app, password=PASSWORD)
        first = (await log_in(http, user)).json()["refresh_token"]
        responses = await asyncio.gather(*(refresh(http, first) for _ in range(50)))
        won = [response for response in responses if response.status_code == 200]
        lost = [
            assert_problem(response, 401, "refresh-token-used") for response in responses if response.status_code != 200
        ]
        assert (len(won), len(lost)) == (1, 49)
        assert {document["session_ended"] for document in lost} == {False}
        following = await refresh(http, won[0].json()["refresh_token"])
        assert following.status_code == 200
        with after_the_grace():
            assert_problem(await refresh(http, first), 401, "refresh-token-used")
        assert_problem(await refresh(http, following.json()["refresh_token"]), 401, "refresh-token-invalid")

    @pytest.mark.parametrize(("seconds", "is_reuse"), [(9, False), (11, True)])
    async def test_shortly_after_the_first_use_is_not_reuse(
        self, app: FastAPI, http: AsyncClient, *, seconds: int, is_reuse: bool
    ) -> None:
        user = await commit_user(app, password=PASSWORD)
        now = datetime.now(UTC)
        with clock.at(now):
            first = (await log_in(http, user)).json()["refresh_token"]
            second = (await refresh(http, first)).json()["refresh_token"]
        with clock.at(now + timedelta(seconds=seconds)):
            refused = assert_problem(await refresh(http, first), 401, "refresh-token-used")
            assert refused["session_ended"] is is_reuse
            assert (await refresh(http, second)).status_code == (401 if is_reuse else 200)

    async def test_is_valid_for_30_days_and_extended_up_to_90(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app, password=PASSWORD)
        start = datetime.now(UTC)
        token = (await log_in(http, user)).json()["refresh_token"]
        for day in (29, 58, 87):
            with clock.at(start + timedelta(days=day)):
                response = await refresh(http, token)
            assert response.status_code == 200
            token = response.json()["refresh_token"]
        with clock.at(start + timedelta(days=90, minutes=1)):
            assert_problem(await refresh(http, token), 401, "refresh-token-invalid")

    async def test_an_unused_one_expires_after_30_days(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app, password=PASSWORD)
        token = (await log_in(http, user)).json()["refresh_token"]
        with clock.at(datetime.now(UTC) + timedelta(days=30, minutes=1)):
            assert_problem(await refresh(http, token), 401, "refresh-token-invalid")

    async def test_refuses_unknown_tokens_access_tokens_and_cookies(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app, password=PASSWORD)
        access_token = (await log_in(http, user)).json()["access_token"]
        assert_problem(await refresh(http, "x" * 43), 401, "refresh-token-invalid")
        assert_problem(await refresh(http, access_token[:128]), 401, "refresh-token-invalid")
        cookie = await browser_cookie(app, user)
        assert_problem(await refresh(http, cookie), 401, "refresh-token-invalid")

    async def test_refuses_a_deactivated_user(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app, password=PASSWORD)
        token = (await log_in(http, user)).json()["refresh_token"]
        await change(app, "UPDATE app.users SET is_active = false WHERE id = :id", id=user.id)
        assert_problem(await refresh(http, token), 401, "refresh-token-invalid")


class TestLogOut:
    async def test_ends_only_this_session(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app, password=PASSWORD)
        this, other = await log_in(http, user), await log_in(http, user)
        ended = await http.post("/api/v1/auth/logout", headers=header(this))
        assert (ended.status_code, ended.content) == (204, b"")
        assert_problem(await http.get("/api/v1/users/me", headers=header(this)), 401, "token-invalid")
        assert_problem(await refresh(http, this.json()["refresh_token"]), 401, "refresh-token-invalid")
        assert (await http.get("/api/v1/users/me", headers=header(other))).status_code == 200
        assert (await events_of(app, user))[-1] == "user_logged_out"

    async def test_requires_a_token(self, http: AsyncClient) -> None:
        refused = await http.post("/api/v1/auth/logout")
        assert_problem(refused, 401, "token-missing")
        assert refused.headers["www-authenticate"] == "Bearer"
