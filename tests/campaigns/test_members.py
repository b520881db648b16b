"""The list of members for managers, and campaigns by slug."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.factories.campaigns import World, make_world
from tests.factories.users import commit_user

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient


async def listed(world: World, **query: Any) -> list[dict[str, Any]]:
    response = await world.call(world.manager, "GET", "/campaigns/{id}/members", params=query)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["items"]
    return found


async def test_members_have_name_address_and_attributes(application: FastAPI, client: AsyncClient) -> None:
    world = await make_world(application, client)
    newcomer = await commit_user(application)
    body = {"email": newcomer.email, "attributes": {"department": "Sales"}}
    assert (await world.call(world.manager, "POST", "/campaigns/{id}/members", json=body)).status_code == 201
    *_, added = await listed(world)
    assert (added["user_id"], added["display_name"], added["email"], added["attributes"]) == (
        str(newcomer.id), newcomer.display_name, newcomer.email, {"department": "Sales"},
    )  # fmt: skip


async def test_members_are_found_by_role_name_and_address(application: FastAPI, client: AsyncClient) -> None:
    world = await make_world(application, client)
    assert [member["user_id"] for member in await listed(world, role="manager")] == [str(world.manager.id)]
    sought = world.members[1]
    assert sought.email is not None
    assert [member["user_id"] for member in await listed(world, q=sought.email.upper())] == [str(sought.id)]
    everyone = {str(user.id) for user in (world.manager, *world.members)}
    assert {member["user_id"] for member in await listed(world, q="@")} == everyone
    assert await listed(world, q="%@%") == []


async def test_a_campaign_is_found_by_its_slug(application: FastAPI, client: AsyncClient) -> None:
    world = await make_world(application, client)
    hidden = await make_world(application, client, visibility="members")
    slugs = [(await each.call(each.manager, "GET", "/campaigns/{id}")).json()["slug"] for each in (world, hidden)]
    found = [
        (await world.call(world.manager, "GET", "/campaigns", params={"slug": slug})).json()["items"] for slug in slugs
    ]
    assert [[campaign["id"] for campaign in campaigns] for campaigns in found] == [[str(world.campaign_id)], []]
