"""Accounts of others, for administrators."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from api.auth import lifecycle
from api.auth.errors import LastAdministrator
from api.auth.models import User
from api.kernel.db import Database
from tests.auth.calls import assert_problem, events_of, header, log_in
from tests.auth.mailboxes import Mailbox
from tests.factories.users import PASSWORD, bearer, commit_user, make_user
from tests.factories.warehouse import database_of_its_own

if TYPE_CHECKING:
    from pathlib import Path

    from fastapi import FastAPI
    from httpx2 import AsyncClient

    from settings import Settings

USERS = "/api/v1/users"


@pytest.fixture
async def admin(app: FastAPI) -> dict[str, str]:
    return await bearer(app, await commit_user(app, roles=["system_admin"]))


class TestListUsers:
    async def test_finds_by_name_and_address_in_pages(
        self, app: FastAPI, http: AsyncClient, admin: dict[str, str]
    ) -> None:
        word = uuid4().hex
        made = [await commit_user(app, display_name=f"{word} 100% {number}") for number in range(3)]
        found, cursor = [], None
        while True:
            query: dict[str, Any] = {"q": f"{word.upper()} 100%", "limit": 2} | ({"cursor": cursor} if cursor else {})
            page = (await http.get(USERS, headers=admin, params=query)).json()
            found += [user["id"] for user in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert found == [str(user.id) for user in reversed(made)]
        by_address = (await http.get(USERS, headers=admin, params={"q": made[1].email})).json()["items"]
        assert [user["id"] for user in by_address] == [str(made[1].id)]

    async def test_filters_by_state_and_role(self, app: FastAPI, http: AsyncClient, admin: dict[str, str]) -> None:
        word = uuid4().hex
        active = await commit_user(app, display_name=word, roles=["executive"])
        inactive = await commit_user(app, display_name=word, is_active=False)
        for query, expected in (
            ({"is_active": "true"}, active),
            ({"is_active": "false"}, inactive),
            ({"role": "executive"}, active),
        ):
            page = (await http.get(USERS, headers=admin, params={"q": word} | query)).json()
            assert [user["id"] for user in page["items"]] == [str(expected.id)]


class TestUpdateUser:
    async def test_replaces_roles_at_once(self, app: FastAPI, http: AsyncClient, admin: dict[str, str]) -> None:
        user = await commit_user(app, password=PASSWORD)
        tokens = await log_in(http, user)
        changed = await http.patch(f"{USERS}/{user.id}", headers=admin, json={"roles": ["executive"]})
        assert changed.status_code == 200, changed.text
        assert changed.json()["roles"] == ["executive"]
        assert_problem(await http.get(f"{USERS}/me", headers=header(tokens)), 401, "token-invalid")
        refreshed = await http.post("/api/v1/auth/refresh", json={"refresh_token": tokens.json()["refresh_token"]})
        assert (await http.get(f"{USERS}/me", headers=header(refreshed))).json()["roles"] == ["executive"]
        assert "user_rights_changed" in await events_of(app, user)

    @pytest.mark.parametrize("body", [{"roles": ["king"]}, {"permissions": ["manage_users"]}, {"roles": None}])
    async def test_refuses_unknown_rights(
        self, app: FastAPI, http: AsyncClient, admin: dict[str, str], body: dict[str, object]
    ) -> None:
        user = await commit_user(app)
        assert (await http.patch(f"{USERS}/{user.id}", headers=admin, json=body)).status_code == 422


class TestDeactivateUser:
    async def test_ends_sessions_and_informs_the_user(
        self, app: FastAPI, http: AsyncClient, admin: dict[str, str], mails: Mailbox
    ) -> None:
        user = await commit_user(app, password=PASSWORD)
        tokens = await log_in(http, user)
        for _ in range(2):
            done = await http.post(f"{USERS}/{user.id}/deactivate", headers=admin)
            assert (done.status_code, done.json()["is_active"]) == (200, False)
        assert_problem(await http.get(f"{USERS}/me", headers=header(tokens)), 401, "token-invalid")
        assert (await log_in(http, user)).status_code == 401
        assert len(await mails.receive(user.email or "")) == 1
        again = await http.post(f"{USERS}/{user.id}/reactivate", headers=admin)
        assert (again.status_code, again.json()["is_active"]) == (200, True)
        assert (await log_in(http, user)).status_code == 200
        assert_problem(await http.get(f"{USERS}/me", headers=header(tokens)), 401, "token-invalid")


class TestEndUserSessions:
    async def test_logs_the_user_out(self, app: FastAPI, http: AsyncClient, admin: dict[str, str]) -> None:
        user = await commit_user(app, password=PASSWORD)
        tokens = await log_in(http, user)
        assert (await http.delete(f"{USERS}/{user.id}/sessions", headers=admin)).status_code == 204
        assert_problem(await http.get(f"{USERS}/me", headers=header(tokens)), 401, "token-invalid")


class TestLastAdministrator:
    async def test_stays_when_two_remove_each_other_at_the_same_time(
        self, server: Settings, worker: str, tmp_path: Path
    ) -> None:
        with database_of_its_own(server, f"admins_{worker}", tmp_path) as settings:
            database = Database(settings.database)
            async with database.session() as session:
                made = [(await make_user(session, roles=["system_admin"])).id for _ in range(2)]

            async def demote(number: int) -> str:
                try:
                    async with database.session() as session:
                        user = await lifecycle.lock_user(session, made[number])
                        await lifecycle.change_rights(session, user, actor_id=made[1 - number], roles=[])
                except LastAdministrator:
                    return "refused"
                return "done"

            done = await asyncio.gather(demote(0), demote(1))
            async with database.session() as session:
                left = await session.scalar(
                    text("SELECT count(*) FROM app.users WHERE 'system_admin' = ANY (roles) AND is_active")
                )
                (last,) = await session.scalars(text("SELECT id FROM app.users WHERE 'system_admin' = ANY (roles)"))
                with pytest.raises(LastAdministrator):
                    await lifecycle.deactivate_user(session, await session.get_one(User, last), actor_id=None)
            await database.close()
        assert left == 1
        assert sorted(done) == ["done", "refused"]
