"""The identities of an account, as administrators and the database see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from tests.auth.calls import assert_problem, events_of
from tests.factories.containers import parts
from tests.factories.users import bearer, commit_user
from tests.sso.people import account_of, caller, person
from tests.sso.test_log_in import assert_refused

if TYPE_CHECKING:
    from fastapi import FastAPI

    from tests.sso.providers import Idp, Visitor


class TestUnlinkIdentity:
    async def test_ends_its_sessions_and_lets_a_new_subject_be_linked(
        self, app: FastAPI, visitor: Visitor, other_visitor: Visitor, corp: Idp
    ) -> None:
        claims = person()
        await visitor.log_in("corp", claims)
        renewed = person(email=claims["email"])
        assert_refused(await other_visitor.log_in("corp", renewed), "belongs to another account")
        user = await account_of(app, claims)
        headers = await bearer(app, await commit_user(app, roles=["system_admin"]))
        path = f"/api/v1/users/{user.id}/identities"
        [identity] = (await visitor.http.get(path, headers=headers)).json()["items"]
        assert (identity["issuer"], identity["subject"]) == (corp.issuer, claims["sub"])
        assert (await visitor.http.delete(f"{path}/{identity['id']}", headers=headers)).status_code == 204
        assert await caller(visitor) is None
        assert (await visitor.http.get(path, headers=headers)).json()["items"] == []
        assert "identity_unlinked" in await events_of(app, user)
        assert (await other_visitor.log_in("corp", renewed)).status_code == 303
        assert await caller(other_visitor) == str(user.id)

    async def test_not_of_another_user(self, app: FastAPI, visitor: Visitor) -> None:
        claims = person()
        await visitor.log_in("corp", claims)
        user, other = await account_of(app, claims), await commit_user(app)
        headers = await bearer(app, await commit_user(app, roles=["system_admin"]))
        [identity] = (await visitor.http.get(f"/api/v1/users/{user.id}/identities", headers=headers)).json()["items"]
        response = await visitor.http.delete(f"/api/v1/users/{other.id}/identities/{identity['id']}", headers=headers)
        assert_problem(response, 404, "not-found")
        assert await caller(visitor) == str(user.id)


class TestDatabase:
    @pytest.mark.parametrize("column", ["issuer", "subject", "user_id"])
    async def test_an_identity_never_changes(self, app: FastAPI, column: str) -> None:
        async with parts(app).database.dry_run() as session:
            with pytest.raises(ProgrammingError, match="permission denied"):
                await session.execute(text(f"UPDATE app.identities SET {column} = {column}"))
            await session.rollback()
