"""Invitations: accounts that an administrator prepares, and that their owner completes by a mailed link.

An invited account has no password and is not confirmed, so it allows no log-in. Its rights are those that the administrator
has given it; they have no effect before.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from uuid import UUID

from api.auth.account_mails import Purpose, cancel_links, find_link, order_mail, use_link
from api.auth.errors import EmailTaken, RegistrationClosed
from api.auth.lifecycle import change_rights, lock_user
from api.auth.models import User
from api.auth.recovery import store_password
from api.auth.registration import verify_address
from api.auth.service import check_display_name, check_email, create_user, find_user_by_email, get_user
from api.auth.sso.policy import check_passwords_work
from api.events import payloads
from api.events.service import record_event
from settings.auth import Registration

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.auth.passwords import Passwords
    from api.kernel.db import Database
    from settings import Settings


async def invite_user(
    session: AsyncSession,
    *,
    email: str,
    display_name: str,
    roles: Iterable[str] = (),
    permissions: Iterable[str] = (),
    actor_id: UUID | None,
) -> User:
    """Prepare an account and mail its owner a link, which is valid for 14 days.

    An account that is prepared already, by a roster or an earlier invitation, gets the name and the rights. One that was
    registered and never confirmed loses the address.

    Raises:
        EmailTaken: an account with this address is confirmed.
        BadEmail: this is not an e-mail address.
        InvalidInput: a role or permission does not exist, or the name is empty or too long.
    """
    user = await find_user_by_email(session, check_email(email))
    if user is None or (user.email_verified_at is None and user.password_hash is not None):
        user = await create_user(
            session, email=email, display_name=display_name, roles=roles, permissions=permissions, actor_id=actor_id
        )
        user.email_verified_at = None
        await session.flush()
    elif user.email_verified_at is None and user.is_active:
        user = await lock_user(session, user.id)
        user.display_name = check_display_name(display_name)
        await change_rights(session, user, actor_id=actor_id, roles=roles, permissions=permissions)
    else:
        raise EmailTaken
    await _send(session, user, actor_id)
    return user


async def invite_again(session: AsyncSession, user: User, *, actor_id: UUID | None) -> None:
    """Mail a new link to a person who has not accepted yet; the earlier one becomes void.

    Raises:
        EmailTaken: the person has accepted, or has confirmed the address otherwise.
    """
    if user.email is None or user.email_verified_at is not None or not user.is_active:
        raise EmailTaken
    await _send(session, user, actor_id)


async def find_invited(session: AsyncSession, secret: str) -> User:
    """The account of an invitation.

    Raises:
        LinkInvalid: the link is unknown, expired, used or void.
    """
    mail = await find_link(session, secret, (Purpose.INVITED,))
    assert mail.user_id is not None
    return await get_user(session, mail.user_id)


async def accept_invitation(
    session: AsyncSession,
    settings: Settings,
    database: Database,
    passwords: Passwords,
    *,
    secret: str,
    display_name: str,
    password: str,
) -> User:
    """Complete the account by its owner's name and password. The link proves that the address is theirs.

    Raises:
        LinkInvalid: the link is unknown, expired, used or void.
        PasswordsOff: only identity providers identify users.
        InvalidInput: the name is empty or too long.
        WeakPassword: see :func:`api.auth.passwords.check_strength`; the link stays valid.
        PasswordsBusy: too many passwords are waiting for their hash; the link stays valid.
    """
    display_name = check_display_name(display_name)
    async with database.session() as first:
        invited = await find_invited(first, secret)
    await passwords.check(password, email=invited.email, display_name=display_name)
    # without a connection; the link is found again, because it may have been used meanwhile
    password_hash = await passwords.hash(password)
    user = await use_link(session, await find_link(session, secret, (Purpose.INVITED,)))
    check_passwords_work(settings, user.email)
    return await _complete(session, settings, user, display_name, password_hash)


async def create_invited_account(
    session: AsyncSession,
    settings: Settings,
    passwords: Passwords,
    *,
    email: str,
    display_name: str,
    password: str,
    invited_by: UUID | None,
) -> User:
    """Create the account of an address by its owner's name and password; the caller has proof that the address is theirs.

    For invitations by others than administrators: with the setting `registration=domains`, only addresses of these domains
    get an account. An account that an administrator has prepared is completed, with its rights.

    Raises:
        PasswordsOff: only identity providers identify users.
        RegistrationClosed: the address is of none of the registration domains.
        EmailTaken: the address has a confirmed or a deactivated account.
        InvalidInput: the name is empty or too long.
        WeakPassword: see :func:`api.auth.passwords.check_strength`.
        PasswordsBusy: too many passwords are waiting for their hash.
    """
    check_passwords_work(settings, email)
    if settings.auth.registration is Registration.DOMAINS and not settings.auth.may_register(email):
        raise RegistrationClosed(domains=settings.auth.registration_domains)
    display_name = check_display_name(display_name)
    await passwords.check(password, email=email, display_name=display_name)
    # before the first statement, so that no connection is held meanwhile
    password_hash = await passwords.hash(password)
    user = await find_user_by_email(session, email)
    if user is None or (user.email_verified_at is None and user.password_hash is not None):
        user = await create_user(session, email=email, display_name=display_name, actor_id=invited_by)
    elif user.email_verified_at is not None or not user.is_active:
        raise EmailTaken
    return await _complete(session, settings, await lock_user(session, user.id), display_name, password_hash)


async def _complete(
    session: AsyncSession, settings: Settings, user: User, display_name: str, password_hash: str
) -> User:
    """Give a locked account its name and password, and note that its address is confirmed."""
    user.display_name = display_name
    await store_password(session, settings, user, password_hash)
    await cancel_links(session, user.id)
    await verify_address(session, user)
    return user


async def _send(session: AsyncSession, user: User, actor_id: UUID | None) -> None:
    await record_event(session, payloads.Invited(), actor_id=actor_id, user_id=user.id)
    await order_mail(session, Purpose.INVITED, user.id)
