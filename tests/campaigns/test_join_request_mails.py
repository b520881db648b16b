"""Mails about requests to join: to managers at most one an hour, to the person after the decision; and withdrawals."""

from __future__ import annotations

from datetime import timedelta
from email import message_from_bytes, policy
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import text

from api.campaigns.join_requests.mailing import order_due_notices, send_join_decision, send_join_requests_notice
from api.kernel.mail import FolderMail
from tests.auth.calls import problem
from tests.auth.mailboxes import text_of
from tests.campaigns.test_join_requests import PATH, ask, decide
from tests.factories.campaigns import World, make_world
from tests.factories.containers import parts, replaced
from tests.factories.users import commit_user

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from email.message import EmailMessage
    from pathlib import Path

    from fastapi import FastAPI
    from httpx2 import AsyncClient

_JOBS = text(
    "SELECT j.id, j.task_name, j.args FROM jobs.procrastinate_jobs AS j"
    " WHERE j.task_name IN ('send_join_requests_notice', 'send_join_decision') AND j.id > :after ORDER BY j.id"
)


class Mails:
    """Carries out the jobs of this test, and reads what they send."""

    def __init__(self, app: FastAPI, folder: Path, after: int) -> None:
        self.app, self.folder, self.after = app, folder, after
        self.read: set[str] = set()

    async def send(self, campaign_id: UUID) -> list[EmailMessage]:
        """Send what the campaign has ordered since the last call; returns the new mails."""
        async with parts(self.app).database.session() as session:
            ordered = (await session.execute(_JOBS, {"after": self.after})).all()
            of_campaign = set(
                await session.scalars(
                    text(
                        "SELECT id FROM app.memberships WHERE campaign_id = :id"
                        " UNION ALL SELECT id FROM app.join_requests WHERE campaign_id = :id"
                    ),
                    {"id": campaign_id},
                )
            )
        for row in ordered:
            self.after = row.id
            (target,) = (UUID(value) for value in row.args.values())
            if target not in of_campaign:
                continue
            if row.task_name == "send_join_decision":
                await send_join_decision(parts(self.app), request_id=target)
            else:
                await send_join_requests_notice(parts(self.app), membership_id=target)
        paths = [path for path in sorted(self.folder.glob("*.eml")) if path.name not in self.read]
        self.read |= {path.name for path in paths}
        return [message_from_bytes(path.read_bytes(), policy=policy.default) for path in paths]


@pytest_asyncio.fixture
async def mails(application: FastAPI, tmp_path: Path) -> AsyncIterator[Mails]:
    async with parts(application).database.session() as session:
        after = await session.scalar(text("SELECT coalesce(max(id), 0) FROM jobs.procrastinate_jobs"))
    folder = tmp_path / "mails"
    folder.mkdir()
    with replaced(application, mail=FolderMail(folder, parts(application).settings.mail.sender)):
        yield Mails(application, folder, after or 0)


async def pass_time(world: World, time: timedelta) -> None:
    """Set the last mail of the campaign, and its requests, back."""
    async with parts(world.app).database.session() as session:
        for table, column in (("join_request_notices", "ordered_at"), ("join_requests", "requested_at")):
            await session.execute(
                text(f"UPDATE app.{table} SET {column} = {column} - :time WHERE campaign_id = :id"),
                {"time": time, "id": world.campaign_id},
            )


class TestNotice:
    async def test_each_manager_receives_at_most_one_mail_an_hour_with_the_count(
        self, application: FastAPI, client: AsyncClient, mails: Mails
    ) -> None:
        world = await make_world(application, client, join_policy="by_request")
        second = world.members[0]
        await world.call(
            world.manager, "PUT", f"/campaigns/{{id}}/members/{second.id}/role", params={"role": "manager"}
        )
        await ask(world, await commit_user(application))
        sent = await mails.send(world.campaign_id)
        assert sorted(str(mail["To"]) for mail in sent) == sorted([str(world.manager.email), str(second.email)])
        assert "wait for a decision: 1" in text_of(sent[0])
        for _ in range(3):
            await ask(world, await commit_user(application))
        assert await mails.send(world.campaign_id) == []
        await order_due_notices(parts(application))
        assert await mails.send(world.campaign_id) == []
        await pass_time(world, timedelta(minutes=61))
        assert await order_due_notices(parts(application)) >= 1
        assert await order_due_notices(parts(application)) == 0
        sent = await mails.send(world.campaign_id)
        assert (len(sent), "wait for a decision: 4" in text_of(sent[0])) == (2, True)
        await pass_time(world, timedelta(minutes=61))
        await order_due_notices(parts(application))
        assert await mails.send(world.campaign_id) == [], "there is no newer request"

    async def test_no_mail_is_sent_if_no_request_is_open_any_more(
        self, application: FastAPI, client: AsyncClient, mails: Mails
    ) -> None:
        world = await make_world(application, client, join_policy="by_request")
        user = await commit_user(application)
        request = (await ask(world, user)).json()["id"]
        assert (await world.call(user, "POST", f"{PATH}/{request}/withdraw")).status_code == 200
        assert await mails.send(world.campaign_id) == []


class TestDecision:
    @pytest.mark.parametrize(
        ("locale", "verb", "words"),
        [
            ("en", "approve", "has approved your request"),
            ("en", "refuse", "The reason of the manager: Not this year."),
            ("pl", "approve", "została przyjęta"),
            ("pl", "refuse", "Podany powód: Not this year."),
        ],
    )
    async def test_the_person_is_informed_in_the_language_of_the_campaign(
        self, application: FastAPI, client: AsyncClient, mails: Mails, locale: str, verb: str, words: str
    ) -> None:
        world = await make_world(application, client, join_policy="by_request", locale=locale)
        user = await commit_user(application)
        request = await ask(world, user)
        await mails.send(world.campaign_id)
        body = {"reason": "Not this year."} if verb == "refuse" else {}
        assert (await decide(world, request, verb, **body)).status_code == 200
        (mail,) = await mails.send(world.campaign_id)
        assert mail["To"] == user.email
        assert words in " ".join(text_of(mail).split())

    async def test_a_mail_is_not_sent_to_an_address_that_is_not_confirmed_any_more(
        self, application: FastAPI, client: AsyncClient, mails: Mails
    ) -> None:
        world = await make_world(application, client, join_policy="by_request")
        user = await commit_user(application)
        request = await ask(world, user)
        await mails.send(world.campaign_id)
        await decide(world, request, "refuse", reason="No.")
        async with parts(application).database.session() as session:
            await session.execute(text("UPDATE app.users SET email_verified_at = NULL WHERE id = :id"), {"id": user.id})
        assert await mails.send(world.campaign_id) == []


class TestWithdraw:
    async def test_the_person_withdraws_their_request_and_can_ask_again(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client, join_policy="by_request")
        user, other = await commit_user(application), await commit_user(application)
        request = (await ask(world, user)).json()["id"]
        path = f"{PATH}/{request}/withdraw"
        assert problem(await world.call(other, "POST", path)) == (404, "request-not-found")
        assert problem(await world.call(world.manager, "POST", path)) == (404, "request-not-found")
        done = await world.call(user, "POST", path)
        assert (done.status_code, done.json()["status"]) == (200, "withdrawn")
        for late in (path, f"{PATH}/{request}/approve"):
            refused = await world.call(user if late == path else world.manager, "POST", late)
            assert problem(refused) == (409, "request-decided")
        assert (await ask(world, user)).status_code == 201
        listed = await world.call(world.manager, "GET", PATH, params={"status": "withdrawn"})
        assert [each["id"] for each in listed.json()["items"]] == [request]
