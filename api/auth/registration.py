"""Registration, and the confirmation of addresses.

An account is unverified until its owner opens the link that is mailed to its address, and cannot log in before. The
response, the number of statements and the number of jobs are the same for new and for known addresses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import case, func, literal_column
from sqlalchemy.dialects.postgresql import insert

from api.auth.account_mails import Purpose, cancel_links, find_link, order_mail, use_link
from api.auth.errors import PasswordWrong, RegistrationClosed
from api.auth.models import User
from api.auth.password_checks import check_password
from api.auth.passwords import Passwords
from api.auth.service import change_address, check_display_name, check_email, find_user_by_email
from api.auth.sso.policy import check_passwords_work
from api.events import payloads
from api.events.service import record_event
from api.kernel import clock
from api.kernel.ids import uuid7
from settings.auth import Registration as Setting

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.auth.throttle import LogInDelays
    from api.kernel.db import Database
    from settings import Settings


async def register_user(
    session: AsyncSession, settings: Settings, passwords: Passwords, *, email: str, display_name: str, password: str
) -> str:
    """Create an account without roles and permissions, at the request of its owner; returns its address.

    A mail with a link is sent, which verifies the address together with the password, so no other person can prepare an
    account for the owner of an address. If the account is not verified yet, the last registration counts: its name and password replace
    the earlier ones. If the account is verified, or an administrator has prepared it, nothing changes and its owner is informed.

    Raises:
        RegistrationClosed: the setting `registration` does not allow it, or not for this address.
        PasswordsOff: only identity providers identify users.
        BadEmail: this is not an e-mail address.
        WeakPassword: see :func:`api.auth.passwords.check_strength`.
        InvalidInput: the name is empty or too long.
        PasswordsBusy: too many passwords are waiting for their hash.
    """
    check_passwords_work(settings, None)
    email = check_email(email)
    _check_may_register(settings, email)
    display_name = check_display_name(display_name)
    await passwords.check(password, email=email, display_name=display_name)
    # before the first statement, so that no connection is held meanwhile
    password_hash = await passwords.hash(password)
    new = insert(User).values(
        id=uuid7(), email=email, display_name=display_name, password_hash=password_hash, email_verified_at=None
    )
    # not the accounts that administrators have prepared: those of invitations and rosters have no password
    is_open = User.email_verified_at.is_(None) & User.is_active & User.password_hash.is_not(None)
    row: Any = (
        await session.execute(
            new.on_conflict_do_update(
                index_elements=[func.lower(User.email)],
                set_={
                    "password_hash": case((is_open, new.excluded.password_hash), else_=User.password_hash),
                    "display_name": case((is_open, new.excluded.display_name), else_=User.display_name),
                },
            ).returning(
                User.id,
                User.password_hash,
                literal_column("xmax = 0").label("is_new"),
            )
        )
    ).one()
    is_stored = row.password_hash == password_hash
    event = payloads.Registered() if row.is_new else payloads.RegistrationRepeated()
    await record_event(session, event, actor_id=row.id if row.is_new else None, user_id=row.id)
    await order_mail(session, Purpose.VERIFY_ADDRESS if is_stored else Purpose.REGISTRATION_REPEATED, row.id)
    return email


async def resend_verification(session: AsyncSession, *, email: str) -> None:
    """Mail a new link, if the address has an unverified account. The response does not reveal it."""
    user = await find_user_by_email(session, email)
    is_open = user is not None and user.email_verified_at is None and user.is_active and user.password_hash is not None
    await order_mail(session, Purpose.VERIFY_ADDRESS, user.id if user is not None and is_open else None)


async def confirm_address(
    session: AsyncSession,
    database: Database,
    passwords: Passwords,
    delays: LogInDelays,
    *,
    secret: str,
    password: str,
    address: str,
) -> None:
    """Verify the address of a new account, or replace the address of an existing one, by a mailed link and the password.

    Raises:
        LinkInvalid: the link is unknown, expired, used or void.
        PasswordWrong: this is not the password of the account; the link stays valid.
        EmailTaken: another account has taken the new address meanwhile.
        TooManyAttempts, PasswordsBusy: as for a log-in.
    """
    purposes = (Purpose.VERIFY_ADDRESS, Purpose.CONFIRM_NEW_ADDRESS)
    async with database.session() as first:
        user_id = (await find_link(first, secret, purposes)).user_id
    assert user_id is not None
    checked = await check_password(database, passwords, delays, user_id=user_id, password=password, address=address)
    mail = await find_link(session, secret, purposes)
    user = await use_link(session, mail)
    if user.password_hash != checked.password_hash:
        raise PasswordWrong
    if mail.purpose == Purpose.VERIFY_ADDRESS:
        if user.email_verified_at is None:
            await verify_address(session, user)
        return
    assert mail.email is not None
    previous = user.email
    await change_address(session, user, mail.email)
    await cancel_links(session, user.id)
    await record_event(session, payloads.AddressChanged(), actor_id=user.id, user_id=user.id)
    if previous is not None:
        await order_mail(session, Purpose.ADDRESS_CHANGED, user.id, email=previous)


def _check_may_register(settings: Settings, email: str) -> None:
    if not settings.auth.may_register(email):
        is_by_domain = settings.auth.registration is Setting.DOMAINS
        raise RegistrationClosed(domains=settings.auth.registration_domains if is_by_domain else ())


async def verify_address(session: AsyncSession, user: User) -> None:
    """Note that the user has received a mail at their address."""
    user.email_verified_at = clock.now()
    await session.flush()
    await record_event(session, payloads.AddressVerified(), actor_id=user.id, user_id=user.id)
