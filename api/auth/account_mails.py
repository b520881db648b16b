"""Mails about accounts, and the links in them.

A command orders a mail in its transaction: a row in `account_mails` and a job with the id of this row. The worker creates
the secret of the link, stores a hash of it, renders the mail and sends it. A retry creates a new secret, so the link in
an earlier copy of the mail is void. A link can be used once, and a later order for the same purpose voids it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

import structlog
from sqlalchemy import func, select, text, update

from api.auth.errors import LinkInvalid
from api.auth.models import AccountMail, User
from api.auth.second_factors import challenges
from api.kernel import clock
from api.kernel.db import is_among
from api.kernel.jobs import Job, defer, defer_each
from api.kernel.stored_secrets import hash_secret, new_secret

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.kernel.container import KernelContainer

log = structlog.get_logger(__name__)

KEPT_DAYS = 30
# A person receives at most one mail of a purpose in this time, whoever asks for it.
PAUSE = timedelta(minutes=1)
# Somebody who tries passwords of an account must not be able to fill its owner's mailbox.
PAUSE_OF_ALERTS = timedelta(days=1)
ATTEMPTS_MAX = 8  # the last one after about a day


class Purpose(StrEnum):
    """What a mail about an account is for."""

    VERIFY_ADDRESS = "verify_address"
    REGISTRATION_REPEATED = "registration_repeated"
    RESET_PASSWORD = "reset_password"  # noqa: S105 (a name)
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 (a name)
    CONFIRM_NEW_ADDRESS = "confirm_new_address"
    ADDRESS_CHANGED = "address_changed"
    SESSION_ENDED_BY_REUSE = "session_ended_by_reuse"
    ACCOUNT_DEACTIVATED = "account_deactivated"
    LOG_INS_DELAYED = "log_ins_delayed"
    LOG_IN_CODE = "log_in_code"
    FACTORS_CHANGED = "factors_changed"
    FACTOR_RESET = "factor_reset"
    INVITED = "invited"
    ACCOUNT_DELETED = "account_deleted"
    IDENTITY_LINKED = "identity_linked"


LINK_TTL = {
    Purpose.VERIFY_ADDRESS: timedelta(hours=48),
    Purpose.CONFIRM_NEW_ADDRESS: timedelta(hours=48),
    Purpose.RESET_PASSWORD: timedelta(minutes=30),
    Purpose.INVITED: timedelta(days=14),
}
"""The purposes whose mail has a link with a secret, and how long it is valid after the mail was sent."""

_LIMITED = (
    Purpose.VERIFY_ADDRESS,
    Purpose.REGISTRATION_REPEATED,
    Purpose.RESET_PASSWORD,
    Purpose.CONFIRM_NEW_ADDRESS,
    Purpose.INVITED,
)

_DELETE_OLD = text(
    """
    DELETE FROM app.account_mails AS m
    WHERE m.id = ANY (ARRAY(
        SELECT x.id FROM app.account_mails AS x WHERE x.created_at < now() - make_interval(days => :kept_days)
        LIMIT :rows_max
    ))
    """
)


@dataclass(frozen=True)
class Prepared:
    """What the worker needs to write a mail; `secret` is that of its link, or the code in it."""

    id: UUID
    purpose: Purpose
    user: User
    to: str
    created_at: datetime
    secret: str | None
    inviter_name: str = ""


async def order_mail(
    session: AsyncSession,
    purpose: Purpose,
    user_id: UUID | None,
    *,
    email: str | None = None,
    challenge_id: UUID | None = None,
) -> None:
    """Order a mail in the session's transaction.

    `email` is the recipient if it is not the user's address; `challenge_id` is the log-in for which a code is mailed. Without a user no mail is sent, but the request takes as
    long, so its time does not reveal whether an address has an account.
    """
    mail = AccountMail(user_id=user_id, purpose=purpose, email=email, challenge_id=challenge_id)
    session.add(mail)
    await session.flush()
    await defer(session, SEND, mail_id=mail.id)


async def order_mails(session: AsyncSession, purpose: Purpose, user_ids: Iterable[UUID]) -> None:
    """Order a mail for each user, in the session's transaction."""
    mails = [AccountMail(user_id=user_id, purpose=purpose) for user_id in user_ids]
    session.add_all(mails)
    await session.flush()
    await defer_each(session, SEND, "mail_id", [mail.id for mail in mails])


async def prepare_mail(session: AsyncSession, mail_id: UUID) -> Prepared | None:
    """Create the secret of the mail's link, and void earlier links of this user and purpose.

    None if no mail is to be sent: there is no such user or address, it was sent before, or another one of this purpose
    was sent a moment ago.
    """
    mail = await session.get(AccountMail, mail_id)
    if mail is None or mail.user_id is None:
        return None
    # users are locked before mails, and this serialises the mails of a user
    user = await session.get_one(User, mail.user_id, with_for_update={"key_share": True}, populate_existing=True)
    mail = await session.get(AccountMail, mail_id, with_for_update=True, populate_existing=True)
    if mail is None or mail.user_id is None or mail.sent_at is not None:
        return None
    purpose = Purpose(mail.purpose)
    to = mail.email or user.email
    if to is None or not await _is_wanted(session, mail, user):
        return None
    secret = None
    mail.prepared_at = clock.now()
    await session.flush()
    if purpose in LINK_TTL:
        await void_links(session, (user.id,), (purpose,), kept=mail.id)
        secret = new_secret()
        mail.secret_hash = hash_secret(secret)
        mail.expires_at = clock.now() + LINK_TTL[purpose]
        await session.flush()
    elif mail.challenge_id is not None:
        secret = await challenges.set_mail_code(session, mail.challenge_id)
        if secret is None:
            return None
    inviter = await session.get(User, user.created_by) if purpose is Purpose.INVITED and user.created_by else None
    return Prepared(mail.id, purpose, user, to, mail.created_at, secret, inviter.display_name if inviter else "")


async def record_sent(session: AsyncSession, mail_id: UUID) -> None:
    """Note that a mail was sent, so that its job is not repeated."""
    await session.execute(update(AccountMail).where(AccountMail.id == mail_id).values(sent_at=clock.now()))


async def find_link(session: AsyncSession, secret: str, purposes: Collection[Purpose]) -> AccountMail:
    """The mail whose link has this secret, locked against a second use, with its user.

    Raises:
        LinkInvalid: no link has this secret, or it has expired, was used or is void, or its user is deactivated.
    """
    is_valid = (
        AccountMail.secret_hash == hash_secret(secret),
        AccountMail.purpose.in_(purposes),
        AccountMail.expires_at > clock.now(),
        AccountMail.used_at.is_(None),
    )
    # users are locked before mails
    user_id = await session.scalar(
        select(User.id)
        .join(AccountMail, AccountMail.user_id == User.id)
        .where(*is_valid, User.is_active)
        .with_for_update(of=User, key_share=True)
    )
    mail = None
    if user_id is not None:
        found = select(AccountMail).where(*is_valid).with_for_update().execution_options(populate_existing=True)
        mail = await session.scalar(found)
    if mail is None:
        raise LinkInvalid
    return mail


async def use_link(session: AsyncSession, mail: AccountMail) -> User:
    """Mark a link as used, and return its user, locked."""
    assert mail.user_id is not None
    mail.used_at = clock.now()
    await session.flush()
    return await session.get_one(User, mail.user_id, with_for_update={"key_share": True}, populate_existing=True)


async def void_links(
    session: AsyncSession, user_ids: Collection[UUID], purposes: Collection[Purpose], *, kept: UUID | None = None
) -> None:
    """Void the unused links of users for these purposes, except that of the mail `kept`."""
    unused = update(AccountMail).where(
        is_among(AccountMail.user_id, user_ids), AccountMail.purpose.in_(purposes), AccountMail.used_at.is_(None)
    )
    if kept is not None:
        unused = unused.where(AccountMail.id != kept)
    await session.execute(unused.values(secret_hash=None, expires_at=None).execution_options(synchronize_session=False))


async def cancel_links(session: AsyncSession, *user_ids: UUID) -> None:
    """Void all unused links of users, and cancel the mails with links that are not sent yet."""
    await void_links(session, user_ids, tuple(LINK_TTL))
    await session.execute(
        update(AccountMail)
        .where(
            is_among(AccountMail.user_id, user_ids),
            AccountMail.purpose.in_(tuple(LINK_TTL)),
            AccountMail.sent_at.is_(None),
        )
        .values(user_id=None)
        .execution_options(synchronize_session=False)
    )


async def _is_wanted(session: AsyncSession, mail: AccountMail, user: User) -> bool:
    """Whether the mail still makes sense, and is not one of many that were requested."""
    if mail.purpose in {Purpose.VERIFY_ADDRESS, Purpose.INVITED} and user.email_verified_at is not None:
        return False
    if mail.purpose in {Purpose.ACCOUNT_DEACTIVATED, Purpose.ACCOUNT_DELETED}:
        return not user.is_active
    if mail.purpose == Purpose.LOG_INS_DELAYED:
        pause = PAUSE_OF_ALERTS
    elif mail.purpose in _LIMITED:
        pause = PAUSE
    else:
        return True
    if not user.is_active:
        return False
    # by recipient, since one person can change between several addresses
    recipient = func.lower(func.coalesce(AccountMail.email, User.email))
    recent = (
        select(AccountMail.id)
        .join(User, User.id == AccountMail.user_id)
        .where(
            AccountMail.purpose == mail.purpose,
            AccountMail.id != mail.id,
            recipient == func.lower(mail.email or user.email),
            AccountMail.prepared_at > clock.now() - pause,
        )
    )
    return await session.scalar(recent.limit(1)) is None


async def send_account_mail(container: KernelContainer, *, mail_id: UUID) -> None:
    """Send an ordered mail.

    Raises:
        MailUnavailable: it was not sent now; the job is retried.
    """
    from api.auth.mail_contents import write_mail  # takes 0.1 s to import
    from api.kernel.mail import MailRefused

    async with container.database.session() as session:
        prepared = await prepare_mail(session, mail_id)
    if prepared is None:
        return
    # the link is committed before the mail leaves, and no transaction is open meanwhile
    try:
        await container.mail.send(write_mail(container.settings, prepared))
    except MailRefused as error:
        log.warning("mail refused", mail_id=str(mail_id), purpose=prepared.purpose, error=str(error))
    async with container.database.session() as session:
        await record_sent(session, mail_id)


async def delete_old_account_mails(container: KernelContainer) -> int:
    """Delete the mails that were ordered more than 30 days ago; returns how many."""
    return await container.database.delete_in_parts(_DELETE_OLD, kept_days=KEPT_DAYS)


SEND = Job(name="send_account_mail", run=send_account_mail, attempts_max=ATTEMPTS_MAX)
DELETE_OLD = Job(name="delete_old_account_mails", run=delete_old_account_mails, cron="47 1 * * *")
