"""People at providers, and what the database knows about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import text

from api.auth import service
from tests.factories.containers import parts

if TYPE_CHECKING:
    from fastapi import FastAPI

    from api.auth.models import User
    from tests.sso.providers import Visitor


def person(domain: str = "example.org", **claims: Any) -> dict[str, Any]:
    """The claims of a new person; None removes a claim."""
    made = uuid4().hex[:10]
    claims = {
        "sub": f"subject-{made}",
        "email": f"person.{made}@{domain}",
        "email_verified": True,
        "name": f"Person {made}",
        **claims,
    }
    return {name: value for name, value in claims.items() if value is not None}


async def account_of(app: FastAPI, claims: dict[str, Any]) -> User:
    """The account with the person's address."""
    async with parts(app).database.session() as session:
        user = await service.find_user_by_email(session, claims["email"])
    assert user is not None
    return user


async def has_account(app: FastAPI, claims: dict[str, Any]) -> bool:
    async with parts(app).database.session() as session:
        return await service.find_user_by_email(session, claims["email"]) is not None


async def has_second_factor(app: FastAPI, claims: dict[str, Any]) -> bool:
    """Whether the person's only session counts as one with a second factor."""
    user = await account_of(app, claims)
    async with parts(app).database.session() as session:
        found = await session.execute(
            text("SELECT second_factor_at IS NOT NULL FROM app.sessions WHERE user_id = :id"), {"id": user.id}
        )
        return bool(found.scalar_one())


async def caller(visitor: Visitor) -> str | None:
    """The user in whose session the browser is, or None."""
    response = await visitor.http.get("/api/v1/probes/browser")
    return str(response.json()["user_id"]) if response.status_code == 200 else None


async def failures(app: FastAPI, provider: str) -> list[str]:
    """The reasons of failed log-ins by a provider, the last one first."""
    async with parts(app).database.session() as session:
        found = await session.scalars(
            text(
                "SELECT data ->> 'reason' FROM app.events WHERE kind = 'log_in_failed' AND data ->> 'provider' = :provider "
                "ORDER BY recorded_at DESC, id DESC"
            ),
            {"provider": provider},
        )
        return list(found)
