"""Invitations to campaigns: mailing, acceptance with and without an account, expiry, resending and revocation."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from sqlalchemy import text, update

from api.auth import sessions
from api.auth.dependencies import COOKIE
from api.campaigns.invitations.mail_limits import MAILS_MAX
from api.campaigns.invitations.mailing import DELETE_OLD, SEND, delete_old_invitations, send_campaign_invitation
from api.campaigns.invitations.models import Invitation
from api.campaigns.invitations.service import PAUSE
from api.kernel import clock
from tests.auth.calls import new_email, problem
from tests.auth.mailboxes import Mailbox, mailbox, text_of, token_of
from tests.factories.campaigns import World, make_world
from tests.factories.containers import parts, replaced
from tests.factories.users import PASSWORD, commit_user

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fastapi import FastAPI
    from httpx2 import AsyncClient, Response

    from api.auth.models import User

PAGE = "/campaign-invitation"


@pytest.fixture
def mails(application: FastAPI, tmp_path: Path) -> Iterator[Mailbox]:
    with mailbox(application, tmp_path / "mails") as box:
        yield box


async def invite(world: World, *emails: str | None, **fields: Any) -> list[dict[str, Any]]:
    body = {"invitations": [{"email": email, **fields} for email in emails]}
    response = await world.call(world.manager, "POST", "/campaigns/{id}/invitations", json=body)
    assert response.status_code == 201, response.text
    found: list[dict[str, Any]] = response.json()
    return found


async def accept(world: World, user: User, token: str) -> Response:
    return await world.call(user, "POST", f"/invitations/{token}/accept")


async def listed(world: World, **query: Any) -> list[dict[str, Any]]:
    response = await world.call(world.manager, "GET", "/campaigns/{id}/invitations", params=query)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["items"]
    return found


async def change(world: World, invitation: dict[str, Any], **columns: Any) -> None:
    async with parts(world.app).database.session() as session:
        await session.execute(update(Invitation).where(Invitation.id == invitation["id"]).values(**columns))


class TestInvite:
    async def test_the_owner_of_the_address_becomes_a_member_with_the_role_and_attributes(
        self, application: FastAPI, client: AsyncClient, mails: Mailbox
    ) -> None:
        world = await make_world(application, client, visibility="members", join_policy="by_manager")
        user = await commit_user(application)
        assert user.email is not None
        (made,) = await invite(world, user.email.upper(), role="moderator", attributes={"site": "North"})
        assert (made["status"], made["sent_at"]) == ("open", None)
        (mail,) = await mails.receive(user.email)
        assert world.manager.display_name in text_of(mail)
        accepted = await accept(world, user, token_of(mail))
        assert (accepted.status_code, accepted.json()["my_role"]) == (200, "moderator")
        assert (await world.balance(user))["wallet_coins"] == 100
        members = (await world.call(world.manager, "GET", "/campaigns/{id}/members", params={"q": user.email})).json()
        assert [member["attributes"] for member in members["items"]] == [{"site": "North"}]
        assert [each["status"] for each in await listed(world)] == ["accepted"]
        assert problem(await accept(world, user, token_of(mail))) == (422, "link-invalid")

    async def test_answers_alike_for_addresses_with_and_without_an_account(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client)
        user = await commit_user(application)
        with_account, without = await invite(world, user.email, new_email())
        same = ("name", "role", "attributes", "status", "sent_at", "accepted_at", "revoked_at")
        assert [with_account[name] for name in same] == [without[name] for name in same]

    async def test_stores_no_secret_and_mails_once(
        self, application: FastAPI, client: AsyncClient, mails: Mailbox
    ) -> None:
        world, email = await make_world(application, client), new_email()
        (made,) = await invite(world, email)
        token = await mails.token(email)
        await invite(world, email, role="observer")
        assert await mails.receive(email) == []
        assert [(each["id"], each["role"]) for each in await listed(world)] == [(made["id"], "observer")]
        async with parts(application).database.session() as session:
            row: str = (
                await session.execute(
                    text("SELECT i::text FROM app.campaign_invitations AS i WHERE i.id = :id"), {"id": made["id"]}
                )
            ).scalar_one()
        assert token not in row

    @pytest.mark.parametrize(
        ("emails", "problem_of"),
        [(["no address"], "validation"), (["a@example.org", "A@example.org"], "validation"), ([], "validation")],
    )
    async def test_refuses_a_wrong_list(
        self, application: FastAPI, client: AsyncClient, emails: list[str], problem_of: str
    ) -> None:
        world = await make_world(application, client)
        body = {"invitations": [{"email": email} for email in emails]}
        refused = await world.call(world.manager, "POST", "/campaigns/{id}/invitations", json=body)
        assert problem(refused) == (422, problem_of)
        assert await listed(world) == []

    async def test_refuses_members_and_an_ended_campaign(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        body = {"invitations": [{"email": new_email()}, {"email": world.members[0].email}]}
        refused = await world.call(world.manager, "POST", "/campaigns/{id}/invitations", json=body)
        assert problem(refused) == (409, "already-members")
        assert refused.json()["emails"] == [world.members[0].email]
        await world.call(world.manager, "POST", "/campaigns/{id}/complete")
        body = {"invitations": [{"email": new_email()}]}
        refused = await world.call(world.manager, "POST", "/campaigns/{id}/invitations", json=body)
        assert problem(refused) == (409, "campaign-not-active")

    async def test_a_dry_run_invites_nobody(self, application: FastAPI, client: AsyncClient, mails: Mailbox) -> None:
        world, email = await make_world(application, client), new_email()
        body = {"invitations": [{"email": email}]}
        query = {"dry_run": True}
        shown = await world.call(world.manager, "POST", "/campaigns/{id}/invitations", json=body, params=query)
        assert (shown.status_code, shown.json()[0]["email"]) == (201, email)
        assert (await listed(world), await mails.receive(email)) == ([], [])

    async def test_the_mail_is_a_job_of_the_same_transaction(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        made = await invite(world, new_email(), new_email())
        async with parts(application).database.session() as session:
            found = await session.scalars(
                text("SELECT args ->> 'invitation_id' FROM jobs.procrastinate_jobs WHERE task_name = :name"),
                {"name": SEND.name},
            )
            assert {each["id"] for each in made} <= set(found)

    async def test_mails_are_in_the_language_of_the_account(
        self, application: FastAPI, client: AsyncClient, mails: Mailbox
    ) -> None:
        world = await make_world(application, client)
        user = await commit_user(application, language="pl")
        await invite(world, user.email)
        assert user.email is not None
        (mail,) = await mails.receive(user.email)
        assert mail["Subject"] == "Zaproszenie do kampanii"


class TestAccept:
    async def test_refuses_another_user_and_an_unconfirmed_address(
        self, application: FastAPI, client: AsyncClient, mails: Mailbox
    ) -> None:
        world, email = await make_world(application, client), new_email()
        await invite(world, email)
        token = await mails.token(email)
        unconfirmed = await commit_user(application, email=email, email_verified_at=None)
        for user in (world.members[0], unconfirmed):
            assert problem(await accept(world, user, token)) == (403, "invitation-for-another")
        assert problem(await accept(world, world.members[0], "x" * 43)) == (422, "link-invalid")
        assert [each["status"] for each in await listed(world)] == ["open"]

    async def test_refuses_an_expired_one_which_can_be_sent_again(
        self, application: FastAPI, client: AsyncClient, mails: Mailbox
    ) -> None:
        world, user = await make_world(application, client), await commit_user(application)
        assert user.email is not None
        (made,) = await invite(world, user.email)
        old = await mails.token(user.email)
        await change(world, made, expires_at=clock.now() - timedelta(seconds=1), sent_at=clock.now() - 2 * PAUSE)
        assert problem(await accept(world, user, old)) == (422, "link-invalid")
        assert [each["status"] for each in await listed(world, status="expired")] == ["expired"]
        again = await world.call(world.manager, "POST", f"/campaigns/{{id}}/invitations/{made['id']}/resend")
        assert (again.status_code, again.json()["status"]) == (200, "open")
        new = await mails.token(user.email)
        assert problem(await accept(world, user, old)) == (422, "link-invalid")
        assert (await accept(world, user, new)).status_code == 200

    async def test_an_invitation_of_before_a_removal_does_not_lead_back(
        self, application: FastAPI, client: AsyncClient, mails: Mailbox
    ) -> None:
        world, user = await make_world(application, client), await commit_user(application)
        assert user.email is not None
        await invite(world, user.email)
        token = await mails.token(user.email)
        assert (await world.call(user, "POST", "/campaigns/{id}/join")).status_code == 200
        assert (await world.call(world.manager, "DELETE", f"/campaigns/{{id}}/members/{user.id}")).status_code == 204
        assert problem(await accept(world, user, token)) == (403, "removed-from-campaign")
        (open_one,) = await listed(world)
        await change(world, open_one, sent_at=clock.now() - 2 * PAUSE)
        await world.call(world.manager, "POST", f"/campaigns/{{id}}/invitations/{open_one['id']}/resend")
        assert (await accept(world, user, await mails.token(user.email))).status_code == 200

    async def test_one_of_many_simultaneous_acceptances_succeeds(
        self, application: FastAPI, client: AsyncClient, mails: Mailbox
    ) -> None:
        world, user = await make_world(application, client), await commit_user(application)
        assert user.email is not None
        await invite(world, user.email)
        token = await mails.token(user.email)
        await world.headers(user)
        responses = await asyncio.gather(*(accept(world, user, token) for _ in range(5)))
        statuses = sorted(response.status_code for response in responses)
        assert statuses == [200, 422, 422, 422, 422]
        assert (await world.balance(user))["wallet_coins"] == 100


class TestRevoke:
    async def test_voids_the_link_and_an_unsent_mail(
        self, application: FastAPI, client: AsyncClient, mails: Mailbox
    ) -> None:
        world, user = await make_world(application, client), await commit_user(application)
        assert user.email is not None
        sent, unsent = await invite(world, user.email, waiting := new_email())
        token = await mails.token(user.email)
        for each in (sent, unsent):
            path = f"/campaigns/{{id}}/invitations/{each['id']}"
            assert (await world.call(world.manager, "DELETE", path)).status_code == 204
            assert problem(await world.call(world.manager, "DELETE", path)) == (409, "invitation-ended")
            assert problem(await world.call(world.manager, "POST", f"{path}/resend")) == (409, "invitation-ended")
        assert problem(await accept(world, user, token)) == (422, "link-invalid")
        assert await mails.receive(waiting) == []
        other = await make_world(application, client)
        path = f"/campaigns/{{id}}/invitations/{sent['id']}"
        assert problem(await other.call(other.manager, "DELETE", path)) == (404, "invitation-not-found")


class TestResend:
    async def test_sends_one_mail_a_minute(self, application: FastAPI, client: AsyncClient, mails: Mailbox) -> None:
        world, email = await make_world(application, client), new_email()
        (made,) = await invite(world, email)
        await mails.token(email)
        path = f"/campaigns/{{id}}/invitations/{made['id']}/resend"
        assert (await world.call(world.manager, "POST", path)).status_code == 200
        assert await mails.receive(email) == []


class TestJobs:
    async def test_a_repeated_job_sends_nothing(
        self, application: FastAPI, client: AsyncClient, mails: Mailbox
    ) -> None:
        world, email = await make_world(application, client), new_email()
        (made,) = await invite(world, email)
        assert len(await mails.receive(email)) == 1
        await send_campaign_invitation(parts(application), invitation_id=made["id"])
        assert await mails.receive(email) == []

    async def test_old_invitations_are_deleted(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        old, new = await invite(world, new_email(), new_email())
        await change(world, old, revoked_at=clock.now() - timedelta(days=91))
        await change(world, new, revoked_at=clock.now() - timedelta(days=89))
        await DELETE_OLD.run(parts(application))
        assert [each["id"] for each in await listed(world)] == [new["id"]]


async def set_back(admin_url: str, world: World, time: timedelta, mails_max: int) -> None:
    """Set the times of the first mails of the campaign back; the application only adds and deletes rows."""
    async with await psycopg.AsyncConnection.connect(admin_url) as admin:
        await admin.execute(
            "UPDATE app.campaign_invitation_mails SET ordered_at = ordered_at - %s WHERE id IN"
            " (SELECT id FROM app.campaign_invitation_mails WHERE campaign_id = %s ORDER BY id LIMIT %s)",
            (time, world.campaign_id, mails_max),
        )


class TestMailLimit:
    """An address receives at most five mails of one campaign in 24 hours."""

    async def test_inviting_and_revoking_again_and_again_sends_no_more(
        self, application: FastAPI, client: AsyncClient, admin_url: str
    ) -> None:
        world, email = await make_world(application, client), new_email()
        for number in range(MAILS_MAX):
            (made,) = await invite(world, email.upper() if number % 2 else email)
            revoked = await world.call(world.manager, "DELETE", f"/campaigns/{{id}}/invitations/{made['id']}")
            assert revoked.status_code == 204
        body = {"invitations": [{"email": new_email()}, {"email": email}]}
        refused = await world.call(world.manager, "POST", "/campaigns/{id}/invitations", json=body)
        assert (problem(refused), refused.json()["emails"]) == ((409, "invitation-mails-exhausted"), [email])
        assert {each["status"] for each in await listed(world)} == {"revoked"}, "nobody of the request is invited"
        content = f"email\n{email}\n{new_email()}\n".encode()
        imported = await world.call(
            world.manager, "POST", "/campaigns/{id}/member-lists", content=content,
            params={"mode": "continue_on_failure"}, headers={"Content-Type": "text/csv"},
        )  # fmt: skip
        assert (imported.json()["invited"], imported.json()["errors"][0]["line"]) == (1, 2)
        other = await make_world(application, client)
        assert len(await invite(other, email)) == 1
        await set_back(admin_url, world, timedelta(days=1), 10)
        assert len(await invite(world, email)) == 1

    async def test_counts_mails_that_are_sent_again(
        self, application: FastAPI, client: AsyncClient, mails: Mailbox
    ) -> None:
        world, email = await make_world(application, client), new_email()
        (made,) = await invite(world, email)
        path = f"/campaigns/{{id}}/invitations/{made['id']}/resend"
        for _ in range(MAILS_MAX - 1):
            assert (await world.call(world.manager, "POST", path)).status_code == 200
        assert problem(await world.call(world.manager, "POST", path)) == (409, "invitation-mails-exhausted")

    async def test_old_mails_are_deleted(self, application: FastAPI, client: AsyncClient, admin_url: str) -> None:
        world = await make_world(application, client)
        await invite(world, new_email(), new_email())
        await set_back(admin_url, world, timedelta(days=3), 1)
        await delete_old_invitations(parts(application))
        async with parts(application).database.session() as session:
            count = text("SELECT count(*) FROM app.campaign_invitation_mails WHERE campaign_id = :id")
            assert await session.scalar(count, {"id": world.campaign_id}) == 1


async def form_of(client: AsyncClient, token: str, cookie: str | None = None) -> tuple[str, dict[str, str]]:
    """The text of the page, and the hidden fields of its form."""
    headers = {"Cookie": f"{COOKIE}={cookie}"} if cookie else {}
    page = await client.get(PAGE, params={"token": token}, headers=headers)
    assert page.status_code == 200, page.text
    return page.text, dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text))


class TestPage:
    async def test_a_person_without_an_account_creates_one_and_is_a_member(
        self, application: FastAPI, client: AsyncClient, mails: Mailbox
    ) -> None:
        world, email = await make_world(application, client, visibility="members"), new_email()
        await invite(world, email, name="Ida Nowak", role="observer")
        token = await mails.token(email)
        with replaced(application, settings=parts(application).settings.with_(registration="invitation")):
            shown, fields = await form_of(client, token)
            assert 'value="Ida Nowak"' in shown
            weak = await client.post(PAGE, data=fields | {"name": "Ida", "password": "short"})
            assert (weak.status_code, [each["status"] for each in await listed(world)]) == (422, ["open"])
            done = await client.post(PAGE, data=fields | {"name": "Ida Nowak", "password": PASSWORD})
        assert done.status_code == 200, done.text
        log_in = await client.post("/api/v1/auth/login", json={"email": email, "password": PASSWORD})
        headers = {"Authorization": f"Bearer {log_in.json()['access_token']}"}
        seen = await client.get(f"/api/v1/campaigns/{world.campaign_id}", headers=headers)
        assert (seen.status_code, seen.json()["my_role"]) == (200, "observer")

    async def test_refuses_addresses_outside_the_registration_domains(
        self, application: FastAPI, client: AsyncClient, mails: Mailbox
    ) -> None:
        world, email = await make_world(application, client), new_email()
        await invite(world, email)
        token = await mails.token(email)
        domains = parts(application).settings.with_(registration="domains", registration_domains="corp.example")
        with replaced(application, settings=domains):
            _, fields = await form_of(client, token)
            refused = await client.post(PAGE, data=fields | {"name": "Ida", "password": PASSWORD})
        assert refused.status_code == 403
        assert [each["status"] for each in await listed(world)] == ["open"]

    async def test_who_is_logged_in_accepts_by_the_button(
        self, application: FastAPI, client: AsyncClient, mails: Mailbox
    ) -> None:
        world, user = await make_world(application, client), await commit_user(application)
        assert user.email is not None
        await invite(world, user.email)
        token = await mails.token(user.email)
        shown, fields = await form_of(client, token)
        assert (fields, "/login?next=%2Fcampaign-invitation%3Ftoken%3D" in shown) == ({}, True)
        async with parts(application).database.session() as session:
            issued = await sessions.start_session(session, parts(application).settings, user.id, kind="browser")
        assert issued is not None
        _, fields = await form_of(client, token, issued.secret)
        cookies = "; ".join(
            [f"{COOKIE}={issued.secret}", *(f"{name}={value}" for name, value in client.cookies.items())]
        )
        done = await client.post(PAGE, data=fields, headers={"Cookie": cookies})
        assert done.status_code == 200, done.text
        assert (await world.call(user, "GET", "/campaigns/{id}")).json()["my_role"] == "member"

    async def test_a_void_link_is_reported(self, client: AsyncClient) -> None:
        page = await client.get(PAGE, params={"token": "x" * 43})
        assert (page.status_code, "The invitation is not valid" in page.text) == (422, True)
