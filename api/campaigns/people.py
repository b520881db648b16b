"""The people of a campaign as its members see them: names and roles, no addresses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import func, select, tuple_

from api.auth import service as auth
from api.campaigns.models import Membership
from api.kernel.permissions import GRANTS, CampaignRole, Permission

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.kernel.db import Statements


_APPROVING = [str(role) for role in CampaignRole if Permission.APPROVE_IDEAS in GRANTS[role]]
_OTHER_APPROVER = """
    SELECT EXISTS (
        SELECT FROM app.memberships AS m JOIN app.users AS u ON u.id = m.user_id AND u.is_active
        WHERE m.campaign_id = %(campaign_id)s AND m.left_at IS NULL AND m.role = ANY (CAST(%(roles)s AS text[]))
            AND m.user_id <> %(user_id)s
    ) AS is_found
"""


@dataclass(frozen=True)
class Person:
    """A current member of a campaign."""

    id: UUID
    display_name: str
    role: str
    folded: str  # the name as the database orders it


async def find_people(
    session: AsyncSession, campaign_id: UUID, words: str, *, limit: int, after: tuple[str, UUID] | None
) -> list[Person]:
    """Current members whose names contain `words`, in any case, ordered by name in lower case and id."""
    people = auth.PEOPLE.c
    folded = func.lower(people.display_name)
    query = (
        select(people.id, people.display_name, Membership.role, folded.label("folded"))
        .join(auth.PEOPLE, people.id == Membership.user_id)
        .where(Membership.campaign_id == campaign_id, Membership.left_at.is_(None))
        .where(people.display_name.icontains(words, autoescape=True))
        .order_by(folded, people.id)
        .limit(limit)
    )
    if after:
        query = query.where(tuple_(folded, people.id) > tuple_(*after))
    return [Person(row.id, row.display_name, row.role, row.folded) for row in await session.execute(query)]


async def has_other_approver(statements: Statements, campaign_id: UUID, user_id: UUID) -> bool:
    """Whether a member with an active account, other than this user, may approve ideas."""
    [row] = await statements.fetch(_OTHER_APPROVER, campaign_id=campaign_id, user_id=user_id, roles=_APPROVING)
    return bool(row["is_found"])


async def find_roles(session: AsyncSession, campaign_id: UUID, user_ids: Iterable[UUID]) -> dict[UUID, str]:
    """The campaign role of each of these users who is a member now."""
    query = select(Membership.user_id, Membership.role).where(
        Membership.campaign_id == campaign_id, Membership.left_at.is_(None), Membership.user_id.in_(list(user_ids))
    )
    return {row.user_id: row.role for row in await session.execute(query)}
