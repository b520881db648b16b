"""Actors and campaigns of the permission matrix: every role, and one campaign of each visibility."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from sqlalchemy import text

from api.auth import sessions
from api.auth.models import AccountMail
from api.auth.second_factors import challenges, passkeys, recovery_codes
from api.auth.second_factors.models import AuthenticatorApp
from api.campaigns import service as campaigns
from api.coins import service as coins
from api.coins.policies import PolicyWrite
from api.coins.service import Move
from api.discussions.models import Comment
from api.ideas import service as ideas
from api.ideas.models import Idea
from api.ideas.tags import create_tag
from api.kernel import clock
from api.kernel.ids import uuid7
from api.kernel.permissions import TAKING_PART, CampaignRole, Permission, Relation, SystemRole
from api.kernel.stored_secrets import hash_secret, new_secret
from tests.auth.authenticators import SoftwarePasskey
from tests.factories.api_tokens import make_service_account, make_token
from tests.factories.campaigns import DESCRIPTION
from tests.factories.containers import parts
from tests.factories.users import PASSWORD, make_user

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.auth.api_tokens.models import ServiceAccount
    from api.auth.models import User
    from settings import Settings

POLICY = PolicyWrite(own_ideas=True, stakes_visible_to="members")


class Actor(StrEnum):
    """The caller of a request."""

    ANONYMOUS = "anonymous"
    OUTSIDER = "outsider"
    PERMISSION_HOLDER = "permission holder"
    OTHER_MANAGER = "manager of another campaign"
    OBSERVER = "observer"
    MEMBER = "member"
    AUTHOR = "author"
    MODERATOR = "moderator"
    MANAGER = "manager"
    EXECUTIVE = "executive"
    DATA_ENGINEER = "data engineer"
    DATA_VIEWER = "data viewer"
    ADMINISTRATOR = "administrator"
    NARROW_TOKEN = "API token of the manager"
    SERVICE_ACCOUNT = "service account"


SYSTEM_ROLES = {
    Actor.EXECUTIVE: SystemRole.EXECUTIVE,
    Actor.DATA_ENGINEER: SystemRole.DATA_ENGINEER,
    Actor.DATA_VIEWER: SystemRole.DATA_VIEWER,
    Actor.ADMINISTRATOR: SystemRole.SYSTEM_ADMIN,
}
CAMPAIGN_ROLES = {
    Actor.OBSERVER: CampaignRole.OBSERVER,
    Actor.MEMBER: CampaignRole.MEMBER,
    Actor.AUTHOR: CampaignRole.MEMBER,
    Actor.MODERATOR: CampaignRole.MODERATOR,
    Actor.MANAGER: CampaignRole.MANAGER,
}
SCOPES = {
    Actor.NARROW_TOKEN: frozenset({"own:read", "view_campaign", "manage_ideas"}),
    Actor.SERVICE_ACCOUNT: frozenset({"view_campaign", "view_all_ideas", "view_report"}),
}
"""The scopes of the actors who use an API token."""
PERMISSIONS = {
    Actor.PERMISSION_HOLDER: frozenset({Permission.CREATE_CAMPAIGN}),
    Actor.SERVICE_ACCOUNT: frozenset(Permission(scope) for scope in SCOPES[Actor.SERVICE_ACCOUNT]),
}
PERSONS = {Actor.NARROW_TOKEN: Actor.MANAGER}
"""The actor who is the same person."""


@dataclass(frozen=True)
class Place:
    """A campaign with a competing and a pending idea of the author, and two tags; or ids that do not exist.

    By status of the idea, it has a comment of the author and a note of the manager.
    """

    kind: str
    campaign_id: UUID
    competing_id: UUID
    pending_id: UUID
    tag_id: UUID
    other_tag_id: UUID
    comment_ids: dict[str, UUID] = field(compare=False)
    note_ids: dict[str, UUID] = field(compare=False)

    @property
    def exists(self) -> bool:
        return self.kind != "unknown"

    @property
    def is_public(self) -> bool:
        return self.kind == "public"

    @property
    def is_active(self) -> bool:
        return self.kind in {"public", "hidden"}

    def roles(self, actor: Actor) -> frozenset[str]:
        """The roles that the actor has here."""
        campaign = CAMPAIGN_ROLES.get(PERSONS.get(actor, actor)) if self.exists else None
        system = SYSTEM_ROLES.get(actor)
        visitor = Relation.VISITOR if self.is_public else None
        return frozenset(role for role in (campaign, system, visitor) if role is not None)


@dataclass(frozen=True)
class Credentials:
    """The credentials that an actor sends; an API token comes without a cookie."""

    bearer: str
    cookie: str | None


@dataclass(frozen=True)
class Steps:
    """Log-ins of a user with second factors that wait for their next step."""

    challenge: str
    recovery_code: str
    passkey_challenge: str
    passkey_response: dict[str, Any]


@dataclass(frozen=True)
class World:
    """The application, its actors, and the places of their requests."""

    app: FastAPI
    client: AsyncClient
    places: dict[str, Place]
    credentials: dict[Actor, Credentials]
    spare_member: User
    newcomer: User
    service_account: ServiceAccount
    service_token_id: UUID
    refresh_token: str
    link_tokens: dict[str, str]
    steps: Steps


async def make_world(app: FastAPI, client: AsyncClient) -> World:
    """All rows that the cells use, committed; the work of each cell is rolled back."""
    async with parts(app).database.session() as session:
        # the administrator of the cells is the last one, whatever tests ran before in this database
        await session.execute(text("UPDATE app.users SET roles = array_remove(roles, 'system_admin')"))
        users: dict[Actor, User] = {
            actor: await make_user(
                session,
                password=PASSWORD,
                roles=[SYSTEM_ROLES[actor]] if actor in SYSTEM_ROLES else [],
                permissions=PERMISSIONS.get(actor, ()),
            )
            for actor in Actor
            if actor is not Actor.ANONYMOUS and actor not in SCOPES
        }
        spare = await make_user(session)
        newcomer = await make_user(session, password=PASSWORD)
        places = {kind: await _make_place(session, kind, users, spare) for kind in ("public", "hidden", "draft")}
        places["unknown"] = Place("unknown", uuid4(), uuid4(), uuid4(), uuid4(), uuid4(), _no_ids(), _no_ids())
        other = await campaigns.create_campaign(
            session, actor_id=users[Actor.OTHER_MANAGER].id, title="Another campaign", slug=f"other-{uuid4().hex[:12]}"
        )
        await campaigns.activate_campaign(session, other, actor_id=users[Actor.OTHER_MANAGER].id)
    credentials: dict[Actor, Credentials] = {actor: await _log_in(app, user) for actor, user in users.items()}
    account = await make_service_account(app, *SCOPES[Actor.SERVICE_ACCOUNT])
    tokens = {
        actor: await make_token(app, users[PERSONS[actor]] if actor in PERSONS else account, *scopes)
        for actor, scopes in SCOPES.items()
    }
    credentials |= {actor: Credentials(token.secret, None) for actor, token in tokens.items()}
    async with parts(app).database.session() as session:
        issued = await sessions.start_session(session, parts(app).settings, newcomer.id, kind="token")
        links = {
            purpose: await _make_link(session, newcomer, purpose)
            for purpose in ("verify_address", "reset_password", "invited")
        }
        waiting = await _make_steps(session, parts(app).settings, spare)
    assert issued is not None
    service_token_id = tokens[Actor.SERVICE_ACCOUNT].token.id
    return World(
        app, client, places, credentials, spare, newcomer, account, service_token_id, issued.secret, links, waiting
    )


async def _make_steps(session: AsyncSession, settings: Settings, reset: User) -> Steps:
    """A user with a passkey and recovery codes, and one whose app can be reset."""
    session.add(AuthenticatorApp(user_id=reset.id, encrypted_secret=b"of no app", confirmed_at=clock.now()))
    user = await make_user(session, password=PASSWORD)
    passkey = SoftwarePasskey(settings.addresses.public_api_url)
    registration = await challenges.create(session, challenges.Purpose.PASSKEY_REGISTRATION, user)
    options = passkeys.registration_options(settings, user, (), registration.webauthn)
    response = passkey.create(options)
    await passkeys.add(session, settings, user.id, name="Laptop", response=response, challenge=registration.webauthn)
    codes = await recovery_codes.create(session, user.id)
    second = await challenges.create(session, challenges.Purpose.SECOND_STEP, user)
    alone = await challenges.create(session, challenges.Purpose.PASSKEY_LOG_IN)
    signed = passkey.get(passkeys.log_in_options(settings, (), alone.webauthn))
    return Steps(second.secret, codes[0], alone.secret, signed)


async def _make_link(session: AsyncSession, user: User, purpose: str) -> str:
    """The token of the link in a mail that was sent to the user."""
    token, now = new_secret(), clock.now()
    session.add(
        AccountMail(
            user_id=user.id,
            purpose=purpose,
            sent_at=now,
            secret_hash=hash_secret(token),
            expires_at=now + timedelta(hours=1),
        )
    )
    await session.flush()
    return token


async def _make_place(session: AsyncSession, kind: str, users: dict[Actor, User], spare: User) -> Place:
    manager = users[Actor.MANAGER]
    campaign = await campaigns.create_campaign(
        session,
        actor_id=manager.id,
        title="A campaign of the matrix",
        slug=f"matrix-{uuid4().hex[:12]}",
        visibility="members" if kind == "hidden" else "open",
        policy=POLICY,
    )
    for actor in (Actor.OBSERVER, Actor.MEMBER, Actor.AUTHOR, Actor.MODERATOR):
        await campaigns.join_campaign(
            session, campaign, user_id=users[actor].id, actor_id=manager.id, role=CAMPAIGN_ROLES[actor]
        )
    await campaigns.join_campaign(session, campaign, user_id=spare.id, actor_id=manager.id)
    author_id = users[Actor.AUTHOR].id
    if kind == "draft":
        competing_id = await _insert_idea(session, campaign.id, author_id, "competing")
    else:
        await campaigns.activate_campaign(session, campaign, actor_id=manager.id)
        competing = await ideas.submit_idea(
            session, campaign, author_id=author_id, title="A competing idea", description=DESCRIPTION
        )
        competing_id = competing.id
        owners = (users[actor].id for actor, role in CAMPAIGN_ROLES.items() if role in TAKING_PART)
        moved = await coins.move_coins(
            session, [Move(campaign.id, user_id, None, competing_id, 10) for user_id in owners]
        )
        assert {outcome.outcome for outcome in moved} == {"moved"}
    pending_id = await _insert_idea(session, campaign.id, author_id, "pending")
    defined = [await create_tag(session, campaign, actor_id=manager.id, name=name) for name in ("Roads", "Parks")]
    ideas_by_status = {"competing": competing_id, "pending": pending_id}
    comment_ids = {
        status: await _insert_comment(session, campaign.id, idea_id, author_id, "comment")
        for status, idea_id in ideas_by_status.items()
    }
    note_ids = {
        status: await _insert_comment(session, campaign.id, idea_id, manager.id, "note")
        for status, idea_id in ideas_by_status.items()
    }
    tag_id, other_tag_id = (tag.id for tag in defined)
    return Place(kind, campaign.id, competing_id, pending_id, tag_id, other_tag_id, comment_ids, note_ids)


def _no_ids() -> dict[str, UUID]:
    return {status: uuid4() for status in ("competing", "pending")}


async def _insert_comment(session: AsyncSession, campaign_id: UUID, idea_id: UUID, author_id: UUID, kind: str) -> UUID:
    """A comment or note, also in a draft, where the service writes none."""
    comment_id = uuid7()
    session.add(
        Comment(
            id=comment_id, campaign_id=campaign_id, idea_id=idea_id, kind=kind, root_id=comment_id, depth=1,
            author_id=author_id, text="Where is it?", mention_ids=[],
        )
    )  # fmt: skip
    await session.flush()
    return comment_id


async def _insert_idea(session: AsyncSession, campaign_id: UUID, author_id: UUID, status: str) -> UUID:
    """An idea in a status that the service sets only in another kind of campaign."""
    now = clock.now()
    idea = Idea(
        id=uuid7(),
        campaign_id=campaign_id,
        author_id=author_id,
        title=f"An idea that is {status}",
        description=DESCRIPTION,
        status=status,
        submitted_at=now,
        status_changed_at=now,
        created_by=author_id,
        updated_by=author_id,
    )
    session.add(idea)
    await session.flush()
    return idea.id


async def _log_in(app: FastAPI, user: User) -> Credentials:
    async with parts(app).database.session() as session:
        token = await sessions.start_session(session, parts(app).settings, user.id, kind="token")
        browser = await sessions.start_session(session, parts(app).settings, user.id, kind="browser")
    assert token is not None
    assert browser is not None
    return Credentials(await parts(app).access_tokens.issue(token.user, token.session_id), browser.secret)
