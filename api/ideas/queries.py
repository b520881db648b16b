"""Reading ideas by their ids, and the rules of drafts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, text

from api.ideas import errors
from api.ideas.models import Idea
from api.ideas.steps import Status

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

NOT_FOUND = "There is no idea with this id that you may see."
_WAS_COMPETING = text("SELECT EXISTS (SELECT FROM app.coin_targets AS t WHERE t.idea_id = :idea_id)")
# a chain of merges: the target of one was merged later
_MERGED_INTO = text(
    """
    WITH RECURSIVE led (id, step) AS (
        SELECT CAST(:idea_id AS uuid), 0
        UNION ALL
        SELECT i.merged_into_id, l.step + 1 FROM led AS l JOIN app.ideas AS i ON i.id = l.id
        WHERE i.merged_into_id IS NOT NULL
    )
    SELECT l.id FROM led AS l ORDER BY l.step DESC LIMIT 1
    """
)
_STATUSES = text("SELECT id, status FROM app.ideas WHERE id = ANY (:idea_ids)")


async def get_idea(session: AsyncSession, idea_id: UUID, *, lock: bool = False) -> Idea:
    """The idea; with `lock`, its row is locked and then read again.

    Raises:
        IdeaNotFound: there is no idea with this id.
    """
    query = select(Idea).where(Idea.id == idea_id)
    idea = await session.scalar(
        query.with_for_update(key_share=True).execution_options(populate_existing=True) if lock else query
    )
    if idea is None:
        raise errors.IdeaNotFound(NOT_FOUND)
    return idea


async def was_competing(session: AsyncSession, idea_id: UUID) -> bool:
    """Whether the idea was open for coins once, so that everyone who sees the campaign has seen it."""
    return bool(await session.scalar(_WAS_COMPETING, {"idea_id": idea_id}))


async def find_merged_into(session: AsyncSession, idea_id: UUID) -> UUID:
    """The idea that an address leads to now: that into which the idea was merged, and so on; otherwise the idea itself."""
    found: UUID = await session.scalar(_MERGED_INTO, {"idea_id": idea_id})
    return found


def check_submitted(idea: Idea) -> None:
    """Refuse a draft.

    Raises:
        NotSubmitted: the idea is one.
    """
    if idea.status == Status.DRAFT:
        msg = "The idea is a draft, which only its author sees; submit it first."
        raise errors.NotSubmitted(msg)


async def find_statuses(session: AsyncSession, idea_ids: Sequence[UUID]) -> dict[UUID, str]:
    """The statuses of these ideas by id; unknown ids are omitted."""
    rows = await session.execute(_STATUSES, {"idea_ids": list(idea_ids)})
    return {row.id: row.status for row in rows}
