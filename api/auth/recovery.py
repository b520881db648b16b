"""Changes of passwords and addresses, with and without the old password."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import delete, select

from api.auth.account_mails import Purpose, cancel_links, find_link, order_mail, use_link
from api.auth.errors import PasswordUsedBefore, PasswordWrong
from api.auth.lifecycle import revoke_sessions
from api.auth.models import EarlierPassword, User
from api.auth.password_checks import check_password
from api.auth.passwords import LENGTH_MAX, LENGTH_MIN, Passwords
from api.auth.registration import verify_address
from api.auth.service import check_email, find_user_by_email, get_user
from api.auth.sso.policy import check_passwords_work
from api.events import payloads
from api.events.service import record_event
from api.kernel import clock

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.auth.throttle import LogInDelays
    from api.kernel.db import Database
    from settings import Settings


PASSWORD_LENGTH_MIN, PASSWORD_LENGTH_MAX = LENGTH_MIN, LENGTH_MAX


async def request_password_reset(session: AsyncSession, *, email: str) -> None:
    """Mail a link to set a new password, if the address has an account. The response does not reveal it."""
    user = await find_user_by_email(session, email)
    user_id = user.id if user is not None and user.is_active else None
    await record_event(session, payloads.PasswordResetRequested(), actor_id=None, user_id=user_id)
    await order_mail(session, Purpose.RESET_PASSWORD, user_id)


async def reset_password(
    session: AsyncSession,
    settings: Settings,
    database: Database,
    passwords: Passwords,
    *,
    secret: str,
    password: str,
) -> None:
    """Set a new password by the secret of a mailed link, and end all sessions. The address counts as verified.

    Raises:
        LinkInvalid: the link is unknown, expired, used or void.
        PasswordsOff: only identity providers identify users.
        WeakPassword: see :func:`api.auth.passwords.check_strength`; the link stays valid.
        PasswordUsedBefore: the installation requires a password that the user did not have before; the link stays valid.
        PasswordsBusy: too many passwords are waiting for their hash; the link stays valid.
    """
    async with database.session() as first:
        mail = await find_link(first, secret, (Purpose.RESET_PASSWORD,))
        assert mail.user_id is not None
        user = await get_user(first, mail.user_id)
    check_passwords_work(settings, user.email)
    await passwords.check(password, email=user.email, display_name=user.display_name)
    await _check_not_used(database, settings, passwords, user, password)
    # without a connection; the link is found again, because it may have been used meanwhile
    password_hash = await passwords.hash(password)
    mail = await find_link(session, secret, (Purpose.RESET_PASSWORD,))
    user = await use_link(session, mail)
    if user.email_verified_at is None:
        await verify_address(session, user)
    await _set_password(session, settings, user, password_hash, is_reset=True, kept_session=None)


async def change_password(
    session: AsyncSession,
    settings: Settings,
    database: Database,
    passwords: Passwords,
    delays: LogInDelays,
    *,
    user_id: UUID,
    session_id: UUID,
    current: str,
    new: str,
    address: str,
) -> None:
    """Replace the password of a logged-in user, and end their other sessions.

    Raises:
        PasswordWrong: `current` is not the password; it counts as a failed log-in.
        PasswordsOff: only identity providers identify users.
        WeakPassword: see :func:`api.auth.passwords.check_strength`.
        PasswordUsedBefore: the installation requires a password that the user did not have before.
        TooManyAttempts, PasswordsBusy: as for a log-in.
    """
    user = await check_password(database, passwords, delays, user_id=user_id, password=current, address=address)
    check_passwords_work(settings, user.email)
    await passwords.check(new, email=user.email, display_name=user.display_name)
    await _check_not_used(database, settings, passwords, user, new)
    password_hash = await passwords.hash(new)
    found = await _lock_checked(session, user)
    await _set_password(session, settings, found, password_hash, is_reset=False, kept_session=session_id)


async def request_address_change(
    session: AsyncSession,
    database: Database,
    passwords: Passwords,
    delays: LogInDelays,
    *,
    user_id: UUID,
    email: str,
    password: str,
    address: str,
) -> str:
    """Mail a link to the new address, which replaces the old one when the link is opened; returns the new address.

    If another account has the address, only its owner is informed.

    Raises:
        BadEmail: this is not an e-mail address.
        PasswordWrong, TooManyAttempts, PasswordsBusy: as for :func:`change_password`.
    """
    email = check_email(email)
    user = await check_password(database, passwords, delays, user_id=user_id, password=password, address=address)
    await _lock_checked(session, user)
    owner = await find_user_by_email(session, email)
    if owner is not None and owner.id != user_id:
        await order_mail(session, Purpose.REGISTRATION_REPEATED, owner.id)
    else:
        await order_mail(session, Purpose.CONFIRM_NEW_ADDRESS, user_id, email=email)
    return email


async def _lock_checked(session: AsyncSession, checked: User) -> User:
    """The user, locked, if the password is still the one that was checked.

    Raises:
        PasswordWrong: it was changed meanwhile.
    """
    user = await session.get_one(User, checked.id, with_for_update={"key_share": True}, populate_existing=True)
    if user.password_changed_at != checked.password_changed_at:
        raise PasswordWrong
    return user


async def store_password(session: AsyncSession, settings: Settings, user: User, password_hash: str) -> None:
    """Replace the hash of a user's password, and keep the old one if earlier passwords are refused."""
    if user.password_hash is not None and settings.auth.earlier_passwords_refused:
        session.add(EarlierPassword(user_id=user.id, password_hash=user.password_hash))
        await session.flush()
        old = (
            select(EarlierPassword.id)
            .where(EarlierPassword.user_id == user.id)
            .order_by(EarlierPassword.id.desc())
            .offset(settings.auth.earlier_passwords_refused)
        )
        await session.execute(delete(EarlierPassword).where(EarlierPassword.id.in_(old)))
    user.password_hash = password_hash
    user.password_changed_at = clock.now()
    user.updated_by = user.id
    await session.flush()


async def _check_not_used(database: Database, settings: Settings, passwords: Passwords, user: User, new: str) -> None:
    """Refuse a password that the user has or had, if the installation requires another one.

    Raises:
        PasswordUsedBefore: it is one of the last `earlier_passwords_refused`.
        PasswordsBusy: too many passwords are waiting.
    """
    if not settings.auth.earlier_passwords_refused:
        return
    async with database.session() as session:
        earlier = await session.scalars(
            select(EarlierPassword.password_hash)
            .where(EarlierPassword.user_id == user.id)
            .order_by(EarlierPassword.id.desc())
            .limit(settings.auth.earlier_passwords_refused - 1)
        )
        hashes = [user.password_hash, *earlier]
    async with passwords.slot():
        for each in hashes:
            if each is not None and await passwords.verify(each, new):
                raise PasswordUsedBefore


async def _set_password(
    session: AsyncSession,
    settings: Settings,
    user: User,
    password_hash: str,
    *,
    is_reset: bool,
    kept_session: UUID | None,
) -> None:
    await store_password(session, settings, user, password_hash)
    await cancel_links(session, user.id)
    await revoke_sessions(session, user.id, kept=kept_session)
    await record_event(session, payloads.PasswordChanged(is_reset=is_reset), actor_id=user.id, user_id=user.id)
    await order_mail(session, Purpose.PASSWORD_CHANGED, user.id)
