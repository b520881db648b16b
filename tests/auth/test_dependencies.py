from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from api.auth import lifecycle, service, sessions
from api.auth.models import User
from tests.factories.containers import current_revocations, parts, replaced, statements_of
from tests.factories.users import bearer, commit_user

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient, Response

PROBES = "/api/v1/probes"


async def change(app: FastAPI, statement: str, user: User) -> None:
    async with parts(app).database.session() as session:
        await session.execute(text(statement), {"id": user.id})


async def browser(app: FastAPI, user: User) -> dict[str, str]:
    async with parts(app).database.session() as session:
        issued = await sessions.start_session(session, parts(app).settings, user.id, kind="browser")
    assert issued is not None
    return {"Cookie": f"ideamint_session={issued.secret}"}


def slug(response: Response) -> Any:
    return response.status_code, response.json()["type"].rpartition(":")[2]


class TestCurrentUser:
    @pytest.mark.parametrize("authorization", ["", "Basic dTpw", "Bearer", "bearer", "Token abc"])
    async def test_without_a_bearer_token_states_how_to_log_in(self, http: AsyncClient, authorization: str) -> None:
        refused = await http.get(f"{PROBES}/current", headers={"Authorization": authorization})
        assert slug(refused) == (401, "token-missing")
        assert refused.headers["www-authenticate"] == "Bearer"

    async def test_refuses_an_invalid_token_as_such(self, http: AsyncClient) -> None:
        refused = await http.get(f"{PROBES}/current", headers={"Authorization": "Bearer a.b.c"})
        assert slug(refused) == (401, "token-invalid")
        assert refused.headers["www-authenticate"] == 'Bearer error="invalid_token"'

    async def test_other_roles_require_a_new_token(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app, roles=["system_admin"])
        headers = await bearer(app, user)
        assert (await http.get(f"{PROBES}/current", headers=headers)).json()["manages_all_campaigns"] is True
        await change(app, "UPDATE app.users SET roles = '{executive}' WHERE id = :id", user)
        assert slug(await http.get(f"{PROBES}/current", headers=headers)) == (401, "token-invalid")
        caller = (await http.get(f"{PROBES}/current", headers=await bearer(app, user))).json()
        assert caller["roles"] == ["executive"]
        assert (caller["manages_all_campaigns"], caller["views_all_campaigns"]) == (False, True)

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE app.users SET is_active = false WHERE id = :id",
            "UPDATE app.users SET token_version = token_version + 1 WHERE id = :id",
            "UPDATE app.sessions SET revoked_at = now() WHERE user_id = :id",
            "UPDATE app.sessions SET expires_at = now() WHERE user_id = :id",
            "DELETE FROM app.sessions WHERE user_id = :id",
        ],
    )
    async def test_is_refused_immediately(self, app: FastAPI, http: AsyncClient, statement: str) -> None:
        user, other = await commit_user(app), await commit_user(app)
        headers, others = await bearer(app, user), await bearer(app, other)
        assert (await http.get(f"{PROBES}/current", headers=headers)).status_code == 200
        await change(app, statement, user)
        assert slug(await http.get(f"{PROBES}/current", headers=headers)) == (401, "token-invalid")
        assert (await http.get(f"{PROBES}/current", headers=others)).status_code == 200

    @pytest.mark.parametrize(("is_current", "queries"), [(True, 0), (False, 1)])
    async def test_runs_a_query_only_if_the_revocations_are_old(
        self, app: FastAPI, http: AsyncClient, *, is_current: bool, queries: int
    ) -> None:
        headers = await bearer(app, await commit_user(app))
        async with current_revocations(app) if is_current else nullcontext():
            if not is_current:
                parts(app).access_tokens.revocations.expire()
            with statements_of(app) as statements:
                assert (await http.get(f"{PROBES}/current", headers=headers)).status_code == 200
        assert len([each for each in statements if "sessions" in each]) == queries
        assert len(statements) == queries

    async def test_a_write_uses_the_idempotency_key(self, app: FastAPI, http: AsyncClient) -> None:
        user, other = await commit_user(app), await commit_user(app)
        headers = await bearer(app, user) | {"Idempotency-Key": "one"}
        first, again = [await http.post(f"{PROBES}/current", headers=headers) for _ in range(2)]
        assert [first.status_code, again.status_code] == [201, 201]
        assert ("idempotency-replayed" in first.headers, again.headers.get("idempotency-replayed")) == (False, "true")
        assert first.content == again.content
        others = await bearer(app, other) | {"Idempotency-Key": "one"}
        response = await http.post(f"{PROBES}/current", headers=others)
        assert (response.json()["user_id"], "idempotency-replayed" in response.headers) == (str(other.id), False)
        changed = await http.post(f"{PROBES}/current", headers=headers, json={"another": "body"})
        assert slug(changed) == (422, "idempotency-key-reused")

    async def test_a_cookie_is_not_accepted_as_a_token(self, app: FastAPI, http: AsyncClient) -> None:
        cookie = await browser(app, await commit_user(app, roles=["system_admin"]))
        assert slug(await http.get(f"{PROBES}/current", headers=cookie)) == (401, "token-missing")
        assert slug(await http.post(f"{PROBES}/current", headers=cookie)) == (401, "token-missing")
        secret = cookie["Cookie"].partition("=")[2]
        as_bearer = await http.get(f"{PROBES}/current", headers={"Authorization": f"Bearer {secret}"})
        assert slug(as_bearer) == (401, "token-invalid")


class TestTokenHolder:
    async def test_runs_no_query(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app, roles=["executive"])
        headers = await bearer(app, user)
        async with current_revocations(app):
            with replaced(app, database=None):
                response = await http.get(f"{PROBES}/token", headers=headers)
        assert (response.status_code, response.json()["user_id"], response.json()["roles"]) == (
            200,
            str(user.id),
            ["executive"],
        )

    async def test_refuses_missing_and_invalid_tokens(self, http: AsyncClient) -> None:
        assert slug(await http.get(f"{PROBES}/token")) == (401, "token-missing")
        assert slug(await http.get(f"{PROBES}/token", headers={"Authorization": "Bearer a.b.c"})) == (
            401,
            "token-invalid",
        )


class TestBrowserUser:
    async def test_reads_by_cookie(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app, roles=["executive"])
        response = await http.get(f"{PROBES}/browser", headers=await browser(app, user))
        assert (response.status_code, response.json()["user_id"], response.json()["roles"]) == (
            200,
            str(user.id),
            ["executive"],
        )

    async def test_writes_nothing(self, app: FastAPI, http: AsyncClient) -> None:
        cookie = await browser(app, await commit_user(app, roles=["system_admin"]))
        assert slug(await http.post(f"{PROBES}/browser", headers=cookie)) == (401, "token-missing")

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE app.users SET is_active = false WHERE id = :id",
            "UPDATE app.sessions SET revoked_at = now() WHERE user_id = :id",
            "UPDATE app.sessions SET expires_at = now() WHERE user_id = :id",
            "UPDATE app.session_tokens t SET expires_at = now() FROM app.sessions s WHERE s.id = session_id AND user_id = :id",
        ],
    )
    async def test_ends_with_its_session(self, app: FastAPI, http: AsyncClient, statement: str) -> None:
        user = await commit_user(app)
        cookie = await browser(app, user)
        assert (await http.get(f"{PROBES}/browser", headers=cookie)).status_code == 200
        await change(app, statement, user)
        assert slug(await http.get(f"{PROBES}/browser", headers=cookie)) == (401, "token-missing")

    async def test_accepts_neither_refresh_nor_access_tokens(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app)
        async with parts(app).database.session() as session:
            issued = await sessions.start_session(session, parts(app).settings, user.id, kind="token")
        assert issued is not None
        for cookie in (issued.secret, (await bearer(app, user))["Authorization"].split()[1], "", "x"):
            refused = await http.get(f"{PROBES}/browser", headers={"Cookie": f"ideamint_session={cookie}"})
            assert slug(refused) == (401, "token-missing")
        assert slug(await http.get(f"{PROBES}/browser", headers=await bearer(app, user))) == (401, "token-missing")


class TestRequires:
    @pytest.mark.parametrize(
        ("given", "status"),
        [
            ({}, 403),
            ({"roles": ["executive"]}, 403),
            ({"permissions": ["create_campaign"]}, 200),
            ({"roles": ["system_admin"]}, 200),
        ],
    )
    async def test_allows_a_caller_with_the_permission(
        self, app: FastAPI, http: AsyncClient, given: dict[str, list[str]], status: int
    ) -> None:
        headers = await bearer(app, await commit_user(app, **given))
        response = await http.get(f"{PROBES}/permission", headers=headers)
        assert response.status_code == status
        if status == 403:
            assert (slug(response)[1], response.json()["permission"]) == ("forbidden", "create_campaign")

    async def test_requires_a_log_in(self, http: AsyncClient) -> None:
        assert slug(await http.get(f"{PROBES}/permission")) == (401, "token-missing")


class TestAnyUser:
    async def test_is_none_without_a_token(self, http: AsyncClient) -> None:
        response = await http.get(f"{PROBES}/anyone")
        assert (response.status_code, response.json()) == (200, None)

    async def test_is_the_user_of_a_token(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app)
        response = await http.get(f"{PROBES}/anyone", headers=await bearer(app, user))
        assert response.json()["user_id"] == str(user.id)

    async def test_refuses_an_invalid_token(self, http: AsyncClient) -> None:
        refused = await http.get(f"{PROBES}/anyone", headers={"Authorization": "Bearer a.b.c"})
        assert slug(refused) == (401, "token-invalid")


class TestEndAllSessions:
    async def test_logs_out_everywhere(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app)
        headers, cookie = await bearer(app, user), await browser(app, user)
        async with parts(app).database.session() as session:
            kept = await service.get_user(session, user.id)
            await lifecycle.end_all_sessions(session, kept, actor_id=None)
            assert kept.token_version == 1
        assert slug(await http.get(f"{PROBES}/current", headers=headers)) == (401, "token-invalid")
        assert slug(await http.get(f"{PROBES}/browser", headers=cookie)) == (401, "token-missing")
        assert (await http.get(f"{PROBES}/current", headers=await bearer(app, user))).status_code == 200


class TestDeactivateUser:
    async def test_refuses_the_user_immediately(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app)
        headers, cookie = await bearer(app, user), await browser(app, user)
        async with parts(app).database.session() as session:
            await lifecycle.deactivate_user(session, await service.get_user(session, user.id), actor_id=None)
        assert slug(await http.get(f"{PROBES}/current", headers=headers)) == (401, "token-invalid")
        assert slug(await http.get(f"{PROBES}/browser", headers=cookie)) == (401, "token-missing")
        async with parts(app).database.session() as session:
            assert await sessions.start_session(session, parts(app).settings, user.id, kind="token") is None
