"""Access tokens of many users at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sqlalchemy import select, text

from api.auth.api_tokens.verification import ApiTokens
from api.auth.keys import SigningKeys
from api.auth.models import User
from api.auth.revocations import Revocations
from api.auth.tokens import AccessTokens
from api.kernel.db import Database

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from settings import Settings

_START = text(
    """
    INSERT INTO app.sessions (user_id, kind, expires_at)
    SELECT u.id, 'token', now() + interval '1 day'
    FROM unnest(CAST(:users AS uuid[])) WITH ORDINALITY AS u (id, number)
    ORDER BY u.number
    RETURNING user_id, id
    """
)
_CREATE = text(
    """
    INSERT INTO app.users (id, email, display_name)
    SELECT u.id, u.id || '@example.org', 'User ' || u.id FROM unnest(CAST(:users AS uuid[])) AS u (id)
    ON CONFLICT (id) DO NOTHING
    """
)


def access_tokens(settings: Settings, users: Sequence[UUID]) -> list[str]:
    """The access token of a new session for each user, in this order. Users who do not exist are created."""

    async def issue() -> list[str]:
        database = Database(settings.database)
        try:
            return await issue_tokens(settings, database, users)
        finally:
            await database.close()

    return asyncio.run(issue())


async def issue_tokens(settings: Settings, database: Database, users: Sequence[UUID]) -> list[str]:
    """As :func:`access_tokens`, with connections of `database`."""
    async with database.session(statement_timeout_ms=0) as session:
        await session.execute(_CREATE, {"users": list(users)})
        started = await session.execute(_START, {"users": list(users)})
        sessions = {row.user_id: row.id for row in started}
    revocations = Revocations(database)
    keys = SigningKeys(database, settings.auth)
    tokens = AccessTokens(settings, keys, revocations, ApiTokens(settings, database, revocations))
    async with database.session() as session:
        found = await session.scalars(select(User).where(User.id.in_(users)))
        accounts = {account.id: account for account in found}
    return [await tokens.issue(accounts[user], sessions[user]) for user in users]
