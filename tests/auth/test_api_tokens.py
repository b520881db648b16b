"""API tokens: what they are accepted for, what ends them, and what they can never do."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from api.auth import lifecycle
from api.auth import service as accounts
from api.auth.api_tokens import secrets, service, service_accounts, verification
from api.auth.api_tokens.models import ApiToken
from api.auth.api_tokens.service import delete_ended_tokens
from api.auth.api_tokens.verification import ApiTokens
from api.auth.errors import TokenInvalid
from api.auth.models import User
from api.auth.revocations import Revocations
from api.kernel import clock
from api.kernel.errors import InvalidInput
from api.kernel.scopes import SCOPES, SERVICE_SCOPES
from settings import Settings
from tests.auth.calls import assert_problem, events_of
from tests.factories.api_tokens import as_header, make_service_account, make_token, token_header
from tests.factories.campaigns import make_world, submit_many
from tests.factories.clocks import Clock
from tests.factories.containers import current_revocations, parts, replaced, statements_of
from tests.factories.users import bearer, commit_user

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI
    from httpx2 import AsyncClient

    from api.kernel.db import Database

API = "/api/v1"
ME = f"{API}/users/me"


class Process:
    """The API tokens of a second process, whose revocations are read when a test says so."""

    def __init__(self, database: Database) -> None:
        self.clock = Clock()
        self.revocations = Revocations(database, self.clock)
        self.tokens = ApiTokens(Settings.of(), database, self.revocations, self.clock)
        self._url = database.url
        self._since = 0

    async def read(self) -> None:
        async with await psycopg.AsyncConnection.connect(self._url, autocommit=True) as connection:
            self._since = await self.revocations.read(connection, self._since)


async def run(app: FastAPI, statement: str, **values: Any) -> None:
    async with parts(app).database.session() as session:
        await session.execute(text(statement), values)


class TestSecrets:
    def test_have_a_prefix_and_a_checksum_that_scanners_can_check(self) -> None:
        token = secrets.new_token()
        assert re.fullmatch(secrets.PATTERN, token)
        assert secrets.is_well_formed(token)
        assert token.startswith(secrets.shown_prefix(token))
        assert len({secrets.new_token() for _ in range(100)}) == 100

    @pytest.mark.parametrize(
        "change",
        [
            lambda token: token[:-1] + ("a" if token[-1] != "a" else "b"),
            lambda token: token[:10] + ("a" if token[10] != "a" else "b") + token[11:],
            lambda token: token[:-1],
            lambda token: token + "a",
            lambda token: token.replace("imt_", "imx_"),
            lambda _: "imt_",
            lambda _: "",
        ],
    )
    def test_are_refused_when_changed(self, change: Callable[[str], str]) -> None:
        assert not secrets.is_well_formed(change(secrets.new_token()))


class TestRead:
    async def test_needs_no_query_while_the_revocations_are_current(self, app: FastAPI, http: AsyncClient) -> None:
        headers = await token_header(app, await commit_user(app), ["view_report"])
        path = f"{API}/probes/token"
        with replaced(app):
            async with current_revocations(app):
                await http.get(path, headers=headers)
                with statements_of(app) as statements:
                    await http.get(path, headers=headers)
        assert statements == []

    async def test_an_access_token_runs_no_query_and_asks_no_api_token(self, app: FastAPI, http: AsyncClient) -> None:
        headers = await bearer(app, await commit_user(app))
        async with current_revocations(app):
            assert (await http.get(f"{API}/probes/token", headers=headers)).status_code == 200
            with statements_of(app) as statements:
                assert (await http.get(f"{API}/probes/token", headers=headers)).status_code == 200
        assert statements == []

    async def test_refuses_malformed_tokens_without_a_query(self, app: FastAPI, http: AsyncClient) -> None:
        with statements_of(app) as statements:
            refused = await http.get(ME, headers={"Authorization": f"Bearer imt_{'a' * 49}"})
        assert_problem(refused, 401, "token-invalid")
        assert statements == []

    async def test_refuses_a_token_that_was_never_issued(self, http: AsyncClient) -> None:
        refused = await http.get(ME, headers={"Authorization": f"Bearer {secrets.new_token()}"})
        assert_problem(refused, 401, "token-invalid")

    async def test_refuses_an_expired_token_also_from_memory(self, app: FastAPI) -> None:
        created = await make_token(app, await commit_user(app), "own:read", days=1)
        process = Process(parts(app).database)
        await process.read()
        assert (await process.tokens.read(created.secret)).session_id == created.token.id
        with clock.at(clock.now() + timedelta(days=1, seconds=1)), pytest.raises(TokenInvalid, match="expired"):
            await process.tokens.read(created.secret)

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE app.api_tokens SET revoked_at = now() WHERE id = :token",
            "DELETE FROM app.api_tokens WHERE id = :token",
            "UPDATE app.users SET is_active = false WHERE id = :user",
        ],
    )
    async def test_another_process_refuses_what_has_ended(self, app: FastAPI, statement: str) -> None:
        user, other = await commit_user(app), await commit_user(app)
        created, others = await make_token(app, user, "own:read"), await make_token(app, other, "own:read")
        process = Process(parts(app).database)
        await process.read()
        await process.tokens.read(created.secret)
        await process.tokens.read(others.secret)
        value = {"token": created.token.id} if ":token" in statement else {"user": user.id}
        await run(app, statement, **value)
        await process.read()
        with pytest.raises(TokenInvalid, match="revoked"):
            await process.tokens.read(created.secret)
        await process.tokens.read(others.secret)

    async def test_asks_the_database_while_the_revocations_are_old(self, app: FastAPI) -> None:
        created = await make_token(app, await commit_user(app), "own:read")
        process = Process(parts(app).database)
        await process.read()
        await process.tokens.read(created.secret)
        process.clock.now_s += 1.01
        await run(app, "UPDATE app.api_tokens SET revoked_at = now() WHERE id = :id", id=created.token.id)
        with pytest.raises(TokenInvalid):
            await process.tokens.read(created.secret)

    async def test_is_read_again_before_its_revocation_is_forgotten(self, app: FastAPI) -> None:
        created = await make_token(app, await commit_user(app), "own:read")
        process = Process(parts(app).database)
        await process.read()
        await process.tokens.read(created.secret)
        process.clock.now_s += verification.CACHED_S + 1
        await process.read()
        with statements_of(app) as statements:
            await process.tokens.read(created.secret)
        assert len(statements) == 1

    async def test_other_rights_of_the_owner_count_at_once(self, app: FastAPI) -> None:
        user = await commit_user(app, roles=["executive"])
        created = await make_token(app, user, "view_report")
        process = Process(parts(app).database)
        await process.read()
        assert (await process.tokens.read(created.secret)).roles == {"executive"}
        await run(app, "UPDATE app.users SET roles = '{}' WHERE id = :id", id=user.id)
        await process.read()
        assert (await process.tokens.read(created.secret)).roles == set()

    async def test_the_own_process_refuses_at_once(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app)
        created = await make_token(app, user, "own:read")
        async with current_revocations(app):
            assert (await http.get(ME, headers=as_header(created))).status_code == 200
            revoked = await http.delete(f"{ME}/tokens/{created.token.id}", headers=await bearer(app, user))
            assert revoked.status_code == 204, revoked.text
            assert_problem(await http.get(ME, headers=as_header(created)), 401, "token-invalid")

    async def test_a_reactivated_owner_gets_no_token_back(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app)
        created = await make_token(app, user, "own:read")
        async with parts(app).database.session() as session:
            found = await accounts.get_user(session, user.id)
            await lifecycle.deactivate_user(session, found, actor_id=None)
            await lifecycle.reactivate_user(session, found, actor_id=None)
        assert_problem(await http.get(ME, headers=as_header(created)), 401, "token-invalid")


class TestFollowed:
    async def test_a_running_process_refuses_a_token_within_a_second(self, app: FastAPI) -> None:
        """The readings of the revocations are those of a started application."""
        created = await make_token(app, await commit_user(app), "own:read")
        database = parts(app).database
        revocations = Revocations(database)
        tokens = ApiTokens(parts(app).settings, database, revocations)
        async with revocations.followed():
            await tokens.read(created.secret)
            # without the signal of a commit, as in another process
            async with await psycopg.AsyncConnection.connect(database.url, autocommit=True) as connection:
                await connection.execute(
                    "UPDATE app.api_tokens SET revoked_at = now() WHERE id = %s", (created.token.id,)
                )
            for _ in range(100):
                try:
                    await tokens.read(created.secret)
                except TokenInvalid:
                    return
                await asyncio.sleep(0.05)
        pytest.fail("the token was not refused")


class TestUses:
    async def test_are_written_later_and_once_a_minute(self, app: FastAPI) -> None:
        created = await make_token(app, await commit_user(app), "own:read")
        process, later = Process(parts(app).database), Process(parts(app).database)
        for each in (process, later):
            await each.read()
            await each.tokens.read(created.secret)
        assert await self._last_used_at(app, created) is None
        with statements_of(app) as statements:
            await process.tokens.write_uses()
            await process.tokens.write_uses()
        assert len(statements) == 1
        first = await self._last_used_at(app, created)
        assert first is not None
        await later.tokens.write_uses()
        assert await self._last_used_at(app, created) == first
        with clock.at(first + timedelta(seconds=61)):
            await process.tokens.read(created.secret)
            await process.tokens.write_uses()
        assert await self._last_used_at(app, created) == first + timedelta(seconds=61)

    async def _last_used_at(self, app: FastAPI, created: service.Created) -> Any:
        async with parts(app).database.session() as session:
            return (await session.get_one(ApiToken, created.token.id)).last_used_at


class TestScopes:
    async def test_limit_the_rights_of_an_administrator(self, app: FastAPI, http: AsyncClient) -> None:
        admin = await commit_user(app, roles=["system_admin"])
        narrow = await token_header(app, admin, ["own:read"])
        wide = await token_header(app, admin, ["manage_users"])
        refused = assert_problem(await http.get(f"{API}/users", headers=narrow), 403, "scope-missing")
        assert refused["scopes"] == ["manage_users"]
        assert (await http.get(f"{API}/users", headers=wide)).status_code == 200

    async def test_give_no_right(self, app: FastAPI, http: AsyncClient) -> None:
        headers = await token_header(app, await commit_user(app), ["manage_users"])
        assert_problem(await http.get(f"{API}/users", headers=headers), 403, "forbidden")

    async def test_limit_what_a_list_contains(self, application: FastAPI, client: AsyncClient) -> None:
        """A pending idea of another member is for those who may see all ideas; the manager's token lacks that scope."""
        world = await make_world(application, client, is_mediated=True)
        idea = await world.submit(world.members[0])
        seen = {}
        for scopes in (["view_campaign"], ["view_campaign", "view_all_ideas"]):
            headers = await token_header(application, world.manager, scopes)
            listed = await client.get(f"{API}/campaigns/{world.campaign_id}/ideas", headers=headers)
            seen[scopes[-1]] = [each["id"] for each in listed.json()["items"]]
        assert seen == {"view_campaign": [], "view_all_ideas": [str(idea)]}

    async def test_a_missing_scope_is_the_same_for_every_campaign(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client)
        headers = await token_header(application, world.manager, ["own:read"])
        for campaign_id in (world.campaign_id, uuid4()):
            refused = await client.get(f"{API}/campaigns/{campaign_id}", headers=headers)
            assert_problem(refused, 403, "scope-missing")

    async def test_only_coins_stake_moves_coins_also_on_the_fast_path(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client)
        (idea,) = await submit_many(world, 1)
        member = world.members[1]
        path = f"{API}/campaigns/{world.campaign_id}/coins/allocate"
        everything_else = [scope for scope in SCOPES if scope != "coins:stake"]
        statuses = []
        for scopes in (everything_else, ["coins:stake"]):
            headers = {**await token_header(application, member, scopes), "Idempotency-Key": uuid4().hex}
            response = await client.post(path, headers=headers, json={"idea_id": str(idea), "coins": 10})
            statuses.append(response.status_code)
        assert statuses == [403, 201]
        assert (await world.balance(member))["wallet_coins"] == 90

    async def test_a_revoked_token_moves_no_coins(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        (idea,) = await submit_many(world, 1)
        created = await make_token(application, world.members[1], "coins:stake")
        path = f"{API}/campaigns/{world.campaign_id}/coins/allocate"
        headers = {**as_header(created), "Idempotency-Key": "once"}
        body = {"idea_id": str(idea), "coins": 10}
        assert (await client.post(path, headers=headers, json=body)).status_code == 201
        async with parts(application).database.session() as session:
            await service.revoke_token(session, created.token.id, actor_id=None)
        refused = await client.post(path, headers={**headers, "Idempotency-Key": "twice"}, json=body)
        assert_problem(refused, 401, "token-invalid")

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("POST", "/users/me/tokens", {"name": "another", "scopes": ["own:read"]}),
            ("DELETE", "/users/me/tokens/{token}", None),
            ("DELETE", "/tokens/{token}", None),
            ("POST", "/service-accounts", {"name": "robot", "scopes": ["view_report"], "owner_id": "{user}"}),
            ("PATCH", "/users/me", {"display_name": "Another"}),
            ("PATCH", "/users/{user}", {"roles": ["system_admin"]}),
            ("POST", "/users/{user}/deactivate", None),
            ("POST", "/users/me/password", {"current_password": "a", "new_password": "b"}),
            ("POST", "/users/me/email", {"email": "a@example.org", "current_password": "a"}),
            ("POST", "/auth/logout", None),
            ("DELETE", "/users/me/sessions", None),
            ("DELETE", "/users/me/sessions/{token}", None),
            ("DELETE", "/users/{user}/sessions", None),
            ("DELETE", "/users/{user}/identities/{token}", None),
            ("POST", "/rosters", {"people": [{"name": "Another", "email": "another@example.org"}]}),
        ],
    )
    async def test_none_suffices_for_what_only_a_log_in_may_do(
        self, app: FastAPI, http: AsyncClient, method: str, path: str, body: Any
    ) -> None:
        admin = await commit_user(app, roles=["system_admin"])
        created = await make_token(app, admin, *SCOPES)
        url = f"{API}{path.format(token=created.token.id, user=admin.id)}"
        refused = await http.request(method, url, headers=as_header(created), json=body)
        assert_problem(refused, 403, "log-in-required")

    async def test_a_token_is_no_cookie(self, app: FastAPI, http: AsyncClient) -> None:
        created = await make_token(app, await commit_user(app), *SCOPES)
        refused = await http.get(f"{API}/auth/session", headers={"Cookie": f"ideamint_session={created.secret}"})
        assert_problem(refused, 401, "token-missing")

    async def test_a_token_is_no_refresh_token(self, app: FastAPI, http: AsyncClient) -> None:
        created = await make_token(app, await commit_user(app), *SCOPES)
        refused = await http.post(f"{API}/auth/refresh", json={"refresh_token": created.secret})
        assert_problem(refused, 401, "refresh-token-invalid")


class TestMyTokens:
    async def test_the_text_is_in_the_first_response_only(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app)
        headers = await bearer(app, user)
        body = {"name": "my script", "scopes": ["view_campaign", "own:read"], "days": 30}
        made = await http.post(f"{ME}/tokens", json=body, headers={**headers, "Idempotency-Key": "once"})
        assert made.status_code == 201, made.text
        created = made.json()
        assert made.headers["cache-control"] == "no-store"
        assert created["scopes"] == ["own:read", "view_campaign"]
        assert created["token"].startswith(created["prefix"])
        listed = await http.get(f"{ME}/tokens", headers=headers)
        assert listed.json()["items"] == [{name: value for name, value in created.items() if name != "token"}]
        async with parts(app).database.session() as session:
            stored = await session.scalars(
                text(
                    "SELECT CAST(t AS text) FROM app.api_tokens AS t UNION ALL SELECT CAST(e AS text) FROM app.events AS e "
                    "UNION ALL SELECT CAST(r AS text) || convert_from(r.body, 'UTF8') FROM app.idempotent_responses AS r"
                )
            )
            assert [row for row in stored if created["token"] in row] == []
        assert await events_of(app, user) == ["user_created", "api_token_created"]

    @pytest.mark.parametrize(
        ("body", "slug", "part"),
        [
            ({"name": "a", "scopes": ["everything"]}, "invalid-input", "everything"),
            ({"name": "a", "scopes": ["view_data_platform"]}, "invalid-input", "view_data_platform"),
            ({"name": "a", "scopes": ["move_coins"]}, "invalid-input", "coins:stake"),
            ({"name": "a", "scopes": []}, "validation", "scopes"),
            ({"name": "", "scopes": ["own:read"]}, "validation", "name"),
            ({"name": "a", "scopes": ["own:read"], "days": 366}, "validation", "days"),
            ({"name": "a", "scopes": ["own:read"], "days": 0}, "validation", "days"),
        ],
    )
    async def test_wrong_bodies_are_refused(
        self, app: FastAPI, http: AsyncClient, body: dict[str, Any], slug: str, part: str
    ) -> None:
        refused = await http.post(f"{ME}/tokens", json=body, headers=await bearer(app, await commit_user(app)))
        assert part in assert_problem(refused, 422, slug)["detail"]

    async def test_the_setting_limits_the_lifetime(self, app: FastAPI, http: AsyncClient) -> None:
        headers = await bearer(app, await commit_user(app))
        with replaced(app, settings=parts(app).settings.with_(api_token_days_max=7)):
            body = {"name": "a", "scopes": ["own:read"]}
            refused = await http.post(f"{ME}/tokens", json={**body, "days": 8}, headers=headers)
            assert "IDEAMINT_API_TOKEN_DAYS_MAX" in assert_problem(refused, 422, "invalid-input")["detail"]
            made = (await http.post(f"{ME}/tokens", json=body, headers=headers)).json()
        lifetime = datetime.fromisoformat(made["expires_at"]) - datetime.fromisoformat(made["created_at"])
        assert lifetime == timedelta(days=7)

    async def test_are_at_most_a_hundred_that_can_be_used(
        self, app: FastAPI, http: AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(service, "TOKENS_PER_OWNER_MAX", 2)
        user = await commit_user(app)
        headers = await bearer(app, user)
        created = [await make_token(app, user, "own:read") for _ in range(2)]
        body = {"name": "a", "scopes": ["own:read"]}
        assert_problem(await http.post(f"{ME}/tokens", json=body, headers=headers), 409, "too-many-tokens")
        await http.delete(f"{ME}/tokens/{created[0].token.id}", headers=headers)
        assert (await http.post(f"{ME}/tokens", json=body, headers=headers)).status_code == 201

    async def test_another_user_finds_and_revokes_none(self, app: FastAPI, http: AsyncClient) -> None:
        owner, other = await commit_user(app), await commit_user(app)
        created = await make_token(app, owner, "own:read")
        headers = await bearer(app, other)
        assert (await http.get(f"{ME}/tokens", headers=headers)).json()["items"] == []
        assert_problem(await http.delete(f"{ME}/tokens/{created.token.id}", headers=headers), 404, "not-found")
        assert (await http.get(ME, headers=as_header(created))).status_code == 200


class TestTokensOfAll:
    async def test_an_administrator_lists_and_revokes_them(self, app: FastAPI, http: AsyncClient) -> None:
        user = await commit_user(app)
        created = await make_token(app, user, "own:read")
        headers = await bearer(app, await commit_user(app, roles=["system_admin"]))
        listed = await http.get(f"{API}/tokens", params={"user_id": str(user.id)}, headers=headers)
        assert [each["id"] for each in listed.json()["items"]] == [str(created.token.id)]
        for _ in range(2):  # again changes nothing
            assert (await http.delete(f"{API}/tokens/{created.token.id}", headers=headers)).status_code == 204
        assert_problem(await http.get(ME, headers=as_header(created)), 401, "token-invalid")
        assert (await events_of(app, user)).count("api_token_revoked") == 1


class TestServiceAccounts:
    async def test_act_with_their_scopes_in_every_campaign(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, visibility="members", is_mediated=True)
        idea = await world.submit(world.members[0])
        account = await make_service_account(application, "view_campaign", "approve_ideas", "view_all_ideas")
        headers = await token_header(application, account, account.scopes)
        done = await client.post(f"{API}/ideas/{idea}/status", json={"status": "competing"}, headers=headers)
        assert done.status_code == 200, done.text
        history = (await client.get(f"{API}/ideas/{idea}/history", headers=headers)).json()["items"]
        assert history[0]["actor_name"] == account.name

    async def test_administrators_create_rotate_and_deactivate_them(self, app: FastAPI, http: AsyncClient) -> None:
        owner = await commit_user(app)
        headers = await bearer(app, await commit_user(app, roles=["system_admin"]))
        name = f"export {uuid4().hex}"
        body = {"name": name, "scopes": ["manage_users"], "owner_id": str(owner.id)}
        made = await http.post(f"{API}/service-accounts", json=body, headers=headers)
        assert made.status_code == 201, made.text
        account = made.json()
        assert (account["owner_name"], account["is_active"]) == (owner.display_name, True)
        taken = await http.post(f"{API}/service-accounts", json={**body, "name": name.upper()}, headers=headers)
        assert_problem(taken, 409, "name-taken")
        url = f"{API}/service-accounts/{account['id']}"
        first = (await http.post(f"{url}/tokens", json={"name": "nightly"}, headers=headers)).json()
        rotated = (await http.post(f"{url}/tokens/{first['id']}/rotate", json={"days": 90}, headers=headers)).json()
        for token in (first, rotated):
            as_service = {"Authorization": f"Bearer {token['token']}"}
            assert (await http.get(f"{API}/users", headers=as_service)).status_code == 200
        tokens = await http.get(f"{API}/tokens", params={"service_account_id": account["id"]}, headers=headers)
        old = next(each for each in tokens.json()["items"] if each["id"] == first["id"])
        assert first["expires_at"] > old["expires_at"]
        with clock.at(clock.now() + service_accounts.OVERLAP + timedelta(seconds=1)):
            as_service = {"Authorization": f"Bearer {first['token']}"}
            assert_problem(await http.get(f"{API}/users", headers=as_service), 401, "token-invalid")
            as_service = {"Authorization": f"Bearer {rotated['token']}"}
            assert (await http.get(f"{API}/users", headers=as_service)).status_code == 200
        changed = await http.patch(url, json={"scopes": ["view_report"]}, headers=headers)
        assert changed.json()["scopes"] == ["view_report"]
        assert_problem(await http.get(f"{API}/users", headers=as_service), 403, "scope-missing")
        again = await http.post(f"{url}/tokens/{rotated['id']}/rotate", json={}, headers=headers)
        assert_problem(again, 422, "invalid-input")
        assert (await http.post(f"{url}/deactivate", headers=headers)).json()["is_active"] is False
        assert_problem(await http.get(f"{API}/users", headers=as_service), 401, "token-invalid")
        refused = await http.post(f"{url}/tokens", json={"name": "nightly"}, headers=headers)
        assert_problem(refused, 422, "invalid-input")
        assert await events_of(app, owner) == [
            "user_created", "service_account_created", "api_token_created", "api_token_rotated",
            "service_account_changed", "service_account_deactivated",
        ]  # fmt: skip

    @pytest.mark.parametrize("scope", sorted(set(SCOPES) - set(SERVICE_SCOPES)))
    async def test_have_no_scope_of_a_person(self, app: FastAPI, scope: str) -> None:
        with pytest.raises(InvalidInput, match=scope):
            await make_service_account(app, scope)
        account = await make_service_account(app, "view_report")
        with pytest.raises(DBAPIError, match="ck_service_accounts_scopes"):
            await run(
                app, "UPDATE app.service_accounts SET scopes = :scopes WHERE id = :id", id=account.id, scopes=[scope]
            )

    async def test_a_token_has_no_scope_that_its_account_lacks(self, app: FastAPI) -> None:
        account = await make_service_account(app, "view_report")
        with pytest.raises(InvalidInput, match="manage_users"):
            await make_token(app, account, "view_report", "manage_users")

    async def test_cannot_become_members(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        account = await make_service_account(application, "manage_members", "view_campaign", "grant_coins")
        headers = await token_header(application, account, account.scopes)
        joined = await client.post(f"{API}/campaigns/{world.campaign_id}/join", headers=headers)
        assert_problem(joined, 403, "scope-missing")
        with pytest.raises(DBAPIError, match="fk_memberships_user_id_users"):
            await run(
                application,
                "INSERT INTO app.memberships (id, campaign_id, user_id, role) "
                "VALUES (gen_random_uuid(), :campaign_id, :user_id, 'member')",
                campaign_id=world.campaign_id,
                user_id=account.id,
            )

    async def test_cannot_log_in(self, app: FastAPI, http: AsyncClient) -> None:
        account = await make_service_account(app, "view_report")
        refused = await http.post(f"{API}/auth/login", json={"email": account.name, "password": "any password"})
        assert_problem(refused, 401, "log-in-failed")


class TestDatabase:
    @pytest.mark.parametrize(
        ("change", "error"),
        [
            ("scopes = '{own:read,manage_users}'", "permission denied"),
            ("token_hash = decode(repeat('00', 32), 'hex')", "permission denied"),
            ("user_id = gen_random_uuid()", "permission denied"),
            ("expires_at = created_at + interval '400 days'", "ck_api_tokens_expires_at"),
        ],
    )
    async def test_a_token_does_not_change(self, app: FastAPI, change: str, error: str) -> None:
        created = await make_token(app, await commit_user(app), "own:read")
        with pytest.raises(DBAPIError, match=error):
            await run(app, f"UPDATE app.api_tokens SET {change} WHERE id = :id", id=created.token.id)

    async def test_ended_tokens_are_deleted_after_90_days(self, app: FastAPI) -> None:
        user = await commit_user(app)
        with clock.at(clock.now() - timedelta(days=100)):
            old = await make_token(app, user, "own:read", days=1)
            kept = await make_token(app, user, "own:read", days=200)
        await delete_ended_tokens(parts(app))
        async with parts(app).database.session() as session:
            assert await session.get(ApiToken, old.token.id) is None
            assert await session.get(ApiToken, kept.token.id) is not None

    async def test_the_owner_of_a_token_is_one(self, app: FastAPI) -> None:
        user, account = await commit_user(app), await make_service_account(app, "view_report")
        async with parts(app).database.session() as session:
            assert isinstance(user, User)
            session.add(
                ApiToken(
                    user_id=user.id,
                    service_account_id=account.id,
                    name="both",
                    prefix="imt_abcdefgh",
                    token_hash=bytes(32),
                    scopes=["view_report"],
                    expires_at=clock.now() + timedelta(days=1),
                )
            )
            with pytest.raises(DBAPIError, match="ck_api_tokens_one_owner"):
                await session.flush()
            await session.rollback()
