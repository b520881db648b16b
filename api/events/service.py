"""Facts that happened, written in the transaction of the command that made them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import structlog
from sqlalchemy import text

from api.kernel import clock

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

_INSERT = text(
    """
    INSERT INTO app.events (occurred_at, kind, campaign_id, actor_id, user_id, idea_id, request_id, data)
    VALUES (:occurred_at, :kind, :campaign_id, :actor_id, :user_id, :idea_id, :request_id, CAST(:data AS jsonb))
    """
)


def current_request_id() -> str | None:
    """The id of the request that is being answered; None outside of one."""
    request_id: str | None = structlog.contextvars.get_contextvars().get("request_id")
    return request_id


async def record_event(
    session: AsyncSession,
    kind: str,
    *,
    actor_id: UUID | None,
    campaign_id: UUID | None = None,
    user_id: UUID | None = None,
    idea_id: UUID | None = None,
    **data: Any,
) -> None:
    """Append one event, named for the fact (`idea_accepted`), with ids in place of personal data.

    `user_id` is whom it happened to, `actor_id` who did it (None is the system); `data` is what changed: in `before` and
    `after` under the same names, where it was something else before.
    """
    await session.execute(
        _INSERT,
        {
            "occurred_at": clock.now(),
            "kind": kind,
            "campaign_id": campaign_id,
            "actor_id": actor_id,
            "user_id": user_id,
            "idea_id": idea_id,
            "request_id": current_request_id(),
            "data": orjson.dumps(data, default=str).decode(),
        },
    )
