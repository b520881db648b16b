"""The audit trail of the installation: what is found, what is recorded, and what it does not show."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from api.audit.search import MOVEMENTS, SEARCHED
from api.auth import service as accounts
from api.events import payloads
from api.events.kinds import EventKind
from api.events.refusals import record_refusals
from api.events.service import record_event
from api.kernel import origins
from tests.auth.calls import assert_problem, header, log_in, refresh
from tests.factories.api_tokens import as_header, make_service_account, make_token, token_header
from tests.factories.campaigns import make_world
from tests.factories.containers import parts
from tests.factories.users import PASSWORD, bearer, commit_user

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient

    from api.auth.models import User

API = "/api/v1"
AUDIT = f"{API}/audit"


@pytest.fixture
async def admin(application: FastAPI) -> dict[str, str]:
    """The Authorization header of an administrator."""
    return await bearer(application, await commit_user(application, roles=["system_admin"]))


async def search(client: AsyncClient, headers: dict[str, str], **filters: Any) -> list[dict[str, Any]]:
    found = await client.get(AUDIT, params={"limit": 200, **filters}, headers=headers)
    assert found.status_code == 200, found.text
    items: list[dict[str, Any]] = found.json()["items"]
    return items


async def record(app: FastAPI, user: User, **columns: Any) -> None:
    """An event of a request from the address 192.0.2.7."""
    origin = origins.Origin("192.0.2.7", "=cmd()", user.id, columns.pop("token_id", None))
    with origins.acting(origin):
        async with parts(app).database.session() as session:
            await record_event(session, payloads.LoggedOut(), actor_id=user.id, user_id=user.id, **columns)


class TestSearch:
    @pytest.mark.parametrize("name", ["actor_id", "user_id", "campaign_id", "idea_id", "token_id", "address"])
    async def test_finds_by_each_filter(
        self, application: FastAPI, client: AsyncClient, admin: dict[str, str], name: str
    ) -> None:
        user, other = await commit_user(application), await commit_user(application)
        columns = {"campaign_id": uuid4(), "idea_id": uuid4(), "token_id": uuid4()}
        await record(application, user, **columns)
        await record(application, other)
        values = {**columns, "actor_id": user.id, "user_id": user.id, "address": "192.0.2.7"}
        found = await search(client, admin, kind="user_logged_out", **{name: str(values[name])})
        by_person = {each["actor_id"] for each in found}
        assert str(user.id) in by_person
        assert (str(other.id) in by_person) == (name == "address")
        assert (found[-1]["address"], found[-1]["agent"]) == ("192.0.2.7", "=cmd()")
        assert {each["actor_name"] for each in found} >= {user.display_name}

    async def test_finds_by_kind_and_time_and_pages_newest_first(
        self, application: FastAPI, client: AsyncClient, admin: dict[str, str]
    ) -> None:
        user = await commit_user(application)
        for _ in range(5):
            await record(application, user)
        everything = await search(client, admin, actor_id=str(user.id))
        assert [each["kind"] for each in everything] == ["user_logged_out"] * 5
        paged: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            page = await client.get(AUDIT, params={"limit": 2, "actor_id": str(user.id), **cursor}, headers=admin)
            paged += page.json()["items"]
            if page.json()["next_cursor"] is None:
                break
            cursor = {"cursor": page.json()["next_cursor"]}
        assert paged == everything
        middle = everything[2]["recorded_at"]
        since = {"from": middle}
        later = await search(client, admin, actor_id=str(user.id), **since)
        earlier = await search(client, admin, actor_id=str(user.id), until=middle)
        assert (later, earlier) == (everything[:3], everything[3:])

    @pytest.mark.parametrize(
        ("query", "slug"),
        [
            ({"kind": "coins_vanished"}, "validation"),
            ({"kind": "user_logged_out", "actor_id": "1"}, "validation"),
            ({"cursor": "x"}, "invalid-input"),
            ({"person": "a"}, "unknown-parameter"),
        ],
    )
    async def test_refuses_wrong_filters(
        self, client: AsyncClient, admin: dict[str, str], query: dict[str, str], slug: str
    ) -> None:
        assert_problem(await client.get(AUDIT, params=query, headers=admin), 422, slug)

    async def test_is_for_administrators_and_tokens_with_its_scope(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        executive = await commit_user(application, roles=["executive"])
        assert_problem(await client.get(AUDIT, headers=await bearer(application, executive)), 403, "forbidden")
        account = await make_service_account(application, "view_audit", "view_report")
        narrow = await token_header(application, account, ["view_report"])
        assert_problem(await client.get(f"{AUDIT}/export", headers=narrow), 403, "scope-missing")
        created = await make_token(application, account, "view_audit")
        assert (await client.get(AUDIT, headers=as_header(created))).status_code == 200
        found = await search(client, as_header(created), token_id=str(created.token.id))
        assert [(each["kind"], each["actor_name"]) for each in found] == [("personal_data_read", account.name)]

    async def test_shows_neither_movements_nor_balances_of_members(
        self, application: FastAPI, client: AsyncClient, admin: dict[str, str]
    ) -> None:
        """The coin policy decides who sees them; this one leaves them out."""
        world = await make_world(application, client, policy={"stakes_visible_to": "self"})
        idea = await world.submit(world.members[0])
        assert (await world.allocate(world.members[1], idea, 10)).status_code == 201
        assert (await world.call(world.members[1], "POST", "/campaigns/{id}/leave")).is_success
        found = await search(client, admin, campaign_id=str(world.campaign_id))
        kinds = {each["kind"] for each in found}
        assert {"member_left", "idea_submitted", "campaign_activated"} <= kinds
        assert not kinds & set(MOVEMENTS)
        assert all("before" not in each["data"] for each in found if each["kind"].startswith("member_"))

    async def test_leaves_out_the_kinds_of_the_indexes(self, application: FastAPI) -> None:
        assert {*MOVEMENTS, *SEARCHED} == set(EventKind)
        async with parts(application).database.session() as session:
            definitions = list(
                await session.scalars(text("SELECT indexdef FROM pg_indexes WHERE indexname LIKE 'ix_events_a%'"))
            )
        assert len(definitions) == 4
        for definition in definitions:
            assert set(re.findall(r"'(\w+)'", definition)) == set(MOVEMENTS)


class TestExport:
    async def test_has_all_events_and_no_formulas(
        self, application: FastAPI, client: AsyncClient, admin: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("api.audit.search.LINES_AT_ONCE", 2)
        user = await commit_user(application, display_name="=HYPERLINK(1)")
        for _ in range(5):
            await record(application, user)
        response = await client.get(f"{AUDIT}/export", params={"actor_id": str(user.id)}, headers=admin)
        assert response.headers["content-type"] == "text/csv; charset=utf-8"
        assert response.headers["cache-control"] == "private, no-store"
        lines = list(csv.DictReader(io.StringIO(response.text.removeprefix("\ufeff"))))
        assert len(lines) == 5
        assert {line["actor_name"] for line in lines} == {"'=HYPERLINK(1)"}
        assert {line["agent"] for line in lines} == {"'=cmd()"}
        assert {line["data"] for line in lines} == {"{}"}

    async def test_is_recorded(self, application: FastAPI, client: AsyncClient) -> None:
        user = await commit_user(application, roles=["system_admin"])
        headers = await bearer(application, user)
        await client.get(f"{AUDIT}/export", params={"address": "192.0.2.7"}, headers=headers)
        await search(client, headers, actor_id=str(user.id))
        (again, export) = await search(client, headers, actor_id=str(user.id))
        assert (again["kind"], again["data"]) == (
            "personal_data_read",
            {"what": "audit", "filters": ["actor_id"], "rows": 1},
        )
        assert export["data"] == {"what": "audit_export", "filters": ["address"]}


class TestRecords:
    """What every request leaves behind, with its address and program."""

    async def test_log_ins_failures_refreshes_and_reuses(
        self, application: FastAPI, client: AsyncClient, admin: dict[str, str]
    ) -> None:
        user = await commit_user(application, password=PASSWORD)
        assert (await log_in(client, user, "a wrong password")).status_code == 401
        tokens = await log_in(client, user)
        secret = tokens.json()["refresh_token"]
        assert (await refresh(client, secret)).status_code == 200
        assert (await refresh(client, secret)).status_code == 401
        assert (await client.post(f"{API}/auth/logout", headers=header(tokens))).status_code == 204
        found = await search(client, admin, user_id=str(user.id))
        assert [each["kind"] for each in found] == [
            "user_logged_out", "refresh_token_reused", "session_refreshed", "user_logged_in", "log_in_failed",
            "user_created",
        ]  # fmt: skip
        assert {(each["address"], each["agent"]) for each in found[:-1]} == {
            ("127.0.0.1", client.headers["user-agent"])
        }
        # not by a request
        assert (found[-1]["address"], found[-1]["agent"]) == (None, None)

    @pytest.mark.parametrize(
        ("path", "what", "rows"),
        [
            ("/users", "users", 1),
            ("/users/{user}", "user", 1),
            ("/campaigns/{campaign}/members", "members", 1),
            ("/users/{user}/identities", "identities", 0),
            ("/tokens?user_id={user}", "tokens", 1),
        ],
    )
    async def test_readings_of_personal_data(
        self, application: FastAPI, client: AsyncClient, path: str, what: str, rows: int
    ) -> None:
        world = await make_world(application, client)
        await make_token(application, world.manager, "own:read")
        reader = await commit_user(application, roles=["system_admin"])
        headers = await bearer(application, reader)
        url = f"{API}{path.format(user=world.manager.id, campaign=world.campaign_id)}"
        assert (await client.get(url, headers=headers)).status_code == 200
        (event,) = await search(client, headers, actor_id=str(reader.id))
        assert (event["kind"], event["data"]["what"]) == ("personal_data_read", what)
        assert event["data"]["rows"] >= rows

    async def test_the_token_of_a_change(
        self, application: FastAPI, client: AsyncClient, admin: dict[str, str]
    ) -> None:
        world = await make_world(application, client)
        created = await make_token(application, world.members[1], "leave_campaign", "view_campaign")
        left = await client.post(f"{API}/campaigns/{world.campaign_id}/leave", headers=as_header(created))
        assert left.status_code == 204, left.text
        (event,) = await search(client, admin, token_id=str(created.token.id))
        assert (event["kind"], event["actor_id"]) == ("member_left", str(world.members[1].id))


class TestRefusals:
    async def test_equal_ones_are_one_event_and_later_a_number(
        self, application: FastAPI, client: AsyncClient, admin: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        container = parts(application)
        user = await commit_user(application)
        headers = await bearer(application, user)
        for _ in range(3):
            assert (await client.get(f"{API}/users", headers=headers)).status_code == 403
        await record_refusals(container)
        (first,) = await _until_found(client, admin, user.id, 1)
        assert first["kind"] == "request_refused"
        assert first["data"] == {"operation": "listUsers", "problem": "forbidden", "status": 403, "times": 1}
        assert (first["address"], first["agent"]) == ("127.0.0.1", client.headers["user-agent"])
        refusals = container.refusals
        present = refusals._now
        monkeypatch.setattr(refusals, "_now", lambda: present() + 601)
        await record_refusals(container)
        (later, _) = await _until_found(client, admin, user.id, 2)
        assert later["data"]["times"] == 2

    async def test_of_a_token_without_scope_and_of_the_fast_path(
        self, application: FastAPI, client: AsyncClient, admin: dict[str, str]
    ) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        stranger = await commit_user(application)
        created = await make_token(application, world.members[1], "own:read")
        path = f"{API}/campaigns/{world.campaign_id}/coins/allocate"
        for headers in (as_header(created), await bearer(application, stranger)):
            body = {"idea_id": str(idea), "coins": 1}
            refused = await client.post(path, headers={**headers, "Idempotency-Key": "k"}, json=body)
            assert refused.status_code == 403, refused.text
        await record_refusals(parts(application))
        (by_token,) = await _until_found(client, admin, world.members[1].id, 1)
        (by_stranger,) = await _until_found(client, admin, stranger.id, 1)
        assert (by_token["data"]["problem"], by_token["token_id"]) == ("scope-missing", str(created.token.id))
        assert (by_stranger["data"]["problem"], by_stranger["data"]["operation"]) == ("not-a-member", "allocateCoins")

    async def test_without_a_right_nothing_of_the_refused_request_is_kept(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        user, other = await commit_user(application), await commit_user(application)
        refused = await client.post(f"{API}/users/{other.id}/deactivate", headers=await bearer(application, user))
        assert refused.status_code == 403
        async with parts(application).database.session() as session:
            assert (await accounts.get_user(session, other.id)).is_active


async def _until_found(
    client: AsyncClient, headers: dict[str, str], actor_id: UUID, count: int
) -> list[dict[str, Any]]:
    """The refusals of a caller: the running application may be recording them at this moment."""
    for _ in range(100):
        found = await search(client, headers, actor_id=str(actor_id), kind="request_refused")
        if len(found) >= count:
            return found
    pytest.fail("the refusals were not recorded")
