"""API tokens for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from api.auth.api_tokens import service, service_accounts
from api.auth.models import User
from tests.factories.containers import parts
from tests.factories.users import commit_user

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fastapi import FastAPI

    from api.auth.api_tokens.models import ServiceAccount


async def make_token(
    app: FastAPI, owner: User | ServiceAccount, *scopes: str, days: int | None = None
) -> service.Created:
    """A token with these scopes, committed."""
    async with parts(app).database.session() as session:
        return await service.create_token(
            session, parts(app).settings.auth, owner, name="for a test", scopes=scopes, days=days, actor_id=None
        )


async def make_service_account(app: FastAPI, *scopes: str) -> ServiceAccount:
    """A service account with these scopes, committed."""
    owner = await commit_user(app)
    async with parts(app).database.session() as session:
        return await service_accounts.create_service_account(
            session, name=f"robot {uuid4().hex[:12]}", scopes=scopes, owner_id=owner.id, actor_id=None
        )


def as_header(created: service.Created) -> dict[str, str]:
    """The Authorization header of a token."""
    return {"Authorization": f"Bearer {created.secret}"}


async def token_header(app: FastAPI, owner: User | ServiceAccount, scopes: Iterable[str]) -> dict[str, str]:
    """The Authorization header of a new token."""
    return as_header(await make_token(app, owner, *scopes))
