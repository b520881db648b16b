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
