"""Ways by which a person whom a manager removed, or whose role a manager changed, must not get back what they had."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.auth.calls import assert_problem, new_email
from tests.auth.mailboxes import mailbox
from tests.factories.campaigns import World, make_world
from tests.factories.users import commit_user

if TYPE_CHECKING:
    from pathlib import Path

    from fastapi import FastAPI
    from httpx2 import AsyncClient

    from api.auth.models import User


async def invite(world: World, folder: Path, user: User, role: str) -> str:
    """Invite a person; returns the secret of the link in the mail."""
    assert user.email is not None
    body = {"invitations": [{"email": user.email, "role": role}]}
    with mailbox(world.app, folder) as mails:
        made = await world.call(world.manager, "POST", "/campaigns/{id}/invitations", json=body)
        assert made.status_code == 201, made.text
        return await mails.token(user.email)


async def set_role(world: World, user: User, role: str) -> None:
    response = await world.call(world.manager, "PUT", f"/campaigns/{{id}}/members/{user.id}/role?role={role}")
    assert response.is_success, response.text


async def add(world: World, user: User) -> None:
    response = await world.call(world.manager, "POST", "/campaigns/{id}/members", json={"email": user.email})
    assert response.status_code == 201, response.text


async def role_of(world: World, user: User) -> str | None:
    found: str | None = (await world.call(user, "GET", "/campaigns/{id}")).json()["my_role"]
    return found


async def test_an_old_invitation_does_not_give_back_a_role(
    application: FastAPI, client: AsyncClient, tmp_path: Path
) -> None:
    world = await make_world(application, client)
    user = await commit_user(application)
    token = await invite(world, tmp_path / "mails", user, "manager")
    await add(world, user)
    await set_role(world, user, "observer")
    assert (await world.call(user, "POST", "/campaigns/{id}/leave")).is_success
    assert_problem(await world.call(user, "POST", f"/invitations/{token}/accept"), 403, "invitation-outdated")
    assert await role_of(world, user) is None


async def test_a_removed_person_who_is_invited_again_can_accept(
    application: FastAPI, client: AsyncClient, tmp_path: Path
) -> None:
    world = await make_world(application, client)
    user = await commit_user(application)
    first = await invite(world, tmp_path / "first", user, "member")
    await add(world, user)
    assert (await world.call(world.manager, "DELETE", f"/campaigns/{{id}}/members/{user.id}")).is_success
    assert_problem(await world.call(user, "POST", f"/invitations/{first}/accept"), 403, "removed-from-campaign")
    second = await invite(world, tmp_path / "second", user, "observer")
    assert (await world.call(user, "POST", f"/invitations/{second}/accept")).is_success
    assert await role_of(world, user) == "observer"


async def test_an_observer_who_is_made_a_member_in_a_pause_has_coins(application: FastAPI, client: AsyncClient) -> None:
    world = await make_world(application, client, members=1)
    idea = await world.submit(world.members[0])
    user = await commit_user(application)
    await add(world, user)
    await set_role(world, user, "observer")
    newcomer = await commit_user(application, email=new_email())
    body = {"email": newcomer.email, "role": "observer"}
    assert (await world.call(world.manager, "POST", "/campaigns/{id}/members", json=body)).status_code == 201
    assert (await world.call(world.manager, "POST", "/campaigns/{id}/pause")).is_success
    for each in (user, newcomer):
        await set_role(world, each, "member")
    assert (await world.call(world.manager, "POST", "/campaigns/{id}/resume")).is_success
    for each in (user, newcomer):
        assert (await world.allocate(each, idea, 5)).status_code == 201


async def test_who_left_after_a_return_keeps_the_stakes_of_an_undone_acceptance(
    application: FastAPI, client: AsyncClient
) -> None:
    world = await make_world(application, client, members=3)
    left, removed = world.members[1], world.members[2]
    assert (await world.call(world.manager, "DELETE", f"/campaigns/{{id}}/members/{left.id}")).is_success
    await add(world, left)
    idea = await world.submit(world.members[0])
    for each in (left, removed):
        assert (await world.allocate(each, idea, 7)).status_code == 201
    assert (await world.call(left, "POST", "/campaigns/{id}/leave")).is_success
    assert (await world.step(world.manager, idea, "accepted")).is_success
    assert (await world.call(world.manager, "DELETE", f"/campaigns/{{id}}/members/{removed.id}")).is_success
    assert (await world.step(world.manager, idea, "competing", "By mistake")).is_success
    assert (await world.call(world.manager, "GET", f"/ideas/{idea}")).json()["coins"] == 7, "those of who left"
    verified = await world.call(world.manager, "GET", "/campaigns/{id}/coins/verify")
    assert verified.json()["holds"] is True


async def test_an_observer_does_not_edit_an_earlier_idea(application: FastAPI, client: AsyncClient) -> None:
    world = await make_world(application, client, members=1)
    author = world.members[0]
    idea = await world.submit(author)
    await set_role(world, author, "observer")
    response = await world.call(author, "PATCH", f"/ideas/{idea}", json={"title": "Another title"})
    assert_problem(response, 403, "step-not-allowed")
    assert (await world.call(author, "GET", f"/ideas/{idea}")).status_code == 200
