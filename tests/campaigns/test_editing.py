"""Edits, copies, pauses and the deletion of campaigns; search and order of their list."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from api.campaigns.dates import Dates, Stage
from api.campaigns.due import for_each_ended
from api.campaigns.transitions import close_campaign
from api.coins.policies import PolicyWrite
from tests.auth.calls import assert_problem
from tests.factories.campaigns import World, make_world
from tests.factories.containers import parts
from tests.factories.users import bearer, commit_user

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient, Response

NOW = datetime.now(UTC).replace(microsecond=0)


async def create(app: FastAPI, client: AsyncClient, **fields: Any) -> tuple[dict[str, str], dict[str, Any]]:
    """The headers of a new manager, and the draft that they created."""
    headers = await bearer(app, await commit_user(app, permissions=["create_campaign"]))
    made = await client.post("/api/v1/campaigns", headers=headers, json={"title": "Ideas for 2027", **fields})
    assert made.status_code == 201, made.text
    return headers, made.json()


async def kinds_of(app: FastAPI, campaign_id: object) -> list[str]:
    async with parts(app).database.session() as session:
        found = await session.scalars(
            text("SELECT kind FROM app.events WHERE campaign_id = :id ORDER BY xid, id"), {"id": campaign_id}
        )
        return list(found)


async def edit(world: World, body: dict[str, Any], **options: Any) -> Response:
    return await world.call(world.manager, "PATCH", "/campaigns/{id}", json=body, **options)


class TestEdit:
    async def test_changes_every_field_of_a_draft(self, application: FastAPI, client: AsyncClient) -> None:
        headers, draft = await create(application, client)
        changes = {
            "title": "Better offices", "slug": f"better-{uuid4().hex[:8]}", "description": "What we look for.",
            "kind": "challenge", "goal": "Half the energy by 2030", "is_mediated": True, "visibility": "members",
            "join_policy": "by_manager", "budget_amount": "2500.00", "running_cost_amount": "300.50", "currency": "PLN",
            "eligible_people": 400, "locale": "pl", "time_zone": "Europe/Warsaw", "ends_at": "2190-01-01T00:00:00Z",
        }  # fmt: skip
        response = await client.patch(f"/api/v1/campaigns/{draft['id']}", headers=headers, json=changes)
        assert response.status_code == 200, response.text
        after = (await client.get(f"/api/v1/campaigns/{draft['id']}", headers=headers)).json()
        assert {name: after[name] for name in changes} == changes
        assert after["version"] == draft["version"] + 1
        assert (await kinds_of(application, draft["id"]))[-2:] == ["campaign_edited", "campaign_dates_changed"]

    async def test_equal_values_change_nothing(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, members=0)
        before = await kinds_of(application, world.campaign_id)
        response = await edit(world, {"title": "A better way to work", "budget_amount": None})
        assert (response.status_code, response.json()["version"]) == (200, 2)  # 2 since the activation
        assert await kinds_of(application, world.campaign_id) == before

    async def test_a_dry_run_writes_nothing(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, members=0)
        shown = await world.call(world.manager, "PATCH", "/campaigns/{id}?dry_run=true", json={"title": "Another"})
        assert shown.json()["title"] == "Another"
        assert "ETag" not in shown.headers
        stored = await world.call(world.manager, "GET", "/campaigns/{id}")
        assert stored.json()["title"] == "A better way to work"

    @pytest.mark.parametrize(
        ("body", "status", "slug"),
        [
            ({"slug": "another-name"}, 409, "campaign-fixed"),
            ({"currency": "EUR"}, 409, "campaign-fixed"),
            ({"budget_amount": "10.00"}, 422, "invalid-input"),  # without a currency
            ({"title": None}, 422, "validation"),
            ({"kind": "lottery"}, 422, "validation"),
            ({"time_zone": "Europe/Warzaw"}, 422, "validation"),
            ({"starts_at": "2190-01-02T00:00:00Z", "ends_at": "2190-01-01T00:00:00Z"}, 422, "dates-out-of-order"),
        ],
    )
    async def test_refuses_what_cannot_be(
        self, application: FastAPI, client: AsyncClient, body: dict[str, Any], status: int, slug: str
    ) -> None:
        world = await make_world(application, client, members=0)
        assert_problem(await edit(world, {"goal": "Not kept either", **body}), status, slug)
        assert (await world.call(world.manager, "GET", "/campaigns/{id}")).json()["goal"] == ""

    async def test_a_taken_slug_is_refused(self, application: FastAPI, client: AsyncClient) -> None:
        _, first = await create(application, client)
        headers, second = await create(application, client)
        response = await client.patch(
            f"/api/v1/campaigns/{second['id']}", headers=headers, json={"slug": first["slug"]}
        )
        assert assert_problem(response, 409, "slug-taken")["taken"] == first["slug"]

    async def test_an_amount_has_no_more_decimals_than_its_currency(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        headers, draft = await create(application, client, currency="JPY")
        response = await client.patch(
            f"/api/v1/campaigns/{draft['id']}", headers=headers, json={"running_cost_amount": "10.50"}
        )
        assert_problem(response, 422, "invalid-input")


class TestIfMatch:
    async def test_of_two_edits_of_one_version_one_is_refused(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, members=0)
        tag = (await world.call(world.manager, "GET", "/campaigns/{id}")).headers["ETag"]
        answers = await asyncio.gather(
            *(edit(world, {"goal": goal}, headers={"If-Match": tag}) for goal in ("Less paper", "Less noise"))
        )
        assert sorted(answer.status_code for answer in answers) == [200, 412]
        refused = next(answer for answer in answers if answer.status_code == 412)
        assert assert_problem(refused, 412, "version-changed")["current_version"] == 3
        made = next(answer for answer in answers if answer.status_code == 200)
        again = await edit(world, {"goal": "Less heat"}, headers={"If-Match": made.headers["ETag"]})
        assert again.status_code == 200

    async def test_the_tag_of_a_reading_changes_with_its_content(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client, members=1)
        tags = {
            (await world.call(who, "GET", "/campaigns/{id}")).headers["ETag"]
            for who in (world.manager, world.members[0])
        }
        assert len(tags) == 2  # my_role differs
        kept = await world.call(world.manager, "GET", "/campaigns/{id}", headers={"If-None-Match": ", ".join(tags)})
        assert kept.status_code == 304

    @pytest.mark.parametrize("tag", ["3", '"x"', 'W/"0"', '"2", nonsense', '"d41d8cd98f00b204e9800998ecf8427e"'])
    async def test_another_value_is_refused(self, application: FastAPI, client: AsyncClient, tag: str) -> None:
        world = await make_world(application, client, members=0)
        assert_problem(await edit(world, {"goal": "Less"}, headers={"If-Match": tag}), 400, "condition-invalid")

    @pytest.mark.parametrize("tag", ["*", '"7", W/"2.ab12"', 'W/"2"'])
    async def test_accepts_a_list_and_every_version(self, application: FastAPI, client: AsyncClient, tag: str) -> None:
        world = await make_world(application, client, members=0)
        assert (await edit(world, {"goal": "Less"}, headers={"If-Match": tag})).status_code == 200

    async def test_an_operation_that_does_not_read_it_refuses_it(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client, members=0)
        response = await world.call(world.manager, "POST", "/campaigns/{id}/archive", headers={"If-Match": 'W/"2"'})
        assert_problem(response, 400, "condition-invalid")


class TestPause:
    async def test_no_coins_move_and_the_end_still_applies(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, members=2)
        idea = await world.submit(world.members[0])
        assert (await world.allocate(world.members[1], idea, 5)).status_code == 201
        paused = await world.call(world.manager, "POST", "/campaigns/{id}/pause")
        assert (paused.json()["status"], paused.json()["paused_at"] is not None) == ("paused", True)
        refused = assert_problem(await world.allocate(world.members[1], idea, 5), 409, "allocation-window-closed")
        assert refused["closes_at"] is not None
        resumed = await world.call(world.manager, "POST", "/campaigns/{id}/resume")
        assert (resumed.json()["status"], resumed.json()["paused_at"]) == ("active", None)
        assert (await world.allocate(world.members[1], idea, 5)).status_code == 201

    async def test_a_paused_campaign_is_closed_at_its_end_and_can_be_extended(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client, members=1)
        idea = await world.submit(world.manager)
        await world.call(world.manager, "POST", "/campaigns/{id}/pause")
        past = (NOW - timedelta(hours=1)).isoformat()
        assert (await edit(world, {"ends_at": past})).status_code == 200
        await for_each_ended(parts(application).database, close_campaign)
        closed = await world.call(world.manager, "GET", "/campaigns/{id}")
        assert (closed.json()["status"], closed.json()["paused_at"]) == ("closed", None)
        assert (await edit(world, {"ends_at": None})).json()["status"] == "active"
        assert (await world.allocate(world.members[0], idea, 5)).status_code == 201

    async def test_a_paused_campaign_can_be_completed(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, members=1)
        await world.call(world.manager, "POST", "/campaigns/{id}/pause")
        done = await world.call(world.manager, "POST", "/campaigns/{id}/complete")
        assert (done.status_code, done.json()["status"]) == (200, "completed")


class TestDelete:
    async def test_a_draft_is_gone_and_its_events_are_kept(self, application: FastAPI, client: AsyncClient) -> None:
        headers, draft = await create(application, client)
        path = f"/api/v1/campaigns/{draft['id']}"
        tagged = await client.post(f"{path}/tags", headers=headers, json={"name": "Roads"})
        assert tagged.status_code == 201, tagged.text
        assert (await client.delete(path, headers=headers)).status_code == 204
        assert_problem(await client.get(path, headers=headers), 404, "campaign-not-found")
        assert_problem(await client.delete(path, headers=headers), 404, "campaign-not-found")
        assert (await kinds_of(application, draft["id"]))[-1] == "campaign_deleted"
        async with parts(application).database.session() as session:
            for table in ("memberships", "coin_ledgers", "coin_policies", "coin_accounts"):
                left = await session.scalar(
                    text(f"SELECT count(*) FROM app.{table} WHERE campaign_id = :id"), {"id": draft["id"]}
                )
                assert left == 0, table

    async def test_other_campaigns_are_archived_instead(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, members=1)
        refused = assert_problem(await world.call(world.manager, "DELETE", "/campaigns/{id}"), 409, "campaign-kept")
        assert "archive" in refused["detail"]

    async def test_a_draft_with_granted_coins_is_kept(self, application: FastAPI, client: AsyncClient) -> None:
        headers, draft = await create(application, client)
        user = await commit_user(application)
        path = f"/api/v1/campaigns/{draft['id']}"
        await client.post(f"{path}/members", headers=headers, json={"email": user.email})
        item = {"campaign_id": draft["id"], "user_id": str(user.id), "kind": "grant"}
        granted = await client.post(
            "/api/v1/coins/bulk-allocate", headers={**headers, "Idempotency-Key": uuid4().hex}, json={"items": [item]}
        )
        assert granted.json()["succeeded"] == 1, granted.text
        assert_problem(await client.delete(path, headers=headers), 409, "campaign-kept")
        assert (await client.get(f"{path}/coins/verify", headers=headers)).json()["holds"] is True

    async def test_the_database_refuses_to_delete_a_ledger_with_transfers(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client, members=1)
        async with parts(application).database.session() as session:
            deleted = await session.scalar(text("SELECT app.coins_delete_ledger(:id)"), {"id": world.campaign_id})
        assert deleted is False


class TestCopy:
    async def test_has_the_settings_and_the_policy_but_no_dates(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        headers, draft = await create(
            application, client, goal="Less paper", kind="budget", budget_amount="900.00", currency="EUR",
            is_mediated=True, ends_at="2190-01-01T00:00:00Z",
            coin_policy={
                "coins_per_member": 7, "allocation_opens_at": "2189-11-01T00:00:00Z", "allocate_until": "2189-12-01T00:00:00Z",
                "take_back_until": "2189-11-15T00:00:00Z", "author_withdraw_until": "2189-11-15T00:00:00Z",
                "late_grant": "pro_rata", "backers_min": 3,
            },
        )  # fmt: skip
        tags = f"/api/v1/campaigns/{draft['id']}/tags"
        streets = (await client.post(tags, headers=headers, json={"name": "Streets", "is_required": True})).json()
        below = {"name": "Lamps", "parent_id": streets["id"], "colour": "#ffcc00"}
        assert (await client.post(tags, headers=headers, json=below)).status_code == 201
        reasons = {"reasons": [{"code": "other", "label": "Something else"}]}
        path = f"/api/v1/campaigns/{draft['id']}/rejection-reasons"
        assert (await client.put(path, headers=headers, json=reasons)).is_success
        body = {"title": "Ideas for 2028", "copy_of": draft["id"], "is_follow_up": True, "eligible_people": 70}
        made = await client.post("/api/v1/campaigns", headers=headers, json=body)
        assert made.status_code == 201, made.text
        copy = made.json()
        same = ("description", "kind", "goal", "is_mediated", "visibility", "budget_amount", "currency")
        assert {name: copy[name] for name in same} == {name: draft[name] for name in same}
        assert copy["eligible_people"] == 70
        assert (copy["title"], copy["status"], copy["ends_at"]) == ("Ideas for 2028", "draft", None)
        assert (copy["copied_from_id"], copy["follows_id"]) == (draft["id"], draft["id"])
        [policy] = (await client.get(f"{made.headers['location']}/coins/policies", headers=headers)).json()
        assert (policy["coins_per_member"], policy["backers_min"], policy["late_grant"]) == (7, 3, "full")
        assert [value for name, value in policy.items() if name.endswith(("_at", "_until"))] == [
            None, None, None, None, policy["created_at"]
        ]  # fmt: skip
        copied = (await client.get(f"{made.headers['location']}/tags", headers=headers)).json()
        assert [(tag["name"], tag["is_required"], tag["colour"]) for tag in copied] == [
            ("Streets", True, None), ("Lamps", False, "#ffcc00")
        ]  # fmt: skip
        assert copied[1]["parent_id"] == copied[0]["id"] != streets["id"]
        found = (await client.get(f"{made.headers['location']}/rejection-reasons", headers=headers)).json()
        assert [reason["label"] for reason in found] == ["Something else"]
        deleted = await client.delete(f"/api/v1/campaigns/{draft['id']}", headers=headers)
        assert deleted.status_code == 204
        assert (await client.get(made.headers["location"], headers=headers)).json()["follows_id"] is None

    @pytest.mark.parametrize(
        ("visibility", "status", "slug"), [("open", 403, "not-a-manager"), ("members", 404, "campaign-not-found")]
    )
    async def test_only_a_manager_copies(
        self, application: FastAPI, client: AsyncClient, visibility: str, status: int, slug: str
    ) -> None:
        world = await make_world(application, client, members=0, visibility=visibility)
        other = await commit_user(application, permissions=["create_campaign"])
        body = {"title": "Another one", "copy_of": str(world.campaign_id)}
        assert_problem(await world.call(other, "POST", "/campaigns", json=body), status, slug)

    @pytest.mark.parametrize("change", [{"budget_amount": "5.50"}, {"is_follow_up": True, "copy_of": None}])
    async def test_refuses_what_does_not_fit(
        self, application: FastAPI, client: AsyncClient, change: dict[str, Any]
    ) -> None:
        headers, draft = await create(application, client, currency="JPY")
        body = {"title": "Another one", "copy_of": draft["id"], **change}
        response = await client.post("/api/v1/campaigns", headers=headers, json=body)
        assert response.status_code == 422, response.text


class TestList:
    async def test_search_filter_and_order(self, application: FastAPI, client: AsyncClient) -> None:
        word = uuid4().hex[:8]
        headers, _ = await create(application, client, title=f"Café {word}", ends_at="2190-03-01T00:00:00Z")
        for fields in (
            {"title": "About", "goal": f"To {word} more", "kind": "challenge", "ends_at": "2190-01-01T00:00:00Z"},
            {"title": "banana", "description": f"Eat {word.upper()}."},
            {"title": "No match"},
        ):
            made = await client.post("/api/v1/campaigns", headers=headers, json=fields)
            assert made.status_code == 201

        async def titles(**query: Any) -> list[str]:
            found: list[str] = []
            cursor: str | None = None
            while True:
                params = {"q": word, "limit": 1, **query, **({"cursor": cursor} if cursor else {})}
                page = (await client.get("/api/v1/campaigns", headers=headers, params=params)).json()
                found += [item["title"].removesuffix(f" {word}") for item in page["items"]]
                cursor = page["next_cursor"]
                if cursor is None:
                    return found

        assert await titles() == ["banana", "About", "Café"]
        assert await titles(sort="title") == ["About", "banana", "Café"]
        assert await titles(sort="ends_at") == ["About", "Café", "banana"]
        assert await titles(kind="challenge") == ["About"]
        assert await titles(my_role="manager", status="draft") == ["banana", "About", "Café"]
        assert await titles(my_role="member") == []
        assert await titles(my_role="any", q="%") == []


class TestStages:
    def test_follow_from_the_dates(self) -> None:
        days = [NOW + timedelta(days=n) for n in range(6)]
        dates = Dates(starts_at=days[0], submissions_close_at=days[1], ends_at=days[4], decide_by=days[5])
        policy = PolicyWrite(allocation_opens_at=days[2], allocate_until=days[3])
        assert dates.stages(policy) == [
            Stage("submit", days[0], days[1]),
            Stage("discuss", days[1], days[2]),
            Stage("allocate", days[2], days[3]),
            Stage("decide", days[4], days[5]),
        ]

    def test_without_dates_all_have_no_limits(self) -> None:
        assert Dates().stages(PolicyWrite()) == [
            Stage("submit", None, None), Stage("allocate", None, None), Stage("decide", None, None)
        ]  # fmt: skip

    async def test_are_read_over_http(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, members=1, ends_at=NOW + timedelta(days=2))
        found = await world.call(world.members[0], "GET", "/campaigns/{id}/stages")
        assert [stage["name"] for stage in found.json()] == ["submit", "allocate", "decide"]
