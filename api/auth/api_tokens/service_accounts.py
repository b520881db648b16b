"""Service accounts: programs with rights and tokens of their own, which administrators manage."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from api.auth.api_tokens.models import ApiToken, ServiceAccount
from api.auth.api_tokens.service import Created, add_token, check_name, check_scopes_of
from api.auth.errors import NameTaken
from api.auth.models import TOKENS_REVOKED, User
from api.events import payloads
from api.events.service import record_event
from api.kernel import clock
from api.kernel.db import signal_commit
from api.kernel.errors import InvalidInput, NotFound
from api.kernel.scopes import SERVICE_SCOPES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

    from settings.auth import AuthSettings

OVERLAP = timedelta(days=7)
"""How long the replaced token stays valid after a rotation."""


@dataclass(frozen=True)
class Rotated:
    """The new token, and the one that it replaces."""

    created: Created
    old: ApiToken


async def create_service_account(
    session: AsyncSession, *, name: str, scopes: Iterable[str], owner_id: UUID, actor_id: UUID | None
) -> ServiceAccount:
    """An account without tokens.

    Raises:
        InvalidInput: the name or a scope is not allowed, or the owner is no active user.
        NameTaken: another account has the name.
    """
    await _check_owner(session, owner_id)
    account = ServiceAccount(
        name=check_name(name),
        scopes=check_scopes_of(scopes, SERVICE_SCOPES),
        owner_id=owner_id,
        created_by=actor_id,
        updated_by=actor_id,
    )
    session.add(account)
    await _flush(session, account.name)
    payload = payloads.ServiceAccountCreated(
        service_account_id=account.id, scopes=tuple(account.scopes), owner_id=owner_id
    )
    await record_event(session, payload, actor_id=actor_id, user_id=owner_id)
    return account


async def list_service_accounts(
    session: AsyncSession, *, after: tuple[UUID] | None = None, limit: int
) -> Sequence[ServiceAccount]:
    """All service accounts, the newest first."""
    found = select(ServiceAccount)
    if after is not None:
        found = found.where(ServiceAccount.id < after[0])
    return (await session.scalars(found.order_by(ServiceAccount.id.desc()).limit(limit))).all()


async def find_service_account(session: AsyncSession, name: str) -> ServiceAccount | None:
    """The account with this name, in upper or lower case, or None."""
    return await session.scalar(select(ServiceAccount).where(func.lower(ServiceAccount.name) == func.lower(name)))


async def get_service_account(session: AsyncSession, account_id: UUID, *, is_locked: bool = False) -> ServiceAccount:
    """The account.

    Raises:
        NotFound: there is none with this id.
    """
    lock = {"key_share": True} if is_locked else None
    account = await session.get(ServiceAccount, account_id, with_for_update=lock, populate_existing=is_locked)
    if account is None:
        msg = f"There is no service account {account_id}."
        raise NotFound(msg)
    return account


async def change_service_account(
    session: AsyncSession, account: ServiceAccount, changes: dict[str, Any], *, actor_id: UUID | None
) -> ServiceAccount:
    """Change name, scopes or owner of a locked account; equal values change nothing.

    Tokens have the scopes that both they and the account have. The event has the names of the fields and the scopes.

    Raises:
        InvalidInput: the name or a scope is not allowed, or the owner is no active user.
        NameTaken: another account has the name.
    """
    if "name" in changes:
        changes["name"] = check_name(changes["name"])
    if "scopes" in changes:
        changes["scopes"] = check_scopes_of(changes["scopes"], SERVICE_SCOPES)
    if "owner_id" in changes:
        await _check_owner(session, changes["owner_id"])
    changed = {name: value for name, value in changes.items() if value != getattr(account, name)}
    if not changed:
        return account
    for name, value in changed.items():
        setattr(account, name, value)
    account.updated_by = actor_id
    await _flush(session, account.name)
    await session.refresh(account, ["token_version", "updated_at"])  # a trigger raises the version
    signal_commit(session, TOKENS_REVOKED)
    payload = payloads.ServiceAccountChanged(
        service_account_id=account.id, fields=tuple(sorted(changed)), scopes=tuple(account.scopes)
    )
    await record_event(session, payload, actor_id=actor_id, user_id=account.owner_id)
    return account


async def deactivate_service_account(
    session: AsyncSession, account: ServiceAccount, *, actor_id: UUID | None
) -> ServiceAccount:
    """Revoke all tokens of a locked account; it gets no further ones."""
    if account.is_active:
        account.is_active = False
        account.updated_by = actor_id
        await session.flush()  # triggers revoke the tokens
        await session.refresh(account, ["token_version", "updated_at"])
        signal_commit(session, TOKENS_REVOKED)
        payload = payloads.ServiceAccountDeactivated(service_account_id=account.id)
        await record_event(session, payload, actor_id=actor_id, user_id=account.owner_id)
    return account


async def rotate_token(
    session: AsyncSession,
    settings: AuthSettings,
    account: ServiceAccount,
    token_id: UUID,
    *,
    days: int | None = None,
    actor_id: UUID | None,
) -> Rotated:
    """Replace a token of a locked account by a new one with the same name; the old one ends after 7 days at the latest.

    Raises:
        NotFound: the account has no such token, or it has ended.
        InvalidInput: the number of days is not allowed, the account is deactivated or has lost a scope of the token.
        TooManyTokens: the account has 100 tokens that can be used.
    """
    old = await session.get(ApiToken, token_id, with_for_update=True, populate_existing=True)
    now = clock.now()
    if old is None or old.service_account_id != account.id or old.revoked_at is not None or old.expires_at <= now:
        msg = f"The service account has no valid token {token_id}."
        raise NotFound(msg)
    created = await add_token(
        session, settings, account, name=old.name, scopes=old.scopes, days=days, actor_id=actor_id
    )
    old.expires_at = min(old.expires_at, now + OVERLAP)
    await session.flush()
    payload = payloads.ApiTokenRotated(
        old_token_id=old.id,
        new_token_id=created.token.id,
        service_account_id=account.id,
        old_expires_at=old.expires_at,
    )
    await record_event(session, payload, actor_id=actor_id, user_id=account.owner_id)
    return Rotated(created, old)


async def _check_owner(session: AsyncSession, owner_id: UUID) -> None:
    if await session.scalar(select(User.id).where(User.id == owner_id, User.is_active, ~User.is_imported)) is None:
        msg = f"There is no active user {owner_id} to answer for the service account."
        raise InvalidInput(msg)


async def _flush(session: AsyncSession, name: str) -> None:
    try:
        await session.flush()
    except IntegrityError as error:
        if getattr(getattr(error.orig, "diag", None), "constraint_name", None) == "uq_service_accounts_name_lower":
            raise NameTaken(name) from error
        raise
