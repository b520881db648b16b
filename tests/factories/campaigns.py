"""An active campaign with its members, created through the services and committed."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import text

from api.campaigns import service as campaigns
from api.coins.policies import PolicyWrite
from api.ideas import service as ideas
from tests.factories.containers import parts
from tests.factories.users import bearer, make_user

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI
    from httpx2 import Response

    from api.auth.models import User
    from settings import Settings

DESCRIPTION = "Enough words to say what should be built, and why it is useful."


@dataclass
class World:
    """An application with a campaign, and a client that sends requests as any of its users."""

    app: FastAPI
    client: AsyncClient
    campaign_id: UUID
    manager: User
    members: list[User]
    _headers: dict[UUID, dict[str, str]] = field(default_factory=dict)
    _logging_in: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def headers(self, user: User) -> dict[str, str]:
        """The user's Authorization header. Concurrent requests share a session, since a user has ten at most."""
        async with self._logging_in:
            if user.id not in self._headers:
                self._headers[user.id] = await bearer(self.app, user)
        return self._headers[user.id]

    async def call(self, user: User, method: str, path: str, *, key: str | None = None, **arguments: Any) -> Response:
        """Call `/api/v1<path>`; `{id}` in it is the campaign's."""
        headers = {
            **await self.headers(user),
            **({"Idempotency-Key": key} if key else {}),
            **arguments.pop("headers", {}),
        }
        url = f"/api/v1{path.replace('{id}', str(self.campaign_id))}"
        return await self.client.request(method, url, headers=headers, **arguments)

    async def submit(self, user: User, title: str = "Put bicycle racks by the door") -> UUID:
        """Submit an idea over HTTP."""
        response = await self.call(
            user, "POST", "/campaigns/{id}/ideas", json={"title": title, "description": DESCRIPTION}
        )
        assert response.status_code == 201, response.text
        return UUID(response.json()["id"])

    async def allocate(self, user: User, idea_id: UUID, coins: int, key: str | None = None) -> Response:
        """Put coins on an idea over HTTP."""
        return await self.call(
            user, "POST", "/campaigns/{id}/coins/allocate",
            key=key or uuid4().hex, json={"idea_id": str(idea_id), "coins": coins},
        )  # fmt: skip

    async def reallocate(self, user: User, from_idea_id: UUID, to_idea_id: UUID | None, coins: int) -> Response:
        """Move coins to another idea or, to None, back to the wallet over HTTP."""
        body = {
            "from_idea_id": str(from_idea_id),
            "to_idea_id": str(to_idea_id) if to_idea_id else None,
            "coins": coins,
        }
        response = await self.call(user, "POST", "/campaigns/{id}/coins/reallocate", key=uuid4().hex, json=body)
        assert response.status_code == 201, response.text
        return response

    async def step(self, user: User, idea_id: UUID, status: str, reason: str | None = None) -> Response:
        """Change the status of an idea over HTTP."""
        return await self.call(user, "POST", f"/ideas/{idea_id}/status", json={"status": status, "reason": reason})

    async def balance(self, user: User) -> dict[str, Any]:
        """The user's coins in the campaign."""
        response = await self.call(user, "GET", "/campaigns/{id}/coins/balance")
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    async def audit(self, **filters: Any) -> list[dict[str, Any]]:
        """The audit, as the manager reads it, newest first."""
        response = await self.call(self.manager, "GET", "/campaigns/{id}/coins/audit", params=filters)
        assert response.status_code == 200, response.text
        found: list[dict[str, Any]] = response.json()["items"]
        return found


@asynccontextmanager
async def further_application(settings: Settings) -> AsyncIterator[tuple[FastAPI, AsyncClient]]:
    """Another application, like another API process, and its client."""
    from api.main import create_app

    app = create_app(settings)
    transport = ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=transport, base_url="http://testserver") as client,
    ):
        yield app, client


async def make_world(
    app: FastAPI, client: AsyncClient, *, members: int = 3, policy: dict[str, Any] | None = None, **campaign: Any
) -> World:
    """An active campaign with a manager, and members who have got their coins."""
    async with parts(app).database.session() as session:
        manager = await make_user(session, permissions=["create_campaign"])
        people = [await make_user(session) for _ in range(members)]
        made = await campaigns.create_campaign(
            session,
            actor_id=manager.id,
            slug=f"campaign-{uuid4().hex[:12]}",
            title="A better way to work",
            policy=PolicyWrite(**(policy or {})),
            **campaign,
        )
        await campaigns.activate_campaign(session, made, actor_id=manager.id)
        for person in people:
            await campaigns.join_campaign(session, made, user_id=person.id, actor_id=manager.id)
    return World(app, client, made.id, manager, people)


async def submit_many(world: World, count: int) -> list[UUID]:
    """Submit ideas of the first member through the service; returns their ids."""
    async with parts(world.app).database.session() as session:
        campaign = await campaigns.get_campaign(session, world.campaign_id)
        made = [
            await ideas.submit_idea(
                session, campaign, author_id=world.members[0].id, title=f"Idea number {n}", description=DESCRIPTION
            )
            for n in range(count)
        ]
    return [idea.id for idea in made]


async def event_kinds(application: FastAPI, idea_id: object) -> list[str]:
    """The kinds of the events of an idea, in order."""
    async with parts(application).database.session() as session:
        kinds = await session.scalars(
            text("SELECT kind FROM app.events WHERE idea_id = :id ORDER BY xid, id"), {"id": idea_id}
        )
        return list(kinds)
