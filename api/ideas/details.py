"""A single idea as the caller may see it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sqlalchemy import select

from api.auth import service as auth
from api.coins import service as coins
from api.ideas import versions
from api.ideas.authors import sees_authors
from api.ideas.lists.statements import READABLE
from api.ideas.models import Idea, IdeaChangeRequest
from api.ideas.next_steps import find_next_steps
from api.ideas.rows import Reader, row_values, select_row
from api.ideas.schemas import ChangeRequestRead, IdeaDetail
from api.ideas.steps import PUBLIC, Status
from api.ideas.texts import render_markdown
from api.kernel.db import statements_of
from api.kernel.permissions import Permission

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.campaigns.dependencies import Access
    from api.ideas.dependencies import IdeaAccess

_ROW = f"{select_row(is_exact=True)} WHERE i.id = %(idea_id)s"
_MERGES = f"""
    SELECT i.id, i.merged_into_id FROM app.ideas AS i
    WHERE i.id = %(idea_id)s OR (i.merged_into_id = %(idea_id)s AND {READABLE})
    ORDER BY i.submitted_at, i.id
"""  # noqa: S608 - a constant
_RENDERED_HERE_MAX = 2_000


async def read_idea(session: AsyncSession, access: Access, idea_id: UUID) -> IdeaDetail:
    """An idea that the caller may see, with its exact totals."""
    values = row_values(Reader.of(access, await find_next_steps(session, access)))
    await session.flush()
    [idea] = await (await statements_of(session)).fetch(_ROW, idea_id=idea_id, **values)
    is_pending = idea["status"] == Status.PENDING
    earlier_id, later_id = await _find_links(session, access, idea_id, is_anonymous=idea["is_anonymous"])
    merged_into_id, merged_ids = await _find_merges(session, access, idea_id)
    grace = await coins.find_grace(session, idea_id, user_id=access.caller.user_id)
    return IdeaDetail(
        **idea,
        description_html=await _render(idea["description"]),
        grace_until=grace.until if grace else None,
        resubmitted_from_id=earlier_id,
        resubmitted_as_id=later_id,
        merged_into_id=merged_into_id,
        merged_ids=merged_ids,
        change_request=await _find_change_request(session, idea_id) if is_pending else None,
    )


async def find_first_shown(session: AsyncSession, access: IdeaAccess) -> int:
    """The number of the first version that the caller may see: others than its author see the text from the approval on."""
    return 1 if access.may(Permission.VIEW_ALL_IDEAS) else await versions.find_first_shown(session, access.idea)


async def _render(description: str) -> str:
    """The rendered text; a long one takes up to half a second, in which the process serves other requests."""
    if len(description) <= _RENDERED_HERE_MAX:
        return render_markdown(description)
    return await asyncio.to_thread(render_markdown, description)


async def _find_links(
    session: AsyncSession, access: Access, idea_id: UUID, *, is_anonymous: bool
) -> tuple[UUID | None, UUID | None]:
    """The idea that this one submits again, and the one that submits this one again, if the caller may see them.

    A link between an anonymous idea and one with a name would disclose the author.
    """
    of_this = select(Idea.resubmitted_from_id).where(Idea.id == idea_id).scalar_subquery()
    rows = await session.execute(
        select(Idea.id, Idea.author_id, Idea.status, Idea.is_anonymous, Idea.resubmitted_from_id).where(
            (Idea.id == of_this) | (Idea.resubmitted_from_id == idea_id)
        )
    )
    earlier_id = later_id = None
    for row in rows:
        is_author = row.author_id == access.caller.user_id
        sees_all = access.may(Permission.VIEW_ALL_IDEAS) and row.status != Status.DRAFT
        discloses = row.is_anonymous != is_anonymous and not sees_authors(access)
        if is_author or ((sees_all or row.status in PUBLIC) and not discloses):
            if row.resubmitted_from_id == idea_id:
                later_id = row.id
            else:
                earlier_id = row.id
    return earlier_id, later_id


async def _find_merges(session: AsyncSession, access: Access, idea_id: UUID) -> tuple[UUID | None, list[UUID]]:
    """The idea that this one was merged into, and those merged into this one that the caller may see."""
    values = {
        "idea_id": idea_id,
        "user_id": access.caller.user_id,
        "sees_all": access.may(Permission.VIEW_ALL_IDEAS),
    }
    rows = await (await statements_of(session)).fetch(_MERGES, **values)
    into = next((row["merged_into_id"] for row in rows if row["id"] == idea_id), None)
    return into, [row["id"] for row in rows if row["id"] != idea_id]


async def _find_change_request(session: AsyncSession, idea_id: UUID) -> ChangeRequestRead | None:
    found = await session.scalar(
        select(IdeaChangeRequest).where(IdeaChangeRequest.idea_id == idea_id, IdeaChangeRequest.ended_at.is_(None))
    )
    if found is None:
        return None
    request = ChangeRequestRead.model_validate(found)
    await auth.add_names(session, [request], requested_by="requested_by_name")
    return request
