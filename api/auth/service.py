"""Accounts: who they are and what they may. Log-ins are in :mod:`api.auth.sessions`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from api.auth.errors import BadEmail, EmailTaken, RegistrationClosed
from api.auth.models import User, UserSession
from api.auth.passwords import Passwords, check_strength, hash_password
from api.events import payloads
from api.events.service import record_event
from api.kernel import clock
from api.kernel.errors import InvalidInput, NotFound
from api.kernel.permissions import ASSIGNABLE, SystemRole

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.ext.asyncio import AsyncSession

    from settings import Settings

NAME_LENGTH_MAX = 200


async def register_user(
    session: AsyncSession, settings: Settings, passwords: Passwords, *, email: str, display_name: str, password: str
) -> User:
    """Make an account for oneself, without roles and permissions.

    Raises:
        RegistrationClosed: the setting `registration` says so.
        BadEmail, WeakPassword: as :func:`create_user`.
        EmailTaken: there is an account with this address.
        PasswordsBusy: too many passwords are waiting for their hash.
    """
    if settings.auth.registration != "open":
        raise RegistrationClosed
    email = check_email(email)
    check_strength(password, email=email, display_name=display_name)
    # hashed before the first statement: no connection is held meanwhile
    password_hash = await passwords.hash(password)
    user = User(email=email, display_name=display_name, password_hash=password_hash)
    await _add(session, user)
    await record_event(session, payloads.Registered(), actor_id=user.id, user_id=user.id)
    return user


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
    """Make an account for somebody; without a password they cannot log in.

    Raises:
        BadEmail: this is no e-mail address, or there is a password and no address.
        WeakPassword: see :func:`api.auth.passwords.check_strength`.
        InvalidInput: a role or a permission that there is not, or a name that is empty or longer than 200 characters.
        EmailTaken: there is an account with this address.
    """
    _check_known("role", roles := sorted(set(roles)), SystemRole)
    _check_known("permission", permissions := sorted(set(permissions)), ASSIGNABLE)
    if email is not None:
        email = check_email(email)
    elif password is not None:
        msg = "Who has a password needs an e-mail address to log in with."
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


async def update_user(session: AsyncSession, user: User, *, actor_id: UUID, display_name: str | None = None) -> User:
    """Change what is given. The event names the fields and not what was in them."""
    changed: dict[str, Any] = {}
    if display_name is not None and display_name != user.display_name:
        changed["display_name"] = display_name
    if changed:
        for name, value in changed.items():
            setattr(user, name, value)
        user.updated_by = actor_id
        await session.flush()
        await record_event(session, payloads.Updated(fields=tuple(sorted(changed))), actor_id=actor_id, user_id=user.id)
    return user


async def deactivate_user(session: AsyncSession, user: User, *, actor_id: UUID | None) -> None:
    """Keep somebody out from now on; what they made stays, and so do their coins."""
    user.is_active = False
    user.updated_by = actor_id
    await session.flush()
    await record_event(session, payloads.Deactivated(), actor_id=actor_id, user_id=user.id)
    await end_all_sessions(session, user, actor_id=actor_id)


async def end_all_sessions(session: AsyncSession, user: User, *, actor_id: UUID | None) -> None:
    """Log somebody out everywhere; access tokens issued before are refused wherever the database is asked."""
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
    await record_event(session, payloads.SessionsEnded(), actor_id=actor_id, user_id=user.id)


async def get_user(session: AsyncSession, user_id: UUID) -> User:
    """The user.

    Raises:
        NotFound: there is none with this id.
    """
    user = await session.get(User, user_id)
    if user is None:
        msg = f"There is no user {user_id}."
        raise NotFound(msg)
    return user


async def find_user_by_email(session: AsyncSession, email: str) -> User | None:
    """The user with this address in whatever case, or None."""
    if "\0" in email:  # a form may send it, and PostgreSQL has no such text
        return None
    return await session.scalar(select(User).where(func.lower(User.email) == func.lower(email)))


def check_email(email: str) -> str:
    """The address with its domain in lower case. No name is looked up.

    Raises:
        BadEmail: this is no address.
    """
    try:
        return validate_email(email, check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError as error:
        raise BadEmail(str(error)) from error


async def _add(session: AsyncSession, user: User) -> None:
    if not 1 <= len(user.display_name) <= NAME_LENGTH_MAX or "\0" in user.display_name:
        msg = f"A name has 1 to {NAME_LENGTH_MAX} characters."
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
        msg = f"There is no {what} {', '.join(unknown)}; there are {', '.join(sorted(known))}."
        raise InvalidInput(msg)
