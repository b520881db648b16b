"""Saved views of lists of ideas: a query with a name, of one member, or shared with the campaign by a manager."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, or_, select, text

from api.ideas.labels import get_defined
from api.ideas.lists import errors
from api.ideas.lists.grammar import InvalidFilter, Query, canonical, parse
from api.ideas.lists.models import IdeaView
from api.kernel.ids import uuid7
from api.kernel.permissions import Permission

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.campaigns.dependencies import Access
    from api.kernel.db import Statements

OWN_VIEWS_MAX = 50
SHARED_VIEWS_MAX = 50

_NOT_FOUND = "There is no view with this id in the campaign that you may see."
_FIND = """
    SELECT v.query, v.name FROM app.idea_views AS v
    WHERE v.id = %(view_id)s AND v.campaign_id = %(campaign_id)s AND (v.is_shared OR v.owner_id = %(user_id)s)
"""
# serialises the writes of views of a campaign: their names and their number are checked before
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('idea_views ' || :campaign_id, 0))")


@dataclass(frozen=True)
class Saved:
    """A saved view that the caller uses."""

    name: str
    query: str


def query_of(saved: str) -> tuple[Query, str | None]:
    """The query of a view, and why it cannot be read: a later version may have other keys and values."""
    try:
        return parse(saved), None
    except InvalidFilter as error:
        return Query(), error.detail


async def find_view(statements: Statements, access: Access, view_id: UUID) -> Saved:
    """A view that the caller may use: an own one, or one that is shared.

    Raises:
        ViewNotFound: there is none with this id.
    """
    rows = await statements.fetch(_FIND, view_id=view_id, campaign_id=access.campaign.id, user_id=access.caller.user_id)
    if not rows:
        raise errors.ViewNotFound(_NOT_FOUND)
    return Saved(rows[0]["name"], rows[0]["query"])


async def list_views(session: AsyncSession, access: Access) -> list[tuple[IdeaView, str | None]]:
    """The caller's views and the shared ones, by name, each with what is wrong with its query."""
    rows: Sequence[IdeaView] = (
        await session.scalars(
            select(IdeaView)
            .where(
                IdeaView.campaign_id == access.campaign.id,
                or_(IdeaView.is_shared, IdeaView.owner_id == access.caller.user_id),
            )
            .order_by(IdeaView.is_shared, func.lower(IdeaView.name), IdeaView.id)
        )
    ).all()
    defined = {tag.name.lower() for tag in (await get_defined(session, access.campaign.id)).tags} if rows else set()
    return [(row, _find_problem(row.query, defined)) for row in rows]


def _find_problem(saved: str, defined: set[str]) -> str | None:
    query, problem = query_of(saved)
    if problem is not None or not defined:
        return problem
    names = {name for key in ("tag", "category") for name in query.filter.values_of(key)}
    unknown = sorted(name for name in names if name.lower() not in defined)
    return f"The campaign has no tag {', '.join(map(repr, unknown))}." if unknown else None


async def create_view(session: AsyncSession, access: Access, *, name: str, query: str, is_shared: bool) -> IdeaView:
    """Save a view.

    Raises:
        InvalidFilter: the query is not valid.
        SharingNotAllowed: the caller may not share views.
        ViewNameTaken: there is a view with this name.
        TooManyViews: there are too many.
    """
    saved = canonical(query)
    if is_shared:
        _check_may_share(access)
    await _lock(session, access)
    view = IdeaView(
        id=uuid7(),
        campaign_id=access.campaign.id,
        owner_id=access.caller.user_id,
        name=name,
        query=saved,
        is_shared=is_shared,
    )
    await _check_place(session, view)
    session.add(view)
    await session.flush()
    return view


async def edit_view(session: AsyncSession, access: Access, view_id: UUID, changes: dict[str, Any]) -> IdeaView:
    """Change the name or the query of a view, or whether it is shared.

    Raises:
        ViewNotFound: the caller sees no view with this id.
        InvalidFilter: the query is not valid.
        SharingNotAllowed: the view is shared or would be, and the caller may not share views.
        ViewNameTaken: there is a view with this name.
        TooManyViews: there are too many.
    """
    await _lock(session, access)
    view = await _get(session, access, view_id)
    if view.is_shared or changes.get("is_shared"):
        _check_may_share(access)
    if "query" in changes:
        changes = {**changes, "query": canonical(changes["query"])}
    is_moved = changes.get("is_shared", view.is_shared) != view.is_shared
    if is_moved and view.owner_id != access.caller.user_id:
        msg = "Only the person who made the view ends its sharing; managers can delete it."
        raise errors.SharingNotAllowed(msg, permission=Permission.MANAGE_IDEAS)
    for name, value in changes.items():
        setattr(view, name, value)
    await _check_place(session, view, is_new=is_moved)
    await session.flush()
    return view


async def delete_view(session: AsyncSession, access: Access, view_id: UUID) -> None:
    """Delete a view.

    Raises:
        ViewNotFound: the caller sees no view with this id.
        SharingNotAllowed: the view is shared, and the caller may not share views.
    """
    view = await _get(session, access, view_id)
    if view.is_shared:
        _check_may_share(access)
    await session.execute(delete(IdeaView).where(IdeaView.id == view.id))


async def _lock(session: AsyncSession, access: Access) -> None:
    await session.execute(_LOCK, {"campaign_id": str(access.campaign.id)})


async def _get(session: AsyncSession, access: Access, view_id: UUID) -> IdeaView:
    view: IdeaView | None = await session.scalar(
        select(IdeaView).where(
            IdeaView.id == view_id,
            IdeaView.campaign_id == access.campaign.id,
            or_(IdeaView.is_shared, IdeaView.owner_id == access.caller.user_id),
        )
    )
    if view is None:
        raise errors.ViewNotFound(_NOT_FOUND)
    return view


def _check_may_share(access: Access) -> None:
    if not access.may(Permission.MANAGE_IDEAS):
        msg = "Only managers of the campaign share views with it, and change shared ones."
        raise errors.SharingNotAllowed(msg, permission=Permission.MANAGE_IDEAS)


async def _check_place(session: AsyncSession, view: IdeaView, *, is_new: bool = True) -> None:
    """Check the name and the number among the shared views of the campaign, or the own ones of the owner."""
    among = [IdeaView.campaign_id == view.campaign_id, IdeaView.is_shared == view.is_shared, IdeaView.id != view.id]
    if not view.is_shared:
        among.append(IdeaView.owner_id == view.owner_id)
    with session.no_autoflush:
        others: Sequence[str] = (await session.scalars(select(func.lower(IdeaView.name)).where(*among))).all()
        lowered = await session.scalar(select(func.lower(view.name)))
    if lowered in others:
        whose = "The campaign has a shared view" if view.is_shared else "You have a view"
        msg = f"{whose} with the name {view.name!r}."
        raise errors.ViewNameTaken(msg)
    limit = SHARED_VIEWS_MAX if view.is_shared else OWN_VIEWS_MAX
    if is_new and len(others) >= limit:
        msg = (
            f"There are at most {limit} {'shared' if view.is_shared else 'own'} views in a campaign; delete one first."
        )
        raise errors.TooManyViews(msg, limit=limit)
