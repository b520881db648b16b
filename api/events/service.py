"""Records events, in the transaction of the command that caused them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import structlog
from sqlalchemy import text

from api.kernel import clock, origins

if TYPE_CHECKING:
    from collections.abc import Iterable
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


def current_request_id() -> str | None:
    """The id of the current request; None outside a request."""
    request_id: str | None = structlog.contextvars.get_contextvars().get("request_id")
    return request_id


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
    await session.execute(
        _INSERT, _as_row(payload, actor_id=actor_id, campaign_id=campaign_id, user_id=user_id, idea_id=idea_id)
    )


async def record_for_users(
    session: AsyncSession,
    payload: Payload,
    user_ids: Iterable[UUID],
    *,
    actor_id: UUID | None,
    campaign_id: UUID | None = None,
) -> None:
    """Append one event for each user, in one round trip."""
    row = _as_row(payload, actor_id=actor_id, campaign_id=campaign_id)
    if rows := [{**row, "user_id": user_id} for user_id in user_ids]:
        await session.execute(_INSERT, rows)


def _as_row(
    payload: Payload,
    *,
    actor_id: UUID | None,
    campaign_id: UUID | None = None,
    user_id: UUID | None = None,
    idea_id: UUID | None = None,
) -> dict[str, Any]:
    origin = origins.current()
    return {
        "occurred_at": clock.now(),
        "kind": payload.kind,
        "version": payload.version,
        "campaign_id": campaign_id,
        "actor_id": actor_id,
        "user_id": user_id,
        "idea_id": idea_id,
        "request_id": current_request_id(),
        "address": origin.address,
        "agent": origin.agent,
        "token_id": origin.token_id,
        "data": orjson.dumps(payload.as_data()).decode(),
    }
