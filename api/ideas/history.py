"""The history of an idea: changes of its status and text, requests for changes, and movements of coins, in one list."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy import text

from api.coins.reading.idea_movements import KEY, list_idea_movements
from api.ideas.steps import Status
from api.kernel.schemas import ResponseModel, Stored

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

# the first version is the text of the submission, which is a change of the status
_TEXTS = text(
    """
    SELECT h.key, h.kind, h.at, h.actor_id, h.reason, h.from_status, h.to_status, h.reason_code, h.version, h.restored_from
    FROM (
        SELECT 's' || s.id::text AS key, 'status' AS kind, s.changed_at AS at, s.changed_by AS actor_id, s.reason,
            s.from_status, s.to_status, s.reason_code, NULL::integer AS version, NULL::integer AS restored_from
        FROM app.idea_status_changes AS s WHERE s.idea_id = :idea_id
        UNION ALL
        SELECT 'v' || lpad(v.version::text, 10, '0'), 'version', v.created_at, v.created_by, v.reason,
            NULL, NULL, NULL, v.version, v.restored_from
        FROM app.idea_versions AS v WHERE v.idea_id = :idea_id AND v.version > 1
        UNION ALL
        SELECT 'r' || r.id::text, 'change_request', r.requested_at, r.requested_by, r.text, NULL, NULL, NULL, NULL, NULL
        FROM app.idea_change_requests AS r WHERE r.idea_id = :idea_id AND :sees_requests
    ) AS h
    WHERE CAST(:after_at AS timestamptz) IS NULL
        OR (h.at, h.key COLLATE "C") < (CAST(:after_at AS timestamptz), CAST(:after_key AS text) COLLATE "C")
    ORDER BY h.at DESC, h.key COLLATE "C" DESC
    LIMIT :limit
    """
)


class HistoryEntry(ResponseModel):
    """One entry; the fields that do not belong to its kind are null."""

    kind: Literal["status", "version", "change_request", "coins"]
    at: datetime
    actor_id: UUID | None = Field(description="who did it, of coins: whose they are; null is the system")
    actor_name: str | None = None
    reason: str | None = Field(None, description="of a status or version; the text of a change request")
    from_status: Stored[Status] | None = Field(None, description="null for the submission")
    to_status: Stored[Status] | None = None
    reason_code: str | None = Field(None, description="of a rejection")
    version: int | None = Field(None, description="the number of the new version")
    restored_from: int | None = Field(None, description="the version that the new one repeats")
    movement: str | None = Field(None, description="allocate, reallocate or take_back")
    coins: int | None = Field(None, description="coins put on the idea; negative if they were taken from it")


async def list_history(
    session: AsyncSession,
    idea_id: UUID,
    *,
    coins_of: UUID | None,
    sees_requests: bool,
    limit: int,
    after: tuple[datetime, str] | None,
) -> list[tuple[HistoryEntry, tuple[datetime, str]]]:
    """Entries of an idea's history, newest first, each with its key for the cursor.

    `coins_of` is the member whose movements of coins are listed; None lists those of all members. The caller checks the coin
    policy. Requests for changes are for the author and for those who see all ideas.
    """
    values = {
        "idea_id": idea_id,
        "sees_requests": sees_requests,
        "limit": limit,
        "after_at": after[0] if after else None,
        "after_key": after[1] if after else None,
    }
    rows = (await session.execute(_TEXTS, values)).mappings()
    found = [(HistoryEntry.model_validate(dict(row)), (row["at"], row["key"])) for row in rows]
    for moved in await list_idea_movements(session, idea_id, user_id=coins_of, limit=limit, after=after):
        entry = HistoryEntry(
            kind="coins", at=moved.effective_at, actor_id=moved.user_id, movement=moved.kind, coins=moved.coins
        )
        found.append((entry, (moved.effective_at, f"{KEY}{moved.transfer_id}")))
    found.sort(key=lambda each: each[1], reverse=True)
    return found[:limit]
