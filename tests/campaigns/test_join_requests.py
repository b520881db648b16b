"""Requests to join a campaign: asking, approval with coins, refusal with a reason, and who may see them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.auth.calls import problem
from tests.factories.campaigns import World, make_world
from tests.factories.users import commit_user

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient, Response

    from api.auth.models import User

PATH = "/campaigns/{id}/join-requests"


async def ask(world: World, user: User, **body: Any) -> Response:
    return await world.call(user, "POST", PATH, json=body)


async def decide(world: World, request: Response, verb: str, **body: Any) -> Response:
    path = f"{PATH}/{request.json()['id']}/{verb}"
    return await world.call(world.manager, "POST", path, json=body or None)


class TestRequest:
    async def test_is_listed_for_managers_and_for_its_user(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, join_policy="by_request")
        user, other = await commit_user(application), await commit_user(application)
        assert problem(await world.call(user, "POST", "/campaigns/{id}/join")) == (403, "joining-closed")
        assert (await ask(world, user, message="I work at the north site.")).status_code == 201
        assert (await ask(world, other)).status_code == 201
        listed = (await world.call(world.manager, "GET", PATH, params={"status": "open"})).json()["items"]
        assert [(each["user_id"], each["display_name"], each["message"]) for each in listed] == [
            (str(other.id), other.display_name, None),
            (str(user.id), user.display_name, "I work at the north site."),
        ]
        mine = (await world.call(user, "GET", f"{PATH}/mine")).json()["items"]
        assert [each["user_id"] for each in mine] == [str(user.id)]
        assert (await world.call(world.members[0], "GET", PATH)).status_code == 403

    @pytest.mark.parametrize("join_policy", ["open", "by_manager"])
    async def test_is_refused_under_another_policy(
        self, application: FastAPI, client: AsyncClient, join_policy: str
    ) -> None:
        world = await make_world(application, client, join_policy=join_policy)
        assert problem(await ask(world, await commit_user(application))) == (403, "requests-closed")

    async def test_is_refused_for_members_and_in_an_ended_campaign(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client, join_policy="by_request")
        user = await commit_user(application)
        assert problem(await ask(world, world.members[0])) == (409, "already-members")
        assert problem(await ask(world, user, message="x" * 1001)) == (422, "validation")
        await world.call(world.manager, "POST", "/campaigns/{id}/complete")
        assert problem(await ask(world, user)) == (409, "campaign-not-active")

    async def test_a_person_has_one_open_request(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, join_policy="by_request")
        user = await commit_user(application)
        await world.headers(user)
        answers = await asyncio.gather(*(ask(world, user) for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
        assert {problem(answer)[1] for answer in answers if answer.status_code == 409} == {"request-open"}


class TestApprove:
    async def test_makes_a_member_with_coins(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, join_policy="by_request")
        user = await commit_user(application)
        request = await ask(world, user)
        approved = await decide(world, request, "approve")
        assert (approved.status_code, approved.json()["role"]) == (200, "member")
        assert (await world.balance(user))["wallet_coins"] == 100
        (joined, *_) = await world.audit(kind="member_joined")
        assert (joined["user_id"], joined["actor_id"]) == (str(user.id), str(world.manager.id))
        assert (joined["before"], joined["after"]) == ({}, {"is_frozen": False})
        for verb, body in (("approve", {}), ("refuse", {"reason": "No."})):
            assert problem(await decide(world, request, verb, **body)) == (409, "request-decided")

    async def test_leads_a_removed_member_back(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, join_policy="by_request")
        member = world.members[0]
        await world.call(world.manager, "DELETE", f"/campaigns/{{id}}/members/{member.id}")
        assert (await decide(world, await ask(world, member), "approve")).status_code == 200
        assert (await world.balance(member))["wallet_coins"] == 100

    async def test_finds_only_requests_of_the_campaign(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, join_policy="by_request")
        other = await make_world(application, client, join_policy="by_request")
        request = await ask(world, await commit_user(application))
        assert problem(await decide(other, request, "approve")) == (404, "request-not-found")


class TestRefuse:
    async def test_shows_the_person_the_reason_and_lets_them_ask_again(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client, join_policy="by_request")
        user = await commit_user(application)
        request = await ask(world, user)
        assert problem(await decide(world, request, "refuse", reason=" ")) == (422, "validation")
        assert (await decide(world, request, "refuse", reason="Only for the south site.")).status_code == 200
        mine = (await world.call(user, "GET", f"{PATH}/mine")).json()["items"]
        assert [(each["status"], each["reason"]) for each in mine] == [("refused", "Only for the south site.")]
        assert (await ask(world, user)).status_code == 201
