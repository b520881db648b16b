"""The history of an idea in one list: its status and text, discussion, delivery and attachments, and movements of coins.

The statement reads the tables of all domains, as that of the to-do list does.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy import text

from api.coins.reading.idea_movements import KEY, list_idea_movements
from api.events.kinds import EventKind
from api.ideas.authors import author_of, mark_author
from api.ideas.steps import Status
from api.kernel.schemas import ResponseModel, Stored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.ideas.dependencies import IdeaAccess

# of what may be deleted, only events keep the time and the person
_KINDS = [
    EventKind.COMMENT_WRITTEN, EventKind.OFFICIAL_ANSWER_CHANGED, EventKind.MILESTONE_ADDED, EventKind.MILESTONE_CHANGED,
    EventKind.MILESTONE_DELETED, EventKind.ATTACHMENT_ADDED, EventKind.ATTACHMENT_DELETED,
]  # fmt: skip
# the first version is the text of the submission, which is a change of the status
_ENTRIES = text(
    """
    SELECT h.key, h.kind, h.at, h.actor_id, h.reason, h.from_status, h.to_status, h.reason_code, h.version, h.restored_from,
        h.grace_until, h.change, h.object_id, h.name
    FROM (
        SELECT 's' || s.id::text AS key, 'status' AS kind, s.changed_at AS at, s.changed_by AS actor_id, s.reason,
            s.from_status, s.to_status, s.reason_code, NULL::integer AS version, NULL::integer AS restored_from,
            NULL::timestamptz AS grace_until, NULL::text AS change, NULL::uuid AS object_id, NULL::text AS name
        FROM app.idea_status_changes AS s WHERE s.idea_id = :idea_id
        UNION ALL
        SELECT 'v' || lpad(v.version::text, 10, '0'), 'version', v.created_at, v.created_by, v.reason,
            NULL, NULL, NULL, v.version, v.restored_from, NULL, NULL, NULL, NULL
        FROM app.idea_versions AS v WHERE v.idea_id = :idea_id AND v.version > :first_version
        UNION ALL
        SELECT 'm' || lpad(m.version::text, 10, '0'), 'material', m.marked_at, m.marked_by, m.reason,
            NULL, NULL, NULL, m.version, NULL, m.grace_until, NULL, NULL, NULL
        FROM app.idea_material_edits AS m WHERE m.idea_id = :idea_id
        UNION ALL
        SELECT 'e' || e.id::text, CASE e.kind WHEN 'official_answer_changed' THEN 'official_answer'
                ELSE split_part(e.kind, '_', 1) END,
            e.occurred_at, e.actor_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
            CASE
                WHEN e.kind = 'official_answer_changed'
                    THEN CASE WHEN e.data ->> 'comment_id' IS NULL THEN 'deleted' ELSE 'added' END
                WHEN e.kind = 'milestone_changed' AND e.data -> 'changed' @> '["done_on"]'
                    THEN CASE WHEN (e.data ->> 'is_done')::boolean THEN 'done' ELSE 'not_done' END
                WHEN e.kind = 'comment_written' THEN 'added'
                ELSE split_part(e.kind, '_', 2)
            END,
            o.id, coalesce(t.title, f.name)
        FROM app.events AS e
        JOIN app.ideas AS i ON i.id = e.idea_id AND e.occurred_at >= i.submitted_at
        CROSS JOIN LATERAL (
            SELECT coalesce(e.data ->> 'comment_id', e.data ->> 'milestone_id', e.data ->> 'attachment_id')::uuid AS id
        ) AS o
        LEFT JOIN app.comments AS c ON e.kind = 'comment_written' AND c.id = o.id
        LEFT JOIN app.idea_milestones AS t ON e.kind LIKE 'milestone%' AND t.id = o.id
        LEFT JOIN app.attachments AS f ON e.kind LIKE 'attachment%' AND f.id = o.id
        WHERE e.idea_id = :idea_id AND e.kind = ANY (:kinds)
            -- the condition of the index
            AND e.kind NOT IN ('coins_allocated', 'coins_reallocated', 'coins_taken_back')
            AND (e.kind <> 'comment_written' OR (c.deleted_at IS NULL AND c.id IS NOT NULL
                AND (c.hidden_at IS NULL OR :sees_hidden)))
        UNION ALL
        SELECT 'g' || g.id::text, 'merge', g.merged_at, g.merged_by, g.reason, NULL, NULL, NULL, NULL, NULL, NULL,
            'added', g.id, NULL
        FROM app.idea_merges AS g WHERE g.target_id = :idea_id
        UNION ALL
        SELECT 'u' || g.id::text, 'merge', g.undone_at, g.undone_by, g.undo_reason, NULL, NULL, NULL, NULL, NULL, NULL,
            'undone', g.id, NULL
        FROM app.idea_merges AS g WHERE g.target_id = :idea_id AND g.undone_at IS NOT NULL
        UNION ALL
        SELECT 'r' || r.id::text, 'change_request', r.requested_at, r.requested_by, r.text, NULL, NULL, NULL, NULL, NULL,
            NULL, NULL, NULL, NULL
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

    kind: Literal[
        "status",
        "version",
        "material",
        "change_request",
        "coins",
        "comment",
        "official_answer",
        "milestone",
        "attachment",
        "merge",
    ] = Field(
        description="merge: other ideas were merged into this one, or this was undone; of a merged idea it is a status"
    )
    at: datetime
    actor_id: UUID | None = Field(
        description="who did it, of coins: whose they are; null is the system, or the author of an anonymous idea"
    )
    actor_name: str | None = None
    by_author: bool = Field(default=False, description="the author of the idea did it as its author")
    reason: str | None = Field(
        None, description="of a status or version, or why an edit is material; the text of a change request"
    )
    from_status: Stored[Status] | None = Field(None, description="null for the submission")
    to_status: Stored[Status] | None = None
    reason_code: str | None = Field(None, description="of a rejection")
    version: int | None = Field(None, description="the number of the new version")
    restored_from: int | None = Field(None, description="the version that the new one repeats")
    grace_until: datetime | None = Field(
        None, description="of a material edit: until when backers could take coins back"
    )
    change: Literal["added", "changed", "done", "not_done", "deleted", "undone"] | None = Field(
        None, description="of a comment, official answer, milestone, attachment or merge: what happened to it"
    )
    object_id: UUID | None = Field(
        None,
        description="of a comment, milestone, attachment or merge: its id; of an official answer: that of the comment",
    )
    name: str | None = Field(
        None, description="of a milestone its title now, of an attachment its name; null if it was deleted"
    )
    movement: str | None = Field(None, description="allocate, reallocate or take_back")
    coins: int | None = Field(None, description="coins put on the idea; negative if they were taken from it")


async def list_history(
    session: AsyncSession,
    idea_id: UUID,
    *,
    coins_of: UUID | None,
    first_version: int,
    sees_requests: bool,
    sees_hidden: bool,
    limit: int,
    after: tuple[datetime, str] | None,
) -> list[tuple[HistoryEntry, tuple[datetime, str]]]:
    """Entries of an idea's history, newest first, each with its key for the cursor.

    `first_version` is the first one that the reader may see; later ones are listed. `coins_of` is the member whose movements of coins are listed; None lists those of all members. The caller checks the coin
    policy. Requests for changes are for the author and for those who see all ideas, and hidden comments for moderators; deleted
    comments are left out.
    """
    values = {
        "idea_id": idea_id,
        "first_version": max(first_version - 1, 1),
        "sees_requests": sees_requests,
        "sees_hidden": sees_hidden,
        "kinds": _KINDS,
        "limit": limit,
        "after_at": after[0] if after else None,
        "after_key": after[1] if after else None,
    }
    rows = (await session.execute(_ENTRIES, values)).mappings()
    found = [(HistoryEntry.model_validate(dict(row)), (row["at"], row["key"])) for row in rows]
    for moved in await list_idea_movements(session, idea_id, user_id=coins_of, limit=limit, after=after):
        entry = HistoryEntry(
            kind="coins", at=moved.effective_at, actor_id=moved.user_id, movement=moved.kind, coins=moved.coins
        )
        found.append((entry, (moved.effective_at, f"{KEY}{moved.transfer_id}")))
    found.sort(key=lambda each: each[1], reverse=True)
    return found[:limit]


def mark_entries(access: IdeaAccess, entries: Sequence[HistoryEntry]) -> None:
    """Mark what the author did as the author, and hide who they are if the reader may not know.

    What the author did by another role, such as a decision as a manager, is shown then like that of any other manager: a
    missing person would disclose the author's role. Coins belong to a backer, not to an author.
    """
    marked = [entry for entry in entries if entry.kind != "coins"]
    if author_of(access.campaign, access.idea) is None:
        marked = [entry for entry in marked if _is_of_an_author(entry)]
    mark_author(access, marked, actor_id="by_author")


def _is_of_an_author(entry: HistoryEntry) -> bool:
    """Whether an entry is of a kind that authors cause as such."""
    if entry.kind == "status":
        return entry.from_status is None or entry.to_status == Status.WITHDRAWN
    return entry.kind in {"version", "comment", "attachment"}
