"""Accounts with their roles and permissions. Log-ins are in :mod:`api.auth.sessions`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import UUID

from email_validator import validate_email
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from api.auth.errors import BadEmail, EmailTaken, RegistrationClosed
from api.auth.models import TOKENS_REVOKED, User, UserSession
from api.auth.passwords import Passwords, check_strength, hash_password
from api.events import payloads
from api.events.service import record_event
from api.kernel import clock
from api.kernel.db import signal_commit
from api.kernel.errors import InvalidInput, NotFound
from api.kernel.permissions import ASSIGNABLE, SystemRole
from api.kernel.texts import single_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

    from settings import Settings

NAME_LENGTH_MAX = 200
# names and addresses, to be joined by queries of other domains
PEOPLE = select(User.id, User.display_name, User.email).subquery("people")


async def register_user(
    session: AsyncSession, settings: Settings, passwords: Passwords, *, email: str, display_name: str, password: str
) -> str:
    """Create an account without roles and permissions, at the request of its owner; returns its address.

    If the address has an account, nothing changes except that an event records the attempt for its owner. The caller is
    not told, since that would reveal who has an account.

    Raises:
        RegistrationClosed: the setting `registration` is not `open`.
        BadEmail, WeakPassword: as :func:`create_user`.
        PasswordsBusy: too many passwords are waiting for their hash.
    """
    if settings.auth.registration != "open":
        raise RegistrationClosed
    email = check_email(email)
    check_strength(password, email=email, display_name=display_name)
    # before the first statement, so that no connection is held meanwhile
    password_hash = await passwords.hash(password)
    user = User(email=email, display_name=display_name, password_hash=password_hash)
    try:
        async with session.begin_nested():
            await _add(session, user)
    except EmailTaken:
        owner_id = await session.scalar(select(User.id).where(func.lower(User.email) == func.lower(email)))
        await record_event(session, payloads.RegistrationRepeated(), actor_id=None, user_id=owner_id)
    else:
        await record_event(session, payloads.Registered(), actor_id=user.id, user_id=user.id)
    return email


async def create_user(
    session: AsyncSession,
    *,
    email: str | None,
    display_name: str,
    password: str | None = None,
    roles: Iterable[str] = (),
    permissions: Iterable[str] = (),
    actor_id: UUID | None = None,
) -> User:
    """Create an account; without a password its owner cannot log in.

    Raises:
        BadEmail: this is not an e-mail address, or there is a password without an address.
        WeakPassword: see :func:`api.auth.passwords.check_strength`.
        InvalidInput: a role or permission does not exist, or the name is empty or longer than 200 characters.
        EmailTaken: an account with this address exists.
    """
    _check_known("role", roles := sorted(set(roles)), SystemRole)
    _check_known("permission", permissions := sorted(set(permissions)), ASSIGNABLE)
    if email is not None:
        email = check_email(email)
    elif password is not None:
        msg = "A user with a password needs an e-mail address to log in with."
        raise BadEmail(msg)
    password_hash = None
    if password is not None:
        check_strength(password, email=email, display_name=display_name)
        password_hash = await asyncio.to_thread(hash_password, password)
    user = User(
        email=email,
        display_name=display_name,
        password_hash=password_hash,
        roles=roles,
        permissions=permissions,
        created_by=actor_id,
        updated_by=actor_id,
    )
    await _add(session, user)
    await record_event(
        session,
        payloads.Created(roles=tuple(roles), permissions=tuple(permissions)),
        actor_id=actor_id,
        user_id=user.id,
    )
    return user


async def update_user(session: AsyncSession, user: User, *, actor_id: UUID, changes: dict[str, Any]) -> User:
    """Change fields by name; equal values change nothing. The event has the names of the fields, not their values."""
    changed = {name: value for name, value in changes.items() if value != getattr(user, name)}
    if changed:
        for name, value in changed.items():
            setattr(user, name, value)
        user.updated_by = actor_id
        await session.flush()
        await record_event(session, payloads.Updated(fields=tuple(sorted(changed))), actor_id=actor_id, user_id=user.id)
    return user


async def deactivate_user(session: AsyncSession, user: User, *, actor_id: UUID | None) -> None:
    """End the user's sessions and refuse new log-ins; the user's ideas, coins and memberships are kept."""
    user.is_active = False
    user.updated_by = actor_id
    await session.flush()
    await session.refresh(user, ["token_version"])  # a trigger raises it
    await record_event(session, payloads.Deactivated(), actor_id=actor_id, user_id=user.id)
    await end_all_sessions(session, user, actor_id=actor_id)


async def end_all_sessions(session: AsyncSession, user: User, *, actor_id: UUID | None) -> None:
    """End all sessions of the user; all access tokens issued before become invalid."""
    user.token_version = User.token_version + 1
    user.updated_by = actor_id
    await session.flush()
    await session.refresh(user, ["token_version", "updated_at"])
    await session.execute(
        update(UserSession)
        .where(UserSession.user_id == user.id, UserSession.revoked_at.is_(None))
        .values(revoked_at=clock.now())
        .execution_options(synchronize_session=False)
    )
    signal_commit(session, TOKENS_REVOKED)
    await record_event(session, payloads.SessionsEnded(), actor_id=actor_id, user_id=user.id)


async def get_user(session: AsyncSession, user_id: UUID) -> User:
    """The user.

    Raises:
        NotFound: there is no user with this id.
    """
    user = await session.get(User, user_id)
    if user is None:
        msg = f"There is no user {user_id}."
        raise NotFound(msg)
    return user


async def add_names(session: AsyncSession, rows: Sequence[object], **fields: str) -> None:
    """Set the display names of people in response models: `fields` are fields with an id and the fields for the name."""
    ids = {getattr(row, id_field) for row in rows for id_field in fields} - {None}
    if not ids:
        return
    found = await session.execute(select(User.id, User.display_name).where(User.id.in_(ids)))
    names = {user.id: user.display_name for user in found}
    for row in rows:
        for id_field, name_field in fields.items():
            setattr(row, name_field, names.get(getattr(row, id_field)))


async def find_user_by_email(session: AsyncSession, email: str) -> User | None:
    """The user with this address, in upper or lower case, or None."""
    if "\0" in email:  # a form may contain it, and PostgreSQL cannot store it
        return None
    return await session.scalar(select(User).where(func.lower(User.email) == func.lower(email)))


async def find_ids_by_email(session: AsyncSession, emails: Sequence[str]) -> dict[str, UUID]:
    """The ids of the users with these addresses, by the address in lower case; unknown addresses are omitted."""
    if not emails:
        return {}
    lowered = func.lower(User.email)
    wanted = {email.lower() for email in emails if "\0" not in email}
    rows = await session.execute(select(lowered.label("email"), User.id).where(lowered.in_(wanted)))
    return {row.email: row.id for row in rows}


def check_email(email: str) -> str:
    """The address with its domain in lower case. The domain is not looked up.

    Raises:
        BadEmail: this is not an e-mail address.
    """
    try:
        return validate_email(single_line(email), check_deliverability=False, test_environment=True).normalized
    except ValueError as error:  # of the text, or of the address
        raise BadEmail(str(error)) from error


async def _add(session: AsyncSession, user: User) -> None:
    try:
        user.display_name = single_line(user.display_name)
    except ValueError as error:
        msg = f"The name {error}."
        raise InvalidInput(msg) from error
    if not 1 <= len(user.display_name) <= NAME_LENGTH_MAX:
        msg = f"A name must have 1 to {NAME_LENGTH_MAX} characters."
        raise InvalidInput(msg)
    session.add(user)
    try:
        await session.flush()
    except IntegrityError as error:
        if getattr(getattr(error.orig, "diag", None), "constraint_name", None) == "uq_users_email_lower":
            raise EmailTaken from error
        raise


def _check_known(what: str, given: Iterable[str], known: Iterable[str]) -> None:
    unknown = sorted(set(given) - set(known))
    if unknown:
        msg = f"There is no {what} {', '.join(unknown)}; expected: {', '.join(sorted(known))}."
        raise InvalidInput(msg)
