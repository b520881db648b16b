"""Accounts: creating them, finding them, and their names and addresses.

Their rights and their end are in :mod:`api.auth.lifecycle`, log-ins in :mod:`api.auth.log_ins`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from email_validator import validate_email
from sqlalchemy import case, func, null, select
from sqlalchemy.exc import IntegrityError

from api.auth.account_mails import cancel_links
from api.auth.errors import BadEmail, EmailTaken
from api.auth.models import User
from api.auth.passwords import check_hash, check_strength, hash_password
from api.events import payloads
from api.events.service import record_event
from api.kernel import clock
from api.kernel.db import Statements, statements_of
from api.kernel.errors import InvalidInput, NotFound
from api.kernel.permissions import ASSIGNABLE, SystemRole
from api.kernel.texts import single_line

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from sqlalchemy.ext.asyncio import AsyncSession


NAME_LENGTH_MAX = 200
DELETED_NAME = "Deleted user"
# names and addresses, to be joined by queries of other domains
_SHOWN_NAME = case((User.deleted_at.is_(None), User.display_name), else_=DELETED_NAME).label("display_name")
PEOPLE = select(
    User.id, _SHOWN_NAME, case((User.deleted_at.is_(None), User.email), else_=null()).label("email"), User.is_active
).subquery("people")


_NAMES: Final = """
    SELECT u.id, CASE WHEN u.deleted_at IS NULL THEN u.display_name ELSE %(deleted_name)s END AS name
    FROM app.users AS u WHERE u.id = ANY (%(ids)s)
    UNION ALL
    SELECT a.id, a.name FROM app.service_accounts AS a WHERE a.id = ANY (%(ids)s)
"""
_OWN_ACCOUNT: Final = """
    SELECT u.id, u.email, u.display_name, u.roles, u.permissions, u.language, u.time_zone, u.department, u.created_at
    FROM app.users AS u
    WHERE u.id = %(user_id)s
"""


async def create_user(
    session: AsyncSession,
    *,
    email: str | None,
    display_name: str,
    password: str | None = None,
    password_hash: str | None = None,
    roles: Iterable[str] = (),
    permissions: Iterable[str] = (),
    actor_id: UUID | None = None,
) -> User:
    """Create an account whose address counts as verified; without a password its owner cannot log in.

    `password_hash` is the hash of another system, instead of the password. An account that was registered with this
    address and never confirmed loses it.

    Raises:
        BadEmail: this is not an e-mail address, or there is a password without an address.
        WeakPassword: see :func:`api.auth.passwords.check_strength`.
        InvalidInput: a role or permission does not exist, the name is empty or longer than 200 characters, or the hash is
            none of bcrypt or argon2id.
        EmailTaken: an account with this address exists.
    """
    check_known("role", roles := sorted(set(roles)), SystemRole)
    check_known("permission", permissions := sorted(set(permissions)), ASSIGNABLE)
    if email is not None:
        email = check_email(email)
    elif password is not None or password_hash is not None:
        msg = "A user with a password needs an e-mail address to log in with."
        raise BadEmail(msg)
    if password_hash is not None:
        check_hash(password_hash)
    if password is not None:
        check_strength(password, email=email, display_name=display_name)
        password_hash = await asyncio.to_thread(hash_password, password)
    user = User(
        email=email,
        display_name=display_name,
        password_hash=password_hash,
        email_verified_at=clock.now() if email is not None else None,
        roles=roles,
        permissions=permissions,
        created_by=actor_id,
        updated_by=actor_id,
    )
    await _release_address(session, email)
    await _add(session, user)
    await record_event(
        session,
        payloads.Created(roles=tuple(roles), permissions=tuple(permissions)),
        actor_id=actor_id,
        user_id=user.id,
    )
    return user


async def update_user(session: AsyncSession, user: User, *, actor_id: UUID | None, changes: dict[str, Any]) -> User:
    """Change fields by name; equal values change nothing. The event has the names of the fields, not their values."""
    changed = {name: value for name, value in changes.items() if value != getattr(user, name)}
    if changed:
        for name, value in changed.items():
            setattr(user, name, value)
        user.updated_by = actor_id
        await session.flush()
        await record_event(session, payloads.Updated(fields=tuple(sorted(changed))), actor_id=actor_id, user_id=user.id)
    return user


async def get_user(session: AsyncSession, user_id: UUID) -> User:
    """The user.

    Raises:
        NotFound: there is no user with this id.
    """
    user = await session.get(User, user_id)
    if user is None:
        raise _unknown(user_id)
    return user


async def find_own_account(statements: Statements, user_id: UUID) -> dict[str, Any]:
    """The fields of the user that its owner reads.

    Raises:
        NotFound: there is no user with this id.
    """
    rows = await statements.fetch(_OWN_ACCOUNT, user_id=user_id)
    if not rows:
        raise _unknown(user_id)
    return rows[0]


async def get_user_for_change(session: AsyncSession, user_id: UUID) -> User:
    """The user, locked against other changes of the account by its owner.

    Raises:
        NotFound: there is no user with this id.
    """
    user = await session.get(User, user_id, with_for_update={"key_share": True}, populate_existing=True)
    if user is None:
        raise _unknown(user_id)
    return user


async def list_users(
    session: AsyncSession,
    *,
    q: str = "",
    is_active: bool | None = None,
    role: str | None = None,
    is_deleted: bool = False,
    after: tuple[UUID] | None = None,
    limit: int,
) -> Sequence[User]:
    """People with an account whose name or address contains `q`, the newest first, after the user with the id `after`.

    Deleted users are in their own list, `is_deleted`.
    """
    found = select(User).where(
        ~User.is_imported, User.deleted_at.is_not(None) if is_deleted else User.deleted_at.is_(None)
    )
    if q.strip():
        found = found.where(
            User.display_name.icontains(q.strip(), autoescape=True) | User.email.icontains(q.strip(), autoescape=True)
        )
    if is_active is not None:
        found = found.where(User.is_active == is_active)
    if role is not None:
        found = found.where(User.roles.contains([role]))
    if after is not None:
        found = found.where(User.id < after[0])
    return (await session.scalars(found.order_by(User.id.desc()).limit(limit))).all()


async def find_names(statements: Statements, ids: Collection[UUID | None]) -> dict[UUID, str]:
    """The names of people and service accounts as others see them, by id; unknown ids are omitted."""
    rows = await statements.fetch(_NAMES, ids=[each for each in ids if each is not None], deleted_name=DELETED_NAME)
    return {row["id"]: row["name"] for row in rows}


def name_in_sql(id_column: str) -> str:
    """The expression of the name of the person or service account in a column, for the statements of other domains.

    Its value `deleted_name` is :data:`DELETED_NAME`.
    """
    return (
        "coalesce((SELECT CASE WHEN u.deleted_at IS NULL THEN u.display_name ELSE CAST(%(deleted_name)s AS text) END "  # noqa: S608 - a column of the code
        f"FROM app.users AS u WHERE u.id = {id_column}), "
        f"(SELECT a.name FROM app.service_accounts AS a WHERE a.id = {id_column}))"
    )


async def add_names(session: AsyncSession, rows: Sequence[object], **fields: str) -> None:
    """Set the names of people and service accounts in response models: fields with an id, and the field for the name."""
    ids = {getattr(row, id_field) for row in rows for id_field in fields} - {None}
    if not ids:
        return
    names = await find_names(await statements_of(session), ids)
    for row in rows:
        for id_field, name_field in fields.items():
            setattr(row, name_field, names.get(getattr(row, id_field)))


async def find_confirmed_user(session: AsyncSession, email: str) -> User | None:
    """The active user with this address, if its owner has confirmed it; who only typed it must not get anything by it."""
    user = await find_user_by_email(session, email)
    return user if user is not None and user.is_active and user.email_verified_at is not None else None


async def find_user_by_email(session: AsyncSession, email: str) -> User | None:
    """The user with this address, in upper or lower case, or None."""
    if "\0" in email:  # a form may contain it, and PostgreSQL cannot store it
        return None
    return await session.scalar(select(User).where(func.lower(User.email) == func.lower(email)))


async def find_ids_by_email(
    session: AsyncSession, emails: Sequence[str], *, only_active: bool = False
) -> dict[str, UUID]:
    """The ids of the users with these addresses, by the address in lower case.

    Addresses that are unknown or not confirmed, and those of deleted users, are omitted; with `only_active` also those of
    deactivated ones.
    """
    if not emails:
        return {}
    lowered = func.lower(User.email)
    wanted = {email.lower() for email in emails if "\0" not in email}
    query = select(lowered.label("email"), User.id).where(
        lowered.in_(wanted),
        User.email_verified_at.is_not(None),
        User.deleted_at.is_(None),
    )
    rows = await session.execute(query.where(User.is_active) if only_active else query)
    return {row.email: row.id for row in rows}


def check_display_name(name: str, length_max: int = NAME_LENGTH_MAX) -> str:
    """The name in one line, without spaces around it.

    Raises:
        InvalidInput: the name is empty, longer than `length_max` characters, or not one line.
    """
    try:
        name = single_line(name)
    except ValueError as error:
        msg = f"The name {error}."
        raise InvalidInput(msg) from error
    if not 1 <= len(name) <= length_max:
        msg = f"A name must have 1 to {length_max} characters."
        raise InvalidInput(msg)
    return name


def check_email(email: str) -> str:
    """The address with its domain in lower case. The domain is not looked up.

    Raises:
        BadEmail: this is not an e-mail address.
    """
    try:
        return validate_email(single_line(email), check_deliverability=False, test_environment=True).normalized
    except ValueError as error:  # of the text, or of the address
        raise BadEmail(str(error)) from error


async def _release_address(session: AsyncSession, email: str | None) -> None:
    """Take the address from an account that was registered and never confirmed, and so has never been used.

    Accounts that administrators have prepared have no password, and keep it.
    """
    if email is None:
        return
    abandoned = await session.scalar(
        select(User)
        .where(
            func.lower(User.email) == func.lower(email),
            User.email_verified_at.is_(None),
            User.password_hash.is_not(None),
        )
        .with_for_update(key_share=True)
    )
    if abandoned is None:
        return
    abandoned.email, abandoned.password_hash, abandoned.is_active = None, None, False
    await session.flush()
    await cancel_links(session, abandoned.id)


async def change_address(session: AsyncSession, user: User, email: str) -> None:
    """Give a user another address, which counts as verified.

    Raises:
        EmailTaken: another account has confirmed it.
    """
    await _release_address(session, email)
    user.email, user.email_verified_at = email, clock.now()
    user.updated_by = user.id
    await flush_user(session)


async def _add(session: AsyncSession, user: User) -> None:
    user.display_name = check_display_name(user.display_name)
    session.add(user)
    await flush_user(session)


def _unknown(user_id: UUID) -> NotFound:
    return NotFound(f"There is no user {user_id}.")


async def flush_user(session: AsyncSession) -> None:
    """Write the changes of an account.

    Raises:
        EmailTaken: another account has the address.
    """
    try:
        await session.flush()
    except IntegrityError as error:
        if getattr(getattr(error.orig, "diag", None), "constraint_name", None) == "uq_users_email_lower":
            raise EmailTaken from error
        raise


def check_known(what: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Check names of roles or permissions.

    Raises:
        InvalidInput: one of them does not exist.
    """
    unknown = sorted(set(given) - set(known))
    if unknown:
        msg = f"There is no {what} {', '.join(unknown)}; expected: {', '.join(sorted(known))}."
        raise InvalidInput(msg)
