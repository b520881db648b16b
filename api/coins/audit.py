"""What happened to a campaign's coins and why, as its managers may read it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import text

from api.kernel.web import Reply

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

# who did these, and to whom they happened, would tell whose coins lie where
PRIVATE_KINDS = ("coins_allocated", "coins_reallocated", "coins_taken_back")

# what moves coins, opens or closes something for them, or changes who has them, beside all that begins with coin
_CAUSES = (
    "campaign_created", "campaign_activated", "campaign_completed", "campaign_archived", "election_imported",
    "member_joined", "member_left", "member_role_changed",
    "idea_submitted", "idea_approved", "idea_rejected", "idea_withdrawn", "idea_accepted", "idea_acceptance_undone",
    "idea_not_selected",
)  # fmt: skip

_TEMPLATE = """
    SELECT e.id AS event_id, e.occurred_at, e.recorded_at, e.kind, e.idea_id, e.request_id, e.data,
        CASE WHEN e.kind = ANY (:private_kinds) THEN NULL ELSE e.actor_id END AS actor_id,
        CASE WHEN e.kind = ANY (:private_kinds) THEN NULL ELSE e.user_id END AS user_id
    FROM app.events AS e
    WHERE e.campaign_id = :campaign_id AND (e.kind LIKE 'coin%' OR e.kind = ANY (:causes)) {filters}
    ORDER BY e.occurred_at DESC, e.id DESC
    LIMIT :limit
"""


class AuditEvent(Reply):
    """A fact of the campaign that concerns its coins."""

    event_id: UUID
    occurred_at: datetime = Field(description="when it took effect")
    recorded_at: datetime = Field(description="when it was written; later than occurred_at in an import")
    kind: str
    actor_id: UUID | None = Field(
        description="who did it; null is the system, and always for a member's own movements of coins"
    )
    user_id: UUID | None = Field(
        description="whom it happened to; null for a member's own movements of coins: the policy keeps whose coins lie "
        "where to the members themselves"
    )
    idea_id: UUID | None
    request_id: str | None
    data: dict[str, Any] = Field(description="what changed, by kind")


async def list_audit(
    session: AsyncSession,
    campaign_id: UUID,
    *,
    kinds: Sequence[str] = (),
    actor_id: UUID | None = None,
    user_id: UUID | None = None,
    idea_id: UUID | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int,
    after: tuple[datetime, UUID] | None = None,
) -> list[AuditEvent]:
    """Events of a campaign that concern its coins, newest first; `after` is the (occurred_at, event_id) of the last seen.

    A filter by person finds no event that hides its person, so that asking for somebody tells nothing about them.
    `since` is included, `until` is not.
    """
    filters: list[str] = []
    values: dict[str, Any] = {
        "campaign_id": campaign_id,
        "private_kinds": list(PRIVATE_KINDS),
        "causes": list(_CAUSES),
        "limit": limit,
    }

    def add(condition: str, **arguments: object) -> None:
        filters.append(f"AND {condition}")
        values.update(arguments)

    if kinds:
        add("e.kind = ANY (:kinds)", kinds=list(kinds))
    if actor_id:
        add("e.actor_id = :actor_id AND e.kind <> ALL (:private_kinds)", actor_id=actor_id)
    if user_id:
        add("e.user_id = :user_id AND e.kind <> ALL (:private_kinds)", user_id=user_id)
    if idea_id:
        add("(e.idea_id = :idea_id OR e.data ->> 'from_idea_id' = CAST(:idea_id AS text))", idea_id=idea_id)
    if since:
        add("e.occurred_at >= :since", since=since)
    if until:
        add("e.occurred_at < :until", until=until)
    if after:
        add("(e.occurred_at, e.id) < (:after_at, :after_id)", after_at=after[0], after_id=after[1])
    rows = await session.execute(text(_TEMPLATE.format(filters=" ".join(filters))), values)
    return [AuditEvent.model_validate(row) for row in rows]
