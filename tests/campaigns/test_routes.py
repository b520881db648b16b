"""Routes of campaigns."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from sqlalchemy import select, text

from api.campaigns.models import Membership
from tests.factories.campaigns import make_world
from tests.factories.containers import parts
from tests.factories.users import bearer, commit_user

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient


class TestCreate:
    async def test_requires_the_permission(self, application: FastAPI, client: AsyncClient) -> None:
        headers = await bearer(application, await commit_user(application))
        response = await client.post("/api/v1/campaigns", headers=headers, json={"title": "Ideas for 2027"})
        assert response.status_code == 403
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["type"] == "urn:ideamint:problem:forbidden"

    async def test_creates_a_draft_managed_by_its_creator(self, application: FastAPI, client: AsyncClient) -> None:
        headers = await bearer(application, await commit_user(application, permissions=["create_campaign"]))
        title = f"Łódź {uuid4().hex[:8]}"
        made = await client.post(
            "/api/v1/campaigns",
            headers=headers,
            json={
                "title": title,
                "budget_amount": "1000.50",
                "currency": "EUR",
                "coin_policy": {"coins_per_member": 50},
            },
        )
        assert made.status_code == 201
        campaign = made.json()
        assert campaign["slug"] == title.lower().replace("ł", "l").replace("ó", "o").replace("ź", "z").replace(" ", "-")
        assert (campaign["status"], campaign["my_role"], campaign["budget_amount"]) == ("draft", "manager", "1000.50")
        found = await client.get(made.headers["location"], headers=headers)
        assert found.json() == campaign
        policies = await client.get(f"{made.headers['location']}/coins/policies", headers=headers)
        assert [(policy["version"], policy["coins_per_member"]) for policy in policies.json()] == [(1, 50)]

    async def test_a_slug_has_the_letters_of_any_script_and_keeps_the_year(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        headers = await bearer(application, await commit_user(application, permissions=["create_campaign"]))
        places = "Ruse, Varna, Burgas, Pleven, Sliven, Dobrich, Shumen, Pernik, Haskovo, Yambol, Vratsa, Gabrovo"
        slugs = []
        for title in (f"Пловдив {uuid4().hex[:8]}", f"{places} 2026", f"{places} 2027"):
            made = await client.post("/api/v1/campaigns", headers=headers, json={"title": title})
            slugs.append(made.json()["slug"])
        assert slugs[0].startswith("plovdiv-")
        assert [slug[:11] + slug[-5:] for slug in slugs[1:]] == ["ruse-varna--2026", "ruse-varna--2027"]

    async def test_invisible_characters_are_no_part_of_a_text(self, application: FastAPI, client: AsyncClient) -> None:
        headers = await bearer(application, await commit_user(application, permissions=["create_campaign"]))
        body = {"title": "\u202eIdeas\u200b 2027", "description": "One\vTwo\u2029Three\u2069"}
        made = (await client.post("/api/v1/campaigns", headers=headers, json=body)).json()
        assert (made["title"], made["description"]) == ("Ideas 2027", "One\nTwo\nThree")

    async def test_equal_titles_at_once_have_different_slugs(self, application: FastAPI, client: AsyncClient) -> None:
        headers = await bearer(application, await commit_user(application, permissions=["create_campaign"]))
        title = f"Ideas {uuid4().hex[:8]}"
        made = await asyncio.gather(
            *(client.post("/api/v1/campaigns", headers=headers, json={"title": title}) for _ in range(5))
        )
        assert [response.status_code for response in made] == [201] * 5
        slugs = {response.json()["slug"] for response in made}
        assert len(slugs) == 5
        assert all(slug.startswith(title.lower().replace(" ", "-")) for slug in slugs)

    async def test_a_slug_belongs_to_one_campaign(self, application: FastAPI, client: AsyncClient) -> None:
        headers = await bearer(application, await commit_user(application, permissions=["create_campaign"]))
        body = {"title": "Ideas for 2027", "slug": f"ideas-{uuid4().hex[:8]}"}
        assert (await client.post("/api/v1/campaigns", headers=headers, json=body)).status_code == 201
        again = await client.post("/api/v1/campaigns", headers=headers, json=body)
        assert (again.status_code, again.json()["type"]) == (409, "urn:ideamint:problem:slug-taken")

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"title": "No"}, "title"),
            ({"title": "Budget", "budget_amount": 5}, ""),
            ({"title": "Backwards", "starts_at": "2027-02-01T00:00:00Z", "ends_at": "2027-01-01T00:00:00Z"}, ""),
            ({"title": "Typing", "tilte": "error"}, "tilte"),
            ({"title": "Poor", "coin_policy": {"coins_per_member": 5, "coins_per_allocation_min": 6}}, "coin_policy"),
            (
                {"title": "Capped", "coin_policy": {"coins_per_member_and_idea_max": 0}},
                "coin_policy.coins_per_member_and_idea_max",
            ),
            ({"title": "No zone", "starts_at": "2027-02-01T00:00:00"}, "starts_at"),
            ({"title": "Control \u0007 bell"}, "title"),
            ({"title": "\u200b\u2063\u3164"}, "title"),
            ({"title": "Two\u2028lines"}, "title"),
            ({"title": "Early", "starts_at": "0202-05-01T00:00:00Z"}, "starts_at"),
            ({"title": "Seconds", "starts_at": 1_800_000_000}, "starts_at"),
            ({"title": "Yes", "is_mediated": 1}, "is_mediated"),
            ({"title": "Many", "eligible_people": "5"}, "eligible_people"),
            ({"title": "Policy", "coin_policy": {"coins_per_member": "50"}}, "coin_policy.coins_per_member"),
            ({"title": "Binary", "budget_amount": 0.1, "currency": "EUR"}, "budget_amount"),
            ({"title": "No such", "currency": "ZZZ"}, "currency"),
            ({"title": "Half a yen", "budget_amount": "10.50", "currency": "JPY"}, ""),
            ({"title": "Late", "decide_by": "2201-01-01T00:00:00Z"}, "decide_by"),
            (
                {"title": "Window", "coin_policy": {"allocate_until": "1899-12-31T23:59:59Z"}},
                "coin_policy.allocate_until",
            ),
        ],
    )
    async def test_reports_the_invalid_field(
        self, application: FastAPI, client: AsyncClient, body: dict[str, object], field: str
    ) -> None:
        headers = await bearer(application, await commit_user(application, permissions=["create_campaign"]))
        response = await client.post("/api/v1/campaigns", headers=headers, json=body)
        assert response.status_code == 422
        assert [error["field"] for error in response.json()["errors"]] == [field]

    @pytest.mark.parametrize(
        ("given", "currency", "text"),
        [("1E+3", "EUR", "1000.00"), (1000, "EUR", "1000.00"), ("1000.00", "JPY", "1000"), ("1.5", "KWD", "1.500")],
    )
    async def test_the_budget_has_the_decimals_of_its_currency(
        self, application: FastAPI, client: AsyncClient, given: object, currency: str, text: str
    ) -> None:
        headers = await bearer(application, await commit_user(application, permissions=["create_campaign"]))
        body = {"title": "Ideas for 2027", "budget_amount": given, "currency": currency}
        made = await client.post("/api/v1/campaigns", headers=headers, json=body)
        found = await client.get(made.headers["location"], headers=headers)
        assert (made.status_code, made.json()["budget_amount"], found.json()["budget_amount"]) == (201, text, text)

    async def test_a_key_makes_a_retry_the_same_campaign(self, application: FastAPI, client: AsyncClient) -> None:
        headers = await bearer(application, await commit_user(application, permissions=["create_campaign"]))
        headers["Idempotency-Key"] = "make-it-once"
        body = {"title": "Ideas once"}
        first = await client.post("/api/v1/campaigns", headers=headers, json=body)
        again = await client.post("/api/v1/campaigns", headers=headers, json=body)
        assert (again.status_code, again.content, again.headers["location"]) == (
            201, first.content, first.headers["location"],
        )  # fmt: skip
        assert "idempotency-replayed" not in first.headers
        assert again.headers["idempotency-replayed"] == "true"
        other = await client.post("/api/v1/campaigns", headers=headers, json={"title": "Ideas twice"})
        assert (other.status_code, other.json()["type"]) == (422, "urn:ideamint:problem:idempotency-key-reused")


class TestLife:
    async def test_moves_only_forward(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        statuses = []
        for verb in ("activate", "archive", "complete", "complete", "activate", "archive", "archive"):
            response = await world.call(world.manager, "POST", f"/campaigns/{{id}}/{verb}")
            statuses.append(response.json().get("status", response.status_code))
        assert statuses == [409, 409, "completed", 409, 409, "archived", 409]

    async def test_an_illegal_step_is_refused(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        problem = (await world.call(world.manager, "POST", "/campaigns/{id}/archive")).json()
        assert problem["type"] == "urn:ideamint:problem:illegal-campaign-step"
        assert (problem["from_status"], problem["to_status"], problem["allowed"]) == (
            "active",
            "archived",
            ["paused", "completed"],
        )

    async def test_is_for_managers(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        for verb in ("activate", "complete", "archive"):
            response = await world.call(world.members[0], "POST", f"/campaigns/{{id}}/{verb}")
            assert (response.status_code, response.json()["type"]) == (403, "urn:ideamint:problem:not-a-manager")

    async def test_an_executive_changes_nothing(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, visibility="members")
        executive = await commit_user(application, roles=["executive"])
        assert (await world.call(executive, "GET", "/campaigns/{id}")).status_code == 200
        assert (await world.call(executive, "POST", "/campaigns/{id}/complete")).status_code == 403
        assert (await world.call(executive, "PUT", "/campaigns/{id}/coins/policies", json={})).status_code == 403


class TestMembers:
    async def test_a_member_who_joins_again_has_the_old_wallet(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        newcomer = await commit_user(application)
        assert (await world.call(newcomer, "POST", "/campaigns/{id}/join")).json()["role"] == "member"
        assert (await world.allocate(newcomer, idea, 40)).status_code == 201
        assert (await world.call(newcomer, "POST", "/campaigns/{id}/leave")).status_code == 204
        refused = await world.allocate(newcomer, idea, 1)
        assert (refused.status_code, refused.json()["type"]) == (403, "urn:ideamint:problem:wallet-frozen")
        assert (await world.call(newcomer, "POST", "/campaigns/{id}/join")).status_code == 200
        balance = await world.balance(newcomer)
        assert (balance["granted_coins"], balance["wallet_coins"], balance["staked_coins"]) == (100, 60, 40)

    async def test_joining_twice_changes_nothing(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        first = await world.call(world.members[0], "POST", "/campaigns/{id}/join")
        again = await world.call(world.members[0], "POST", "/campaigns/{id}/join")
        assert first.json() == again.json()

    async def test_a_campaign_may_allow_only_managers_to_add_members(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client, join_policy="by_manager")
        newcomer = await commit_user(application)
        refused = await world.call(newcomer, "POST", "/campaigns/{id}/join")
        assert (refused.status_code, refused.json()["type"]) == (403, "urn:ideamint:problem:joining-closed")
        added = await world.call(world.manager, "POST", "/campaigns/{id}/members", json={"email": newcomer.email})
        assert added.status_code == 201
        assert (await world.balance(newcomer))["wallet_coins"] == 100

    async def test_adding_a_member_again_changes_what_is_given(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        email, path = world.members[0].email, "/campaigns/{id}/members"
        present = (await world.call(world.manager, "POST", path, json={"email": email})).json()
        assert present["role"] == "member"
        for body, role in (
            ({"role": "manager", "attributes": {"site": "North", "team": "A"}}, "manager"),
            ({"attributes": {"site": "South"}}, "manager"),
            ({"role": "member"}, "member"),
        ):
            for _ in range(2):  # the same request again changes nothing
                changed = await world.call(world.manager, "POST", path, json={"email": email, **body})
                assert (changed.status_code, changed.json()) == (200, {**present, "role": role})
        async with parts(application).database.session() as session:
            membership = await session.scalar(
                select(Membership).where(
                    Membership.campaign_id == world.campaign_id, Membership.user_id == world.members[0].id
                )
            )
            rows = await session.execute(
                text("SELECT kind, data FROM app.events WHERE user_id = :id AND kind LIKE 'member_%' ORDER BY xid, id"),
                {"id": world.members[0].id},
            )
            events = [(row.kind, row.data.get("names")) for row in rows]
        assert membership is not None
        assert membership.attributes == {"site": "South"}
        assert events == [
            ("member_joined", None), ("member_role_changed", None), ("member_attributes_changed", ["site", "team"]),
            ("member_attributes_changed", ["site", "team"]), ("member_role_changed", None),
        ]  # fmt: skip

    async def test_adding_the_only_manager_as_a_member_is_refused(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client)
        body = {"email": world.manager.email, "role": "member"}
        refused = await world.call(world.manager, "POST", "/campaigns/{id}/members", json=body)
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:ideamint:problem:last-manager")
        same = await world.call(world.manager, "POST", "/campaigns/{id}/members", json={"email": world.manager.email})
        assert (same.status_code, same.json()["role"]) == (200, "manager")

    async def test_a_key_makes_a_retry_of_adding_the_same_response(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client)
        newcomer = await commit_user(application)
        body = {"email": newcomer.email, "role": "manager"}
        first, again = [
            await world.call(world.manager, "POST", "/campaigns/{id}/members", key="add-once", json=body)
            for _ in range(2)
        ]
        assert (first.status_code, again.status_code, again.content) == (201, 201, first.content)
        without = await world.call(world.manager, "POST", "/campaigns/{id}/members", json=body)
        assert (without.status_code, without.json()) == (200, first.json())

    async def test_a_campaign_for_members_does_not_exist_for_others(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client, visibility="members")
        stranger = await commit_user(application)
        for path in ("/campaigns/{id}", "/campaigns/{id}/ideas", "/campaigns/{id}/coins/policies"):
            assert (await world.call(stranger, "GET", path)).status_code == 404
        listed = (await world.call(stranger, "GET", "/campaigns", params={"limit": 200})).json()["items"]
        assert str(world.campaign_id) not in {campaign["id"] for campaign in listed}

    async def test_the_only_manager_cannot_leave(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        refused = await world.call(world.manager, "POST", "/campaigns/{id}/leave")
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:ideamint:problem:last-manager")
        other = world.members[0]
        promoted = await world.call(
            world.manager, "PUT", f"/campaigns/{{id}}/members/{other.id}/role", params={"role": "manager"}
        )
        assert promoted.json()["role"] == "manager"
        assert (await world.call(world.manager, "POST", "/campaigns/{id}/leave")).status_code == 204

    async def test_are_listed_in_pages(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, members=5)
        seen: list[str] = []
        cursor: str | None = None
        while True:
            parameters = {"limit": 2, **({"cursor": cursor} if cursor else {})}
            page = (await world.call(world.manager, "GET", "/campaigns/{id}/members", params=parameters)).json()
            seen += [member["user_id"] for member in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert sorted(seen) == sorted(str(user.id) for user in [world.manager, *world.members])

    async def test_an_invalid_cursor_is_refused(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        for cursor in ("nonsense", "e30", "W10"):
            response = await world.call(world.manager, "GET", "/campaigns/{id}/members", params={"cursor": cursor})
            assert response.status_code == 422, cursor


class TestPolicy:
    async def test_an_equal_one_makes_no_version_and_no_event(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        path = "/campaigns/{id}/coins/policies"
        (present,) = (await world.call(world.manager, "GET", path)).json()
        for body in ({}, {"coins_per_member": 100}):
            same = await world.call(world.manager, "PUT", path, json=body)
            assert (same.status_code, same.json()) == (200, present)
        assert (await world.call(world.manager, "GET", path)).json() == [present]
        assert [event["kind"] for event in await world.audit(kind="coin_policy_changed")] == []

    async def test_is_frozen_after_the_first_stake(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        changed = await world.call(world.manager, "PUT", "/campaigns/{id}/coins/policies", json={"own_ideas": True})
        assert (changed.status_code, changed.json()["version"]) == (200, 2)
        idea = await world.submit(world.members[0])
        await world.allocate(world.members[1], idea, 10)
        refused = await world.call(world.manager, "PUT", "/campaigns/{id}/coins/policies", json={"own_ideas": False})
        assert (refused.status_code, refused.json()["fields"]) == (409, ["own_ideas"])
