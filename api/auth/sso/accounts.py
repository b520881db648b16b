"""The account of a person whom a provider has identified: found, linked or created, and changed by the claims.

An identity is the pair of issuer and subject. An address leads to an account once, at the first log-in, and only if the provider
has confirmed it. An account with a password must have confirmed it too: otherwise the person who registered with the address of
another would share the account with them. One without a password, from a roster or an invitation, is confirmed by this log-in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import func, select, text

from api.auth import lifecycle, service
from api.auth.account_mails import Purpose, order_mail
from api.auth.errors import LastAdministrator
from api.auth.models import User
from api.auth.registration import verify_address
from api.auth.sso.models import Identity
from api.auth.sso.refusals import Reason, SignOnRefused
from api.events import payloads
from api.events.service import record_event
from api.kernel import clock
from api.kernel.permissions import SystemRole

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.auth.sso.claims import Person
    from api.auth.sso.providers import Provider
    from settings import Settings

log = structlog.get_logger(__name__)

_LOCK = text("SELECT pg_advisory_xact_lock(:space, hashtext(:issuer || ' ' || :subject))")
_IDENTITIES = 0x1DEA
_DOMAIN_SEPARATOR = "@"


@dataclass(frozen=True)
class Account:
    """The account of an identity."""

    user: User
    identity: Identity


async def find_or_create_account(
    session: AsyncSession, settings: Settings, provider: Provider, person: Person
) -> Account:
    """The account of a person, changed by their claims. Two first log-ins at the same time lead to one account.

    Raises:
        SignOnRefused: the person may not log in; nothing was written.
        EmailTaken: an account with the address was created at the same moment; a repetition finds it.
    """
    _check_domain(provider, person)
    if person.roles is not None:  # before any row, as in all changes of rights
        await lifecycle.lock_administrators(session)
    await session.execute(_LOCK, {"space": _IDENTITIES, "issuer": provider.issuer, "subject": person.subject})
    found = select(Identity).where(Identity.issuer == provider.issuer, Identity.subject == person.subject)
    identity = await session.scalar(found)
    if identity is None:
        account = await _link_or_create(session, settings, provider, person)
    else:
        account = Account(await service.get_user(session, identity.user_id), identity)
        _check_active(account.user)
        identity.last_log_in_at = clock.now()
        await session.flush()
    await _apply_claims(session, provider, account.user, person)
    return account


def _check_domain(provider: Provider, person: Person) -> None:
    domains = provider.settings.allowed_domains
    if not domains:
        return
    if person.email is None:
        raise SignOnRefused(Reason.NO_EMAIL)
    if not person.has_verified_email:
        raise SignOnRefused(Reason.EMAIL_NOT_VERIFIED)
    if person.email.rpartition(_DOMAIN_SEPARATOR)[2].lower() not in domains:
        raise SignOnRefused(Reason.DOMAIN_NOT_ALLOWED)


def _check_active(user: User) -> None:
    if not user.is_active:
        raise SignOnRefused(Reason.ACCOUNT_DEACTIVATED)


async def _link_or_create(session: AsyncSession, settings: Settings, provider: Provider, person: Person) -> Account:
    if person.email is None:
        raise SignOnRefused(Reason.NO_EMAIL)
    if not person.has_verified_email:
        raise SignOnRefused(Reason.EMAIL_NOT_VERIFIED)
    user = await session.scalar(
        select(User)
        .where(func.lower(User.email) == func.lower(person.email))
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    is_new = user is None
    if user is None:
        user = await _create(session, settings, provider, person)
    else:
        _check_active(user)
        if user.email_verified_at is None and user.password_hash is not None:
            raise SignOnRefused(Reason.ACCOUNT_UNCONFIRMED)
        other = select(Identity.id).where(Identity.user_id == user.id, Identity.issuer == provider.issuer)
        if await session.scalar(other) is not None:
            raise SignOnRefused(Reason.OTHER_IDENTITY)
        if user.email_verified_at is None:  # from a roster or an invitation: no other person has a password
            await verify_address(session, user)
    identity = Identity(user_id=user.id, issuer=provider.issuer, subject=person.subject)
    session.add(identity)
    await session.flush()
    await record_event(
        session,
        payloads.IdentityLinked(provider=provider.name, is_new_account=is_new),
        actor_id=user.id,
        user_id=user.id,
    )
    if not is_new and user.password_hash is not None:
        await order_mail(session, Purpose.IDENTITY_LINKED, user.id)
    return Account(user, identity)


async def _create(session: AsyncSession, settings: Settings, provider: Provider, person: Person) -> User:
    creates = provider.settings.creates_accounts
    assert person.email is not None, "checked by the caller"
    if not (settings.auth.may_register(person.email) if creates is None else creates):
        raise SignOnRefused(Reason.REGISTRATION_CLOSED)
    if person.name is None:
        raise SignOnRefused(Reason.NO_NAME)
    return await service.create_user(session, email=person.email, display_name=person.name)


async def _apply_claims(session: AsyncSession, provider: Provider, user: User, person: Person) -> None:
    """Store the name, the department and the mapped roles. What the claims do not say is kept."""
    changes: dict[str, Any] = {"display_name": person.name, "department": person.department}
    changes = {name: value for name, value in changes.items() if value is not None}
    await service.update_user(session, user, actor_id=None, changes=changes)
    if person.roles is None:
        return
    # roles that no text is mapped to are given by administrators, and kept
    roles = (set(user.roles) - set(provider.settings.roles.values())) | person.roles
    if roles == set(user.roles):
        return
    user = await service.get_user_for_change(session, user.id)
    try:
        await lifecycle.change_rights(session, user, actor_id=None, roles=roles)
    except LastAdministrator:
        log.warning("last administrator keeps the role", provider=provider.name, user_id=str(user.id))
        await lifecycle.change_rights(session, user, actor_id=None, roles=roles | {SystemRole.SYSTEM_ADMIN})
