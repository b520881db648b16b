"""What a campaign's managers have to do: ideas that wait for them, and the coming dates of the campaign."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy import text

from api.campaigns import service as campaigns
from api.campaigns.lifecycle import Phase, phase_at
from api.kernel import clock
from api.kernel.schemas import ResponseModel, Stored

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.campaigns.models import Campaign

Work = Literal["approve", "decide", "start", "report"]
SHOWN_IDEAS = 5

_FIND = text(
    """
    WITH waiting (work, idea_id, title, since) AS (
        SELECT 'approve', i.id, i.title, i.submitted_at FROM app.ideas AS i
        WHERE i.campaign_id = :campaign_id AND i.status = 'pending'
        UNION ALL
        SELECT 'decide', i.id, i.title, CAST(:closed_at AS timestamptz) FROM app.ideas AS i
        WHERE i.campaign_id = :campaign_id AND i.status = 'competing' AND :is_closed
        UNION ALL
        SELECT 'start', i.id, i.title, i.status_changed_at FROM app.ideas AS i
        WHERE i.campaign_id = :campaign_id AND i.status = 'accepted'
        UNION ALL
        SELECT 'report', i.id, i.title, i.status_changed_at FROM app.ideas AS i
        WHERE i.campaign_id = :campaign_id AND i.status = 'complete' AND NOT EXISTS (
            SELECT FROM app.idea_valuations AS v WHERE v.idea_id = i.id AND v.kind = 'realised_value'
        )
    ), numbered AS (
        SELECT w.work, w.idea_id, w.title, w.since, row_number() OVER oldest AS n, count(*) OVER (PARTITION BY w.work) AS total
        FROM waiting AS w
        WINDOW oldest AS (PARTITION BY w.work ORDER BY w.since, w.idea_id)
    )
    SELECT n.work, n.total, n.idea_id AS id, n.title, n.since
    FROM numbered AS n
    WHERE n.n <= :shown
    ORDER BY array_position(ARRAY['approve', 'decide', 'start', 'report'], n.work), n.n
    """
)


class WaitingIdea(ResponseModel):
    """An idea that waits for a manager."""

    id: UUID
    title: str
    since: datetime = Field(description="since when it waits")


class TodoItem(ResponseModel):
    """Work of one kind, with the ideas that wait longest for it."""

    work: Stored[Work] = Field(
        description="approve: pending ideas; decide: competing ideas of the closed campaign; start: accepted ideas; "
        "report: complete ideas without a realised value"
    )
    count: int = Field(description="number of ideas")
    ideas: list[WaitingIdea] = Field(description=f"the {SHOWN_IDEAS} that wait longest, these first")


class Deadline(ResponseModel):
    """A coming date of the campaign or of its coin policy."""

    name: str
    at: datetime


class Todo(ResponseModel):
    """What the managers of a campaign have to do."""

    items: list[TodoItem] = Field(description="work that has to be done; kinds without ideas are omitted")
    deadlines: list[Deadline] = Field(description="coming dates, the earliest first")


async def find_todo(session: AsyncSession, campaign: Campaign) -> Todo:
    """The work and the coming dates of a campaign, by the database's clock."""
    now = await clock.database_now(session)
    is_closed = phase_at(campaign.status, campaign.starts_at, campaign.ends_at, now) is Phase.CLOSED
    rows = await session.execute(
        _FIND,
        {
            "campaign_id": campaign.id,
            "is_closed": is_closed,
            "closed_at": campaign.ends_at,
            "shown": SHOWN_IDEAS,
        },
    )
    items: dict[str, TodoItem] = {}
    for row in rows:
        item = items.setdefault(row.work, TodoItem(work=row.work, count=row.total, ideas=[]))
        item.ideas.append(WaitingIdea.model_validate(row))
    dates = await campaigns.list_dates(session, campaign)
    coming = [Deadline(name=name, at=at) for name, at in dates.items() if at > now]
    return Todo(items=list(items.values()), deadlines=sorted(coming, key=lambda each: each.at))
