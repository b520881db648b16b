"""Imports a roster: creates and updates accounts, and deactivates those of people who have left.

New accounts have no password and no confirmed address. Their owners log in by an identity provider, or set a password by a
link that is mailed to them ("Forgotten password?"); both confirm the address.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import func, select

from api.auth import lifecycle, service
from api.auth.errors import LastAdministrator, RosterDeactivatesMany
from api.auth.models import User
from api.auth.rosters.people import RosterPerson, RosterResult, Row
from api.auth.rosters.reading import find_repeated
from api.events import payloads
from api.events.service import record_events
from api.kernel.spreadsheets import Problem, refusal

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from settings import Settings

DEACTIVATED_PERCENT_MAX = 20


async def import_roster(
    session: AsyncSession,
    settings: Settings,
    rows: Sequence[Row],
    *,
    actor_id: UUID | None,
    deactivate_missing: bool = False,
    confirmed: bool = False,
) -> RosterResult:
    """Import the people in the session's transaction. With `deactivate_missing` the roster is complete.

    Raises:
        InvalidInput: an address or external id is there twice, or two accounts claim to be one person. The first 20 errors
            are listed.
        EmailTaken: an account with an address of the roster was created at the same moment.
        RosterDeactivatesMany: more than 20% of the active accounts would be deactivated, and `confirmed` is false.
    """
    await lifecycle.lock_administrators(session)
    accounts = await _find(session, rows)
    result = RosterResult()
    leaving: list[User] = []
    new: list[User] = []
    changed: dict[tuple[str, ...], list[UUID]] = defaultdict(list)
    for row, user in zip(rows, accounts, strict=True):
        person = row.person
        if user is None:
            if person.active:
                new.append(_account(person, actor_id))
            continue
        if user.deleted_at is not None:
            result.deleted += 1
            continue
        if (user.email or "").lower() != person.email.lower():
            result.other_addresses.append(person.email)
        if not person.active:
            leaving += [user] if user.is_active else []
        elif not user.is_active:
            result.still_deactivated.append(user.email or person.email)
        if fields := _update(user, person, actor_id):
            changed[fields].append(user.id)
        else:
            result.unchanged += 1
    result.updated = await _write_changes(session, changed, actor_id)
    await _create(session, new, actor_id)
    result.created = len(new)
    if deactivate_missing:
        leaving += await _missing(session, (*accounts, *new))
    await _deactivate(session, settings, leaving, actor_id, result, confirmed=confirmed)
    return result


async def _find(session: AsyncSession, rows: Sequence[Row]) -> list[User | None]:
    """The account of each person: by the external id, else by the address. Errors contain nothing of a deleted account.

    Raises:
        InvalidInput: an address or external id is there twice, or they lead to two accounts, or two people to one.
    """
    if problems := find_repeated(rows):
        raise refusal(problems)
    emails = [row.person.email.lower() for row in rows]
    ids = [row.person.external_id for row in rows if row.person.external_id is not None]
    found = (
        await session.scalars(
            select(User)
            .where(~User.is_imported, func.lower(User.email).in_(emails) | User.external_id.in_(ids))
            .order_by(User.id)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )
    ).all()
    by_email = {(user.email or "").lower(): user for user in found}
    by_id = {user.external_id: user for user in found if user.external_id is not None}
    problems = []
    accounts: list[User | None] = []
    taken: set[UUID] = set()
    for row in rows:
        line, person = row.line, row.person
        of_id = by_id.get(person.external_id) if person.external_id is not None else None
        of_email = by_email.get(person.email.lower())
        user = of_id or of_email
        if of_email is not None and of_email.deleted_at is not None:
            of_email = None  # a deleted account contradicts no external id
        if of_id is not None and of_email is not None and of_id is not of_email:
            owner = f"has the address {of_id.email}" if of_id.deleted_at is None else "is deleted"
            problem = f"the account with this external id {owner}, and {of_email.email} is another account"
            problems.append(Problem(line, "external_id", problem))
        elif of_id is None and of_email is not None and None not in {person.external_id, of_email.external_id}:
            problems.append(Problem(line, "external_id", f"the account with this address has {of_email.external_id}"))
        elif user is not None and user.id in taken:
            problems.append(Problem(line, "email", "an earlier line is the same account"))
        if user is not None:
            taken.add(user.id)
        accounts.append(user)
    if problems:
        raise refusal(problems)
    return accounts


def _account(person: RosterPerson, actor_id: UUID | None) -> User:
    return User(
        email=person.email,
        display_name=person.name,
        department=person.department,
        external_id=person.external_id,
        email_verified_at=None,
        created_by=actor_id,
        updated_by=actor_id,
    )


async def _create(session: AsyncSession, new: Sequence[User], actor_id: UUID | None) -> None:
    session.add_all(new)
    await service.flush_user(session)
    created = payloads.Created(roles=(), permissions=())
    await record_events(session, [(user.id, created) for user in new], actor_id=actor_id)


def _update(user: User, person: RosterPerson, actor_id: UUID | None) -> tuple[str, ...]:
    """Set what the roster says, and return the names of the changed fields; an empty field changes nothing."""
    given = {"display_name": person.name, "department": person.department, "external_id": person.external_id}
    changes = {name: value for name, value in given.items() if value is not None and value != getattr(user, name)}
    for name, value in changes.items():
        setattr(user, name, value)
    if changes:
        user.updated_by = actor_id
    return tuple(sorted(changes))


async def _write_changes(
    session: AsyncSession, changed: dict[tuple[str, ...], list[UUID]], actor_id: UUID | None
) -> int:
    """Write the changed accounts, which are grouped by the names of their fields, with an event each; returns how many."""
    await session.flush()
    for fields, user_ids in changed.items():
        payload = payloads.Updated(fields=fields)
        await record_events(session, [(user_id, payload) for user_id in user_ids], actor_id=actor_id)
    return sum(len(user_ids) for user_ids in changed.values())


async def _missing(session: AsyncSession, accounts: Iterable[User | None]) -> list[User]:
    """The active accounts of people who are not in the roster; `accounts` are those of its people."""
    present = {user.id for user in accounts if user is not None}
    found = await session.scalars(
        select(User).where(User.is_active, ~User.is_imported, User.email.is_not(None)).order_by(User.id)
    )
    return [user for user in found if user.id not in present]


async def _deactivate(
    session: AsyncSession,
    settings: Settings,
    leaving: Sequence[User],
    actor_id: UUID | None,
    result: RosterResult,
    *,
    confirmed: bool,
) -> None:
    emergency = (settings.sso.emergency_email or "").casefold()
    kept = [user for user in leaving if user.id == actor_id or (user.email or "").casefold() == emergency]
    chosen = [user for user in leaving if user not in kept]
    active = await session.scalar(
        select(func.count()).where(User.is_active, ~User.is_imported, User.email.is_not(None))
    )
    assert active is not None
    if not confirmed and len(chosen) * 100 > active * DEACTIVATED_PERCENT_MAX:
        raise RosterDeactivatesMany(len(chosen), active)
    try:
        await lifecycle.deactivate_users(session, chosen, actor_id=actor_id)
    except LastAdministrator:
        administrators = [user for user in chosen if lifecycle.is_administrator(user)]
        # one who can log in is enough
        last = [user for user in administrators if user.email_verified_at is not None][-1:] or administrators
        kept += last
        chosen = [user for user in chosen if user not in last]
        await lifecycle.deactivate_users(session, chosen, actor_id=actor_id)
    result.deactivated += [user.email or "" for user in chosen]
    result.kept += [user.email or "" for user in kept]
