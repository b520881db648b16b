"""The members of a campaign for its managers: filters, search and orders, in pages by the key of the last row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

from fastapi import Depends, Query
from sqlalchemy import case, exists, func, or_, select, tuple_
from sqlalchemy.orm import aliased

from api.auth import service as auth
from api.campaigns.attributes.values import get_defined
from api.campaigns.models import Membership
from api.campaigns.schemas import Role
from api.kernel.contract import raises
from api.kernel.dates import Moment
from api.kernel.errors import InvalidInput
from api.kernel.permissions import CampaignRole
from api.kernel.texts import Line

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

State = Literal["current", "left", "removed"]
Sort = Literal["joined", "-joined", "name", "role"]
_ATTRIBUTES_MAX = 10


@dataclass(frozen=True)
class MemberFilters:
    """Which members are listed; None does not filter.

    `q` is a part of the name or address, in any case. `attribute` has pairs of a key and a value; with the value "" the members
    have no value. Both moments are included.
    """

    role: str | None = None
    q: str | None = None
    state: State = "current"
    joined_from: datetime | None = None
    joined_until: datetime | None = None
    attribute: tuple[tuple[str, str], ...] = ()

    def names(self) -> tuple[str, ...]:
        """The names of the filters that are set."""
        return tuple(each.name for each in fields(self) if getattr(self, each.name) != each.default)


@dataclass(frozen=True)
class ListedMember:
    """A membership with name and address, and its sort key."""

    membership: Membership
    display_name: str
    email: str | None
    key: tuple[object, ...]


_RANK = case(
    {role.value: rank for rank, role in enumerate(CampaignRole)}, value=Membership.role, else_=len(CampaignRole)
)
_NAME = func.lower(auth.PEOPLE.c.display_name)
_SORTS: dict[Sort, tuple[Any, ...]] = {
    "joined": (Membership.joined_at, Membership.id),
    "-joined": (Membership.joined_at, Membership.id),
    "name": (_NAME, Membership.id),
    "role": (_RANK, Membership.joined_at, Membership.id),
}
_MOMENT: Callable[[str], Any] = datetime.fromisoformat
KEY_PARSERS: dict[Sort, tuple[Callable[[str], Any], ...]] = {
    "joined": (_MOMENT, UUID),
    "-joined": (_MOMENT, UUID),
    "name": (str, UUID),
    "role": (int, _MOMENT, UUID),
}
"""What reads the parts of the sort key in a cursor."""


async def list_members(
    session: AsyncSession,
    campaign_id: UUID,
    filters: MemberFilters | None = None,
    *,
    sort: Sort = "joined",
    limit: int,
    after: tuple[Any, ...] | None,
) -> list[ListedMember]:
    """Members with name and address; of those who have left, the last membership of each.

    Raises:
        InvalidInput: a filter has the key of an attribute that the campaign has not defined.
    """
    filters = filters or MemberFilters()
    if filters.attribute:
        await _check_keys(session, campaign_id, filters)
    people, key = auth.PEOPLE.c, _SORTS[sort]
    query = (
        select(Membership, people.display_name, people.email, *(part.label(f"key_{at}") for at, part in enumerate(key)))
        .join(auth.PEOPLE, people.id == Membership.user_id)
        .where(Membership.campaign_id == campaign_id, *_conditions(filters))
        .limit(limit)
    )
    if sort == "-joined":
        query = query.order_by(*(part.desc() for part in key))
        query = query.where(tuple_(*key) < tuple_(*after)) if after else query
    else:
        query = query.order_by(*key)
        query = query.where(tuple_(*key) > tuple_(*after)) if after else query
    return [ListedMember(row[0], row[1], row[2], tuple(row[3:])) for row in await session.execute(query)]


def _conditions(filters: MemberFilters) -> list[Any]:
    people = auth.PEOPLE.c
    conditions: list[Any] = []
    if filters.state == "current":
        conditions.append(Membership.left_at.is_(None))
    else:
        later = aliased(Membership)
        conditions += [
            Membership.left_at.is_not(None),
            Membership.was_removed.is_(filters.state == "removed"),
            ~exists(
                select(later.id).where(
                    later.campaign_id == Membership.campaign_id,
                    later.user_id == Membership.user_id,
                    later.left_at.is_(None) | (later.left_at > Membership.left_at),
                )
            ),
        ]
    if filters.role:
        conditions.append(Membership.role == filters.role)
    if filters.q:
        conditions.append(
            or_(*(column.icontains(filters.q, autoescape=True) for column in (people.display_name, people.email)))
        )
    if filters.joined_from:
        conditions.append(Membership.joined_at >= filters.joined_from)
    if filters.joined_until:
        conditions.append(Membership.joined_at <= filters.joined_until)
    for name, value in filters.attribute:
        conditions.append(
            Membership.attributes[name].astext == value if value else ~Membership.attributes.has_key(name)
        )
    return conditions


async def _check_keys(session: AsyncSession, campaign_id: UUID, filters: MemberFilters) -> None:
    defined = await get_defined(session, campaign_id)
    keys = [each.key for each in defined.definitions]
    for name, _ in filters.attribute:
        if keys and name not in keys:
            msg = f"attribute: {name!r} is no attribute of this campaign; its attributes are {', '.join(keys)}."
            raise InvalidInput(msg)


@raises(InvalidInput)
async def _filters(
    role: Annotated[Role | None, Query()] = None,
    q: Annotated[Line | None, Query(max_length=200, description="a part of the name or address, in any case")] = None,
    state: Annotated[
        State, Query(description="current: members; left, removed: those who left, or whom a manager removed")
    ] = "current",
    joined_from: Annotated[Moment | None, Query(description="joined at this moment or later")] = None,
    joined_until: Annotated[Moment | None, Query(description="joined at this moment or before")] = None,
    attribute: Annotated[
        list[Line] | None,
        Query(
            max_length=_ATTRIBUTES_MAX,
            description="key:value, such as department:Sales; with nothing after the colon, members without a value. All must apply",
        ),
    ] = None,
) -> MemberFilters:
    return MemberFilters(role, q, state, joined_from, joined_until, tuple(map(_pair, attribute or ())))


def _pair(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not name or not colon:
        msg = f"attribute: {text!r} is not of the form key:value, such as department:Sales."
        raise InvalidInput(msg)
    return name, value


FiltersQuery = Annotated[MemberFilters, Depends(_filters)]
"""The filters of the query."""
SortQuery = Annotated[
    Sort,
    Query(
        description="joined: the first first; -joined: the last first; role: managers first, in the order of joining"
    ),
]
