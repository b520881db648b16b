"""Users for tests, and their Authorization header."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from api.auth import service, sessions
from api.auth.passwords import hash_password
from tests.factories.containers import parts

if TYPE_CHECKING:
    from fastapi import FastAPI
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.auth.models import User

PASSWORD = "granite-otter-52-lamp"


async def make_user(session: AsyncSession, **overrides: Any) -> User:
    """A user with a unique address. Without a password by default, since a hash takes 20 ms and `bearer` needs none.

    Overrides are arguments of `create_user`, or other columns of `User` (`is_active`, ...). The hash of a password is
    computed once in a process.
    """
    if (password := overrides.pop("password", None)) is not None:
        overrides["password_hash"] = await asyncio.to_thread(_hash_of, password)
    made = uuid4().hex[:12]
    arguments: dict[str, Any] = {"email": f"user-{made}@example.org", "display_name": f"User {made}"}
    arguments |= {name: overrides.pop(name) for name in _ARGUMENTS & overrides.keys()}
    user = await service.create_user(session, **arguments)
    for name, value in overrides.items():
        setattr(user, name, value)
    await session.flush()
    return user


async def commit_user(app: FastAPI, **overrides: Any) -> User:
    """A user as from :func:`make_user`, committed to the application's database."""
    async with parts(app).database.session() as session:
        return await make_user(session, **overrides)


async def bearer(app: FastAPI, user: User) -> dict[str, str]:
    """The Authorization header of a new session. The user must be committed."""
    settings = parts(app).settings
    async with parts(app).database.session() as session:
        issued = await sessions.start_session(session, settings, user.id, kind="token")
    assert issued is not None, "a deactivated user cannot log in"
    return {"Authorization": f"Bearer {await parts(app).access_tokens.issue(issued.user, issued.session_id)}"}


@cache
def _hash_of(password: str) -> str:
    return hash_password(password)


_ARGUMENTS = {"email", "display_name", "password_hash", "roles", "permissions", "actor_id"}
