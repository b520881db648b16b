"""Records events, in the transaction of the command that caused them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from sqlalchemy import text

from api.kernel import clock, origins

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.events.payloads import Payload

_INSERT = text(
    """
    INSERT INTO app.events (
        occurred_at, kind, version, campaign_id, actor_id, user_id, idea_id, request_id, address, agent, token_id, data
    )
    VALUES (
        :occurred_at, :kind, :version, :campaign_id, :actor_id, :user_id, :idea_id, :request_id, :address, :agent, :token_id,
        CAST(:data AS jsonb)
    )
    """
)
_INSERT_MANY = text(
    """
    INSERT INTO app.events (
        occurred_at, kind, version, campaign_id, actor_id, user_id, request_id, address, agent, token_id, data
    )
    SELECT :occurred_at, u.kind, u.version, CAST(:campaign_id AS uuid), CAST(:actor_id AS uuid), u.user_id, :request_id, :address, :agent,
        CAST(:token_id AS uuid), CAST(u.data AS jsonb)
    FROM unnest(
        CAST(:kinds AS text[]), CAST(:versions AS integer[]), CAST(:user_ids AS uuid[]), CAST(:data AS text[])
    ) WITH ORDINALITY AS u (kind, version, user_id, data, n)
    ORDER BY u.n
    """
)


def current_request_id() -> str | None:
    """The id of the current request; None outside a request."""
    return origins.current().request_id


async def record_event(
    session: AsyncSession,
    payload: Payload,
    *,
    actor_id: UUID | None,
    campaign_id: UUID | None = None,
    user_id: UUID | None = None,
    idea_id: UUID | None = None,
) -> None:
    """Append one event; its kind and version are those of the payload, its address and token those of the current request.

    `user_id` is the person concerned, `actor_id` the person who caused the event (None is the system, or somebody who is not logged in).
    """
    origin = origins.current()
    await session.execute(
        _INSERT,
        {
            "occurred_at": clock.now(),
            "kind": payload.kind,
            "version": payload.version,
            "campaign_id": campaign_id,
            "actor_id": actor_id,
            "user_id": user_id,
            "idea_id": idea_id,
            "request_id": origin.request_id,
            "address": origin.address,
            "agent": origin.agent,
            "token_id": origin.token_id,
            "data": orjson.dumps(payload.as_data()).decode(),
        },
    )


async def record_events(
    session: AsyncSession,
    events: Sequence[tuple[UUID | None, Payload]],
    *,
    actor_id: UUID | None,
    campaign_id: UUID | None = None,
) -> None:
    """Append many events by one statement, each with the user whom it concerns."""
    if not events:
        return
    origin = origins.current()
    await session.execute(
        _INSERT_MANY,
        {
            "occurred_at": clock.now(),
            "campaign_id": campaign_id,
            "actor_id": actor_id,
            "request_id": origin.request_id,
            "address": origin.address,
            "agent": origin.agent,
            "token_id": origin.token_id,
            "kinds": [payload.kind for _, payload in events],
            "versions": [payload.version for _, payload in events],
            "user_ids": [user_id for user_id, _ in events],
            "data": [orjson.dumps(payload.as_data()).decode() for _, payload in events],
        },
    )
