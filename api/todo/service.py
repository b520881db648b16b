"""What waits for the managers and moderators of a campaign, and its coming dates.

One statement reads the tables of all domains. Each kind of work has an index that finds what waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from api.campaigns import service as campaigns
from api.campaigns.lifecycle import Phase, phase_at
from api.deliveries.service import IN_DELIVERY, get_today
from api.ideas.steps import Status
from api.kernel import clock
from api.todo.schemas import SHOWN_IDEAS, Deadline, Todo, TodoItem, WaitingIdea

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.campaigns.models import Campaign

# A question is a comment with a question mark; a reply in its thread by a manager or moderator answers it.
_FIND = text(
    """
    WITH waiting (work, idea_id, title, since) AS (
        SELECT 'admit', NULL::uuid, NULL::text, r.requested_at FROM app.join_requests AS r
        WHERE r.campaign_id = :campaign_id AND r.status = 'open'
        UNION ALL
        SELECT 'approve', i.id, i.title, i.submitted_at FROM app.ideas AS i
        WHERE i.campaign_id = :campaign_id AND i.status = 'pending' AND i.changes_requested_at IS NULL
        UNION ALL
        SELECT 'answer', i.id, i.title, min(c.written_at)
        FROM app.comments AS c
        JOIN app.ideas AS i ON i.id = c.idea_id AND i.status = ANY (:discussed)
        WHERE c.campaign_id = :campaign_id AND c.kind = 'comment' AND c.depth = 1 AND position('?' IN c.text) > 0
            AND c.hidden_at IS NULL AND c.official_at IS NULL AND NOT EXISTS (
                SELECT FROM app.comments AS a
                JOIN app.memberships AS m ON m.campaign_id = a.campaign_id AND m.user_id = a.author_id
                WHERE a.root_id = c.root_id AND a.idea_id = c.idea_id AND a.deleted_at IS NULL AND m.left_at IS NULL
                    AND m.role IN ('manager', 'moderator')
            )
        GROUP BY i.id, i.title
        UNION ALL
        SELECT 'decide', i.id, i.title, CAST(:closed_at AS timestamptz) FROM app.ideas AS i
        WHERE i.campaign_id = :campaign_id AND i.status = 'competing' AND :is_closed
        UNION ALL
        SELECT 'start', i.id, i.title, i.status_changed_at FROM app.ideas AS i
        WHERE i.campaign_id = :campaign_id AND i.status = 'accepted'
        UNION ALL
        SELECT 'deliver', i.id, i.title, min(m.due_on)::timestamp AT TIME ZONE :time_zone
        FROM app.idea_milestones AS m
        JOIN app.ideas AS i ON i.id = m.idea_id AND i.status = ANY (:in_delivery)
        WHERE m.campaign_id = :campaign_id AND m.done_on IS NULL AND m.due_on < :today
        GROUP BY i.id, i.title
        UNION ALL
        SELECT 'report', i.id, i.title, i.status_changed_at FROM app.ideas AS i
        WHERE i.campaign_id = :campaign_id AND i.status = 'complete' AND NOT EXISTS (
            SELECT FROM app.idea_valuations AS v WHERE v.idea_id = i.id AND v.kind = 'realised_value'
        )
    ), numbered AS (
        SELECT w.work, w.idea_id, w.title, w.since, row_number() OVER oldest AS n,
            count(*) OVER (PARTITION BY w.work) AS total
        FROM waiting AS w
        WINDOW oldest AS (PARTITION BY w.work ORDER BY w.since, w.idea_id)
    )
    SELECT n.work, n.total, n.idea_id AS id, n.title, n.since
    FROM numbered AS n
    WHERE n.n <= :shown
    ORDER BY array_position(ARRAY['admit', 'approve', 'answer', 'decide', 'start', 'deliver', 'report'], n.work), n.n
    """
)


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
            "in_delivery": sorted(IN_DELIVERY),
            "discussed": sorted({Status.PENDING, Status.COMPETING} | IN_DELIVERY),
            "today": await get_today(session, campaign),
            "time_zone": campaign.time_zone,
            "shown": SHOWN_IDEAS,
        },
    )
    items: dict[str, TodoItem] = {}
    for row in rows:
        item = items.setdefault(row.work, TodoItem(work=row.work, count=row.total, since=row.since, ideas=[]))
        if row.id is not None:
            item.ideas.append(WaitingIdea.model_validate(row))
    dates = await campaigns.list_dates(session, campaign)
    coming = [Deadline(name=name, at=at) for name, at in dates.items() if at > now]
    return Todo(items=list(items.values()), deadlines=sorted(coming, key=lambda each: each.at))
