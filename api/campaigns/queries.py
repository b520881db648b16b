"""Queries of campaigns and their members."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from sqlalchemy import exists, func, or_, select, tuple_

from api.auth import service as auth
from api.campaigns import errors
from api.campaigns.models import Campaign, Membership
from api.kernel.db import is_among

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.kernel.db import Statements


NOT_FOUND = "There is no campaign with this id that you may see."

Sort = Literal["newest", "title", "ends_at"]
Lock = Literal["read", "join", "change"]
# (read, key_share) of with_for_update: FOR KEY SHARE, FOR NO KEY UPDATE, FOR UPDATE
_LOCKS: dict[Lock, tuple[bool, bool]] = {"read": (True, True), "join": (False, True), "change": (False, False)}


@dataclass(frozen=True)
class Filters:
    """Which campaigns are listed; None does not filter.

    `words` are a part of the title, goal or description, in any case; `role` is that of the caller, or "any".
    """

    status: str | None = None
    kind: str | None = None
    slug: str | None = None
    words: str | None = None
    role: str | None = None


# campaigns without an end come last
_NO_END = datetime(9999, 12, 31, tzinfo=UTC)
# the sort key before the id, ascending; None sorts by the id alone, descending
_SORTS: dict[Sort, Any] = {
    "newest": None,
    "title": func.lower(Campaign.title),
    "ends_at": func.coalesce(Campaign.ends_at, _NO_END),
}


KEY_PARSERS: dict[Sort, tuple[Callable[[str], Any], ...]] = {
    "newest": (UUID,),
    "title": (str, UUID),
    "ends_at": (datetime.fromisoformat, UUID),
}
"""What reads the parts of the sort key in a cursor."""


_CAMPAIGN_AND_ROLE = f"""
    SELECT {", ".join(f"c.{column.name}" for column in Campaign.__table__.columns)}, (
        SELECT m.role FROM app.memberships AS m
        WHERE m.campaign_id = c.id AND m.user_id = %(user_id)s AND m.left_at IS NULL
    ) AS role
    FROM app.campaigns AS c WHERE c.id = %(campaign_id)s
"""  # noqa: S608 - the columns of the table


async def get_campaign(session: AsyncSession, campaign_id: UUID, *, lock: Lock | None = None) -> Campaign:
    """The campaign; with `lock`, its row is locked and then read again.

    `change` conflicts with every lock, `join` with `join` and `change`, `read` only with `change`: while `read` is
    held, status and dates do not change, and other transactions can hold `read` or `join`. Bulk commands on coins hold
    `read`, so members can join meanwhile.

    Raises:
        CampaignNotFound: there is no campaign with this id.
    """
    query = select(Campaign).where(Campaign.id == campaign_id)
    if lock is not None:
        is_shared, is_weak = _LOCKS[lock]
        query = query.with_for_update(read=is_shared, key_share=is_weak).execution_options(populate_existing=True)
    campaign = await session.scalar(query)
    if campaign is None:
        raise errors.CampaignNotFound(NOT_FOUND)
    return campaign


async def get_campaign_and_role(session: AsyncSession, campaign_id: UUID, user_id: UUID) -> tuple[Campaign, str | None]:
    """The campaign, and the role of the user's current membership in it, by one statement.

    Raises:
        CampaignNotFound: there is no campaign with this id.
    """
    role = (
        select(Membership.role)
        .where(Membership.campaign_id == Campaign.id, Membership.user_id == user_id, Membership.left_at.is_(None))
        .scalar_subquery()
    )
    row = (await session.execute(select(Campaign, role.label("role")).where(Campaign.id == campaign_id))).one_or_none()
    if row is None:
        raise errors.CampaignNotFound(NOT_FOUND)
    return row.Campaign, row.role


async def read_campaign_and_role(
    statements: Statements, campaign_id: UUID, user_id: UUID
) -> tuple[Campaign, str | None]:
    """As :func:`get_campaign_and_role`, for routes that are read very often. The campaign belongs to no session.

    Raises:
        CampaignNotFound: there is no campaign with this id.
    """
    rows = await statements.fetch(_CAMPAIGN_AND_ROLE, campaign_id=campaign_id, user_id=user_id)
    if not rows:
        raise errors.CampaignNotFound(NOT_FOUND)
    role: str | None = rows[0].pop("role")
    return Campaign(**rows[0]), role


async def find_campaign_by_slug(session: AsyncSession, slug: str) -> Campaign | None:
    """The campaign with this slug, or None."""
    found: Campaign | None = await session.scalar(select(Campaign).where(Campaign.slug == slug))
    return found


async def list_campaigns(
    session: AsyncSession,
    *,
    user_id: UUID,
    sees_all: bool,
    filters: Filters,
    sort: Sort = "newest",
    limit: int,
    after: tuple[Any, ...] | None,
) -> list[tuple[Campaign, str | None, tuple[object, ...]]]:
    """Campaigns that the user may see, each with the user's role in it and its sort key; `after` is that of the last row.

    A key has a value for each parser of :data:`KEY_PARSERS`. The database makes it, since it folds letters by its own rules.
    """
    mine = select(Membership.role).where(
        Membership.campaign_id == Campaign.id, Membership.user_id == user_id, Membership.left_at.is_(None)
    )
    query = select(Campaign, mine.scalar_subquery().label("role")).limit(limit)
    if not sees_all:
        query = query.where(or_(exists(mine), (Campaign.visibility == "open") & (Campaign.status != "draft")))
    for name in ("status", "kind", "slug"):
        if value := getattr(filters, name):
            query = query.where(getattr(Campaign, name) == value)
    if filters.words:
        texts = Campaign.title, Campaign.goal, Campaign.description
        query = query.where(or_(*(each.icontains(filters.words, autoescape=True) for each in texts)))
    if filters.role:
        query = query.where(exists(mine if filters.role == "any" else mine.where(Membership.role == filters.role)))
    key = _SORTS[sort]
    if key is not None:
        query = query.add_columns(key.label("key"))
    if key is None:
        query = query.order_by(Campaign.id.desc())
        if after:
            query = query.where(Campaign.id < after[-1])
    else:
        query = query.order_by(key, Campaign.id)
        if after:
            query = query.where(tuple_(key, Campaign.id) > after)
    return [
        (row.Campaign, row.role, (row.Campaign.id,) if key is None else (row.key, row.Campaign.id))
        for row in await session.execute(query)
    ]


async def find_membership(
    session: AsyncSession, campaign_id: UUID, user_id: UUID, *, lock: bool = False
) -> Membership | None:
    """The user's current membership in the campaign, or None; with `lock`, its row is locked and then read again."""
    query = select(Membership).where(
        Membership.campaign_id == campaign_id, Membership.user_id == user_id, Membership.left_at.is_(None)
    )
    if lock:
        query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    found: Membership | None = await session.scalar(query)
    return found


async def find_last_ends(session: AsyncSession, campaign_id: UUID, emails: Collection[str]) -> dict[str, datetime]:
    """When the last membership of each person with one of these addresses ended, by the address in lower case."""
    ids = await auth.find_ids_by_email(session, list(emails))
    rows = await session.execute(
        select(Membership.user_id, func.max(Membership.left_at))
        .where(Membership.campaign_id == campaign_id, is_among(Membership.user_id, list(ids.values())))
        .group_by(Membership.user_id)
    )
    ends: dict[UUID, datetime] = {row[0]: row[1] for row in rows if row[1] is not None}
    return {email: ends[user_id] for email, user_id in ids.items() if user_id in ends}


async def find_last_membership(session: AsyncSession, campaign_id: UUID, user_id: UUID) -> Membership | None:
    """The user's newest membership that has ended, or None."""
    found: Membership | None = await session.scalar(
        select(Membership)
        .where(Membership.campaign_id == campaign_id, Membership.user_id == user_id, Membership.left_at.is_not(None))
        .order_by(Membership.left_at.desc())
        .limit(1)
    )
    return found


async def list_managed_campaign_ids(session: AsyncSession, user_id: UUID) -> list[UUID]:
    """The campaigns that the user manages now."""
    return list(
        await session.scalars(
            select(Membership.campaign_id).where(
                Membership.user_id == user_id, Membership.role == "manager", Membership.left_at.is_(None)
            )
        )
    )
