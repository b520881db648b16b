"""Every kind of event occurs, and every row fits its payload: those that Python writes and those that SQL writes."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from api.auth import lifecycle
from api.auth import service as auth
from api.auth.invitations import invite_user
from api.auth.second_factors import service as second_factors
from api.auth.sso.providers import Providers
from api.campaigns.handlers import close_due_campaigns
from api.coins import background
from api.coins import service as coins
from api.coins.commands import settlements
from api.events.catalogue import parse_payload
from api.events.kinds import EventKind
from api.events.refusals import record_refusals
from api.ideas import service as ideas
from api.kernel.db import Database
from api.kernel.outgoing import make_outgoing
from cli.local.ports import free_port
from orchestration.web.commands import Commands
from orchestration.web.records import CommandRecords
from orchestration.web.viewers import Viewer
from tests.attachments.files import picture
from tests.auth.calls import header, log_in, new_email, refresh
from tests.auth.mailboxes import mailbox
from tests.auth.test_second_factors import add_app
from tests.coins.test_background import settle_all, staked
from tests.factories.api_tokens import make_service_account
from tests.factories.campaigns import World, make_world
from tests.factories.containers import parts, replaced
from tests.factories.elections import Importer, election_file
from tests.factories.http_servers import serving
from tests.factories.users import PASSWORD, bearer, commit_user
from tests.sso.hostile import LOGOUT, NAME, Hostile, begin
from tests.sso.providers import Visitor

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient

_ROWS = text("SELECT kind, version, data FROM app.events")


async def play_accounts(app: FastAPI, http: AsyncClient, folder: Path) -> None:
    """All events of an account; its mails are files in the folder."""
    account = {"email": new_email(), "password": PASSWORD, "display_name": "Anna"}
    for _ in range(2):
        registered = await http.post("/api/v1/auth/register", json=account)
        assert registered.status_code == 202, registered.text
    with mailbox(app, folder) as mails:
        body = {"token": await mails.token(account["email"]), "password": PASSWORD}
        assert (await http.post("/api/v1/auth/verify-email", json=body)).status_code == 204
        assert (await http.post("/api/v1/auth/register", json=account)).status_code == 202
    user = await commit_user(app, password=PASSWORD)
    assert (await log_in(http, user, "a wrong password")).status_code == 401
    tokens = await log_in(http, user)
    assert tokens.status_code == 200, tokens.text
    changed = await http.patch("/api/v1/users/me", json={"display_name": "Anna B."}, headers=header(tokens))
    assert changed.status_code == 200, changed.text
    secret = tokens.json()["refresh_token"]
    assert (await refresh(http, secret)).status_code == 200
    assert (await refresh(http, secret)).status_code == 401
    asked = await http.post("/api/v1/auth/forgot-password", json={"email": user.email})
    assert asked.status_code == 202, asked.text
    body = {"current_password": PASSWORD, "new_password": "eleven quiet herons waiting"}
    assert (await http.post("/api/v1/users/me/password", json=body, headers=header(tokens))).status_code == 204
    with mailbox(app, folder) as mails:
        change = {"email": new_email(), "current_password": "eleven quiet herons waiting"}
        assert (await http.post("/api/v1/users/me/email", json=change, headers=header(tokens))).status_code == 202
        body = {"token": await mails.token(change["email"]), "password": change["current_password"]}
        assert (await http.post("/api/v1/auth/verify-email", json=body)).status_code == 204
    user.email = change["email"]
    other = await log_in(http, user, "eleven quiet herons waiting")
    left = await http.post("/api/v1/auth/logout", headers=header(other))
    assert left.status_code == 204, left.text
    async with parts(app).database.session() as session:
        found = await auth.get_user(session, user.id)
        await lifecycle.change_rights(session, found, actor_id=None, permissions=["create_campaign"])
        await lifecycle.deactivate_user(session, found, actor_id=None)
        await lifecycle.reactivate_user(session, found, actor_id=None)
        await lifecycle.delete_user(session, found, actor_id=None)
        await invite_user(session, email=new_email(), display_name="Ida", actor_id=None)


async def play_second_factors(app: FastAPI, http: AsyncClient) -> None:
    """All events of second factors."""
    user = await commit_user(app, password=PASSWORD)
    headers = header(await log_in(http, user))
    _, codes = await add_app(http, headers)
    for code in ("000000", codes[0]):
        challenge = (await log_in(http, user)).json()["challenge"]
        await http.post("/api/v1/auth/login/second-step", json={"challenge": challenge, "code": code})
    body = {"password": PASSWORD, "code": codes[1]}
    assert (await http.post("/api/v1/auth/confirm", json=body, headers=headers)).status_code == 204
    assert (await http.delete("/api/v1/users/me/authenticator-app", headers=headers)).status_code == 204
    await add_app(http, headers)
    async with parts(app).database.session() as session:
        await second_factors.reset(session, await lifecycle.lock_user(session, user.id), actor_id=None)


async def play_tokens(app: FastAPI, http: AsyncClient) -> None:
    """All events of tokens and service accounts, a reading of personal data, and a refusal."""
    admin = await bearer(app, await commit_user(app, roles=["system_admin"]))
    body: dict[str, Any] = {"name": "a script", "scopes": ["own:read"]}
    mine = await http.post("/api/v1/users/me/tokens", json=body, headers=admin)
    assert mine.status_code == 201, mine.text
    as_token = {"Authorization": f"Bearer {mine.json()['token']}"}
    assert (await http.get("/api/v1/audit", headers=as_token)).status_code == 403
    await record_refusals(parts(app))
    account = await make_service_account(app, "view_report", "view_audit")
    url = f"/api/v1/service-accounts/{account.id}"
    token = await http.post(f"{url}/tokens", json={"name": "a robot"}, headers=admin)
    token_id = token.json()["id"]
    for method, path, change in (
        ("POST", f"{url}/tokens/{token_id}/rotate", {}),
        ("DELETE", f"/api/v1/tokens/{token_id}", None),
        ("PATCH", url, {"scopes": ["view_report"]}),
        ("POST", f"{url}/deactivate", None),
        ("GET", "/api/v1/users", None),
    ):
        done = await http.request(method, path, json=change, headers=admin)
        assert done.is_success, done.text


async def play_invitations(world: World, folder: Path) -> None:
    """Two invitations: one is accepted, one revoked."""
    user = await commit_user(world.app)
    assert user.email is not None
    body = {"invitations": [{"email": user.email}, {"email": new_email()}]}
    made = await world.call(world.manager, "POST", "/campaigns/{id}/invitations", json=body)
    assert made.status_code == 201, made.text
    with mailbox(world.app, folder) as mails:
        accepted = await world.call(user, "POST", f"/invitations/{await mails.token(user.email)}/accept")
    assert accepted.status_code == 200, accepted.text
    path = f"/campaigns/{{id}}/invitations/{made.json()[1]['id']}"
    assert (await world.call(world.manager, "DELETE", path)).status_code == 204


async def play_requests(app: FastAPI, http: AsyncClient) -> None:
    """Three requests to join: one is approved, one refused, one withdrawn; and an attribute that is asked for."""
    world = await make_world(app, http, join_policy="by_request")
    attribute = {"key": "site", "label": "Site"}
    defined = await world.call(world.manager, "POST", "/campaigns/{id}/member-attributes", json=attribute)
    assert defined.status_code == 201, defined.text
    user = await commit_user(app)
    request = await world.call(user, "POST", "/campaigns/{id}/join-requests", json={})
    path = f"/campaigns/{{id}}/join-requests/{request.json()['id']}/withdraw"
    assert (await world.call(user, "POST", path)).status_code == 200
    for verb, body in (("approve", None), ("refuse", {"reason": "Not this year."})):
        request = await world.call(await commit_user(app), "POST", "/campaigns/{id}/join-requests", json={})
        path = f"/campaigns/{{id}}/join-requests/{request.json()['id']}/{verb}"
        decided = await world.call(world.manager, "POST", path, json=body)
        assert decided.status_code == 200, decided.text


async def play_delivery(world: World) -> None:
    """A delivered idea, a stopped idea, one with an owner and a milestone, an edited idea, and a valuation."""
    done, stopped = await world.submit(world.members[0]), await world.submit(world.members[0])
    for idea, last in ((done, "complete"), (stopped, "stopped")):
        await approve(world, idea)
        for status in ("accepted", "in_progress", last):
            response = await world.step(world.manager, idea, status, "As decided")
            assert response.status_code == 200, response.text
    planned = f"/ideas/{await world.submit(world.members[0])}"
    await approve(world, UUID(planned.removeprefix("/ideas/")))
    assert (await world.step(world.manager, UUID(planned.removeprefix("/ideas/")), "accepted")).is_success
    added = await world.call(
        world.manager, "POST", f"{planned}/milestones", json={"title": "Order", "due_on": "2026-05-01"}
    )
    milestone = f"{planned}/milestones/{added.json()['milestones'][0]['id']}"
    for method, path, body in (
        ("PUT", f"{planned}/owner", {"user_id": str(world.members[0].id)}),
        ("PATCH", milestone, {"done_on": "2026-01-01"}),
        ("DELETE", milestone, None),
    ):
        changed = await world.call(world.manager, method, path, json=body)
        assert changed.is_success, changed.text
    files = f"{planned}/attachments"
    attached = await world.call(world.manager, "POST", files, params={"name": "plan.txt"}, content=b"The plan.")
    removed = await world.call(world.manager, "DELETE", f"{files}/{attached.json()['id']}")
    assert removed.is_success, removed.text
    edited = await world.submit(world.members[0])
    response = await world.call(world.members[0], "PATCH", f"/ideas/{edited}", json={"title": "A better title for it"})
    assert response.status_code == 200, response.text
    async with parts(world.app).database.session() as session:
        await ideas.record_valuation(
            session, await ideas.get_idea(session, done), actor_id=world.manager.id, kind="realised_value",
            amount=Decimal("12.50"), currency="EUR", valued_on=date(2026, 1, 1), source="Books",
        )  # fmt: skip


async def play_sharing(world: World) -> None:
    """A link that is revoked, and a cover picture."""
    path = f"/ideas/{await world.submit(world.members[0])}/share"
    shared = await world.call(world.members[0], "POST", path)
    revoked = await world.call(world.manager, "DELETE", path)
    covered = await world.call(world.manager, "PUT", "/campaigns/{id}/cover", content=picture())
    for done in (shared, revoked, covered):
        assert done.is_success, done.text


async def play_texts(world: World) -> None:
    """A draft that is deleted, a request for changes, tags, and reasons of rejection."""
    author, manager = world.members[0], world.manager
    waiting = await world.submit(author)
    again = str(await world.submit(author))
    larger = await world.submit(author)
    assert (await world.step(manager, larger, "competing")).is_success
    free = {"title": "Racks with a free tag", "tags": ["Free"]}
    assert (await world.call(author, "PATCH", f"/ideas/{waiting}", json=free)).is_success
    drafted = await world.call(author, "POST", "/campaigns/{id}/ideas/drafts", json={"title": "A draft"})
    path = f"/ideas/{drafted.json()['id']}"
    tags = "/campaigns/{id}/tags"
    made = [await world.call(manager, "POST", tags, json={"name": name}) for name in ("Roads", "Streets")]
    roads, streets = (tag.json()["id"] for tag in made)
    reasons = {"reasons": [{"code": "other", "label": "Another reason"}]}
    for user, method, called, body in (
        (author, "PATCH", path, {"title": "A better draft"}),
        (author, "DELETE", path, None),
        (manager, "POST", f"/ideas/{waiting}/change-requests", {"text": "Say what it costs."}),
        (manager, "PATCH", f"{tags}/{roads}", {"colour": "#808080"}),
        (manager, "POST", "/campaigns/{id}/free-tags/convert", {"name": "free", "into_id": roads}),
        (manager, "PATCH", f"/ideas/{waiting}", {"tags": [], "reason": "Not about roads"}),
        (manager, "PATCH", f"/ideas/{larger}", {"title": "Twice as many", "reason": "Larger", "is_material": True}),
        (manager, "POST", f"{tags}/{roads}/merge", {"into_id": streets}),
        (manager, "DELETE", f"{tags}/{streets}", None),
        (manager, "PUT", "/campaigns/{id}/rejection-reasons", reasons),
        (manager, "POST", f"/ideas/{waiting}/merge", {"idea_ids": [again], "reason": "The same twice."}),
        (manager, "POST", f"/ideas/{waiting}/merge/undo", {"reason": "By mistake."}),
    ):
        done = await world.call(user, method, called, json=body)
        assert done.is_success, done.text


async def play_discussions(world: World) -> None:
    """All events of comments, notes and followers."""
    author = world.members[0]
    idea = f"/ideas/{await world.submit(author)}"
    written = await world.call(author, "POST", f"{idea}/comments", json={"text": "Who pays?"})
    noted = await world.call(world.manager, "POST", f"{idea}/notes", json={"text": "Ask the city."})
    comment, note = f"{idea}/comments/{written.json()['id']}", f"{idea}/notes/{noted.json()['id']}"
    for user, method, path, body in (
        (author, "PATCH", comment, {"text": "Who pays for it?"}),
        (world.manager, "PUT", f"{comment}/hiding", {"reason": "Not this way."}),
        (world.manager, "DELETE", f"{comment}/hiding", None),
        (world.manager, "PUT", f"{idea}/official-answer", {"comment_id": written.json()["id"]}),
        (world.manager, "DELETE", f"{idea}/official-answer", None),
        (author, "DELETE", comment, None),
        (world.manager, "PATCH", note, {"text": "Ask the town."}),
        (world.manager, "DELETE", note, None),
        (author, "PUT", f"{idea}/following", None),
        (author, "DELETE", f"{idea}/following", None),
    ):
        response = await world.call(user, method, path, json=body)
        assert response.is_success, response.text


async def play_sign_on(app: FastAPI, http: AsyncClient) -> None:
    """A first log-in by a provider, and a log-out there."""
    hostile = Hostile(free_port())
    provider = {"name": NAME, "label": "Corp", "issuer": hostile.issuer, "client_id": "ideamint"}
    settings = parts(app).settings.with_(sso_providers=json.dumps([provider]), outgoing_private_hosts="127.0.0.1")
    outgoing = make_outgoing(settings.outgoing)
    providers = Providers(settings.sso, outgoing)
    with replaced(app, settings=settings, providers=providers):
        async with serving(hostile, port=hostile.port):
            visitor = Visitor(http)
            begun = await begin(visitor, hostile)
            subject = uuid4().hex
            hostile.id_token = hostile.sign(hostile.claims(nonce=begun.nonce, sub=subject, email=new_email()))
            assert (await begun.end()).status_code == 303
            claims = hostile.claims(sub=subject, jti=uuid4().hex, events=LOGOUT)
            ended = await http.post(f"/sso/{NAME}/back-channel-log-out", data={"logout_token": hostile.sign(claims)})
            assert ended.status_code == 200, ended.text
            caller = await bearer(app, await commit_user(app, roles=["system_admin"]))
            async with parts(app).database.session() as session:
                found = text("SELECT id, user_id FROM app.identities WHERE subject = :subject")
                identity = (await session.execute(found, {"subject": subject})).one()
            path = f"/api/v1/users/{identity.user_id}/identities/{identity.id}"
            assert (await http.delete(path, headers=caller)).status_code == 204
            await visitor.close()
            await outgoing.close()


async def approve(world: World, idea: UUID) -> None:
    response = await world.step(world.manager, idea, "competing")
    assert response.status_code == 200, response.text


async def play_coins(world: World) -> None:
    """Members' movements, a grant and a correction, and every decision that changes stakes."""
    author, backer = world.members[0], world.members[1]
    one, two, three, four = [await world.submit(author) for _ in range(4)]
    for idea in (one, two, three, four):
        await approve(world, idea)
    assert (await world.allocate(backer, one, 30)).status_code == 201
    await world.reallocate(backer, one, two, 10)
    await world.reallocate(backer, one, None, 5)
    for status, reason in (("accepted", None), ("competing", "By mistake")):
        assert (await world.step(world.manager, one, status, reason)).status_code == 200
    assert (await world.step(world.manager, two, "rejected", "Not now")).status_code == 200
    assert (await world.step(author, three, "withdrawn")).status_code == 200
    correction = {"campaign_id": str(world.campaign_id), "user_id": str(backer.id), "kind": "correct", "coins": 5}
    await bulk(world, {**correction, "reason": "counted wrongly"})
    promoted = await world.call(world.manager, "PUT", f"/campaigns/{{id}}/members/{backer.id}/role?role=manager")
    assert promoted.is_success, promoted.text
    grouped = await world.call(
        world.manager, "POST", "/campaigns/{id}/members", json={"email": backer.email, "attributes": {"site": "North"}}
    )
    assert grouped.is_success, grouped.text
    assert (await world.call(world.members[2], "POST", "/campaigns/{id}/leave")).is_success
    for step in ("pause", "resume"):
        assert (await world.call(world.manager, "POST", f"/campaigns/{{id}}/{step}")).is_success
    edited = await world.call(world.manager, "PATCH", "/campaigns/{id}", json={"goal": "Less paper"})
    assert edited.is_success, edited.text
    removed = await world.call(world.manager, "DELETE", f"/campaigns/{{id}}/members/{author.id}")
    assert removed.is_success, removed.text
    ended = await world.call(world.manager, "PATCH", "/campaigns/{id}", json={"ends_at": "2026-01-01T00:00:00Z"})
    assert ended.is_success, ended.text
    await close_due_campaigns(parts(world.app).database)
    for step in ("complete", "archive"):
        ended = await world.call(world.manager, "POST", f"/campaigns/{{id}}/{step}")
        assert ended.is_success, ended.text


async def bulk(world: World, item: dict[str, object]) -> None:
    response = await world.call(
        world.manager, "POST", "/coins/bulk-allocate", key=uuid4().hex, json={"items": [item]}
    )  # fmt: skip
    assert response.json()["succeeded"] == 1, response.text


async def play_draft(world: World, app: FastAPI) -> None:
    """A draft that is deleted, and one whose policy changes and whose member is granted coins before it starts."""
    unwanted = await world.call(world.manager, "POST", "/campaigns", json={"title": "An unwanted draft"})
    assert (await world.call(world.manager, "DELETE", f"/campaigns/{unwanted.json()['id']}")).is_success
    draft = await world.call(world.manager, "POST", "/campaigns", json={"title": "A draft of a campaign"})
    campaign_id = draft.json()["id"]
    policy = {"coins_per_member": 50, "coins_per_member_and_idea_max": 20}
    changed = await world.call(world.manager, "PUT", f"/campaigns/{campaign_id}/coins/policies", json=policy)
    assert changed.status_code == 200, changed.text
    member = await commit_user(app)
    added = await world.call(
        world.manager, "POST", f"/campaigns/{campaign_id}/members", json={"email": member.email}
    )  # fmt: skip
    assert added.is_success, added.text
    await bulk(world, {"campaign_id": campaign_id, "user_id": str(member.id), "kind": "grant"})


async def test_every_kind_occurs_and_every_row_fits_its_payload(
    application: FastAPI,
    client: AsyncClient,
    db: Database,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    started_at = datetime.now(UTC)
    await play_accounts(application, client, tmp_path / "mails")
    await play_second_factors(application, client)
    await play_tokens(application, client)
    await play_sign_on(application, client)
    world = await make_world(application, client, is_mediated=True)
    await play_delivery(world)
    await play_texts(world)
    await play_sharing(world)
    await play_discussions(world)
    await play_invitations(world, tmp_path / "mails")
    await play_requests(application, client)
    await play_coins(world)
    await play_draft(world, application)
    with monkeypatch.context() as smaller:  # a settlement that is left to the background
        smaller.setattr(settlements, "SETTLE_INLINE_MAX", 2)
        smaller.setattr(background, "ACCOUNTS_PER_STEP", 2)
        ledger = await staked(db, 5)
        async with db.session() as session:
            await coins.close_targets(session, ledger.campaign_id, [ledger.ideas[1]], kind="return", actor_id=None)
        await settle_all(db, ledger)
    records = CommandRecords(parts(application).settings)
    person = Viewer(user_id=world.manager.id, display_name="Anna")
    await records.add(person, Commands(is_mutation=True, names=("launchRun",), jobs=("everything",)))
    await records.close()
    async with db.session() as session:
        await Importer(session, tmp_path)(election_file("approval"))
        recent = text(f"{_ROWS.text} WHERE recorded_at >= :started_at")
        rows = (await session.execute(recent, {"started_at": started_at})).all()
        await session.rollback()
    seen = {EventKind(row.kind) for row in rows}
    assert set(EventKind) - seen == set(), "no command of this test records them"
    for row in rows:
        payload = parse_payload(row.kind, row.version, row.data)
        assert payload.kind == row.kind
        # parsing ignores unknown fields; rows written by this code have none
        assert payload.as_data().keys() == {name for name, value in row.data.items() if value is not None}
