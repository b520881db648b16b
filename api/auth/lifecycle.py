"""The rights of accounts, and their deactivation, deletion and return; the end of all sessions of a user."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import select, text, update

from api.auth.account_mails import Purpose, cancel_links, order_mail, order_mails
from api.auth.errors import LastAdministrator, RestorePeriodOver
from api.auth.models import TOKENS_REVOKED, User, UserSession
from api.auth.service import check_known, get_user_for_change
from api.events import payloads
from api.events.service import record_event, record_events
from api.kernel import clock
from api.kernel.db import is_among, signal_commit
from api.kernel.permissions import ASSIGNABLE, SystemRole

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sqlalchemy.ext.asyncio import AsyncSession

DELETED_KEPT = timedelta(days=30)
_LOCK = text("SELECT pg_advisory_xact_lock(:lock)")
_ADMINISTRATORS = 0x1DEA0005


async def deactivate_user(session: AsyncSession, user: User, *, actor_id: UUID | None) -> None:
    """End the user's sessions and refuse new log-ins; the user's ideas, coins and memberships are kept.

    Raises:
        LastAdministrator: no other active user is a system administrator.
    """
    await deactivate_users(session, (user,), actor_id=actor_id)


async def deactivate_users(session: AsyncSession, users: Collection[User], *, actor_id: UUID | None) -> None:
    """Deactivate several users by a fixed number of statements.

    Raises:
        LastAdministrator: no active user besides them is a system administrator.
    """
    await _keep_an_administrator(session, *users)
    ids = [user.id for user in users]
    changed = update(User).where(is_among(User.id, ids)).values(is_active=False, updated_by=actor_id)
    await session.execute(changed.execution_options(synchronize_session=False))  # a trigger raises the versions
    await session.execute(select(User).where(is_among(User.id, ids)).execution_options(populate_existing=True))
    await record_events(session, [(each, payloads.Deactivated()) for each in ids], actor_id=actor_id)
    await _end_sessions(session, ids, actor_id=actor_id)
    await order_mails(session, Purpose.ACCOUNT_DEACTIVATED, ids)


async def revoke_sessions(session: AsyncSession, *user_ids: UUID, kept: UUID | None = None) -> None:
    """End the open sessions of users, except `kept`, without an event of its own."""
    ended = update(UserSession).where(is_among(UserSession.user_id, user_ids), UserSession.revoked_at.is_(None))
    if kept is not None:
        ended = ended.where(UserSession.id != kept)
    await session.execute(ended.values(revoked_at=clock.now()).execution_options(synchronize_session=False))
    signal_commit(session, TOKENS_REVOKED)


async def delete_user(session: AsyncSession, user: User, *, actor_id: UUID | None) -> None:
    """Deactivate a user and hide their name and address. For `DELETED_KEPT`, they can be reactivated.

    Raises:
        LastAdministrator: no other active user is a system administrator.
    """
    if user.deleted_at is not None:
        return
    await _keep_an_administrator(session, user)
    user.is_active, user.deleted_at = False, clock.now()
    user.updated_by = actor_id
    await session.flush()
    await session.refresh(user, ["token_version", "updated_at"])  # a trigger raises the version
    await record_event(session, payloads.Deleted(), actor_id=actor_id, user_id=user.id)
    await end_all_sessions(session, user, actor_id=actor_id)
    await order_mail(session, Purpose.ACCOUNT_DELETED, user.id)


async def reactivate_user(session: AsyncSession, user: User, *, actor_id: UUID | None) -> None:
    """Let a deactivated or deleted user log in again.

    Raises:
        RestorePeriodOver: the user was deleted more than `DELETED_KEPT` ago.
    """
    if user.is_active:
        return
    if user.deleted_at is not None and user.deleted_at < clock.now() - DELETED_KEPT:
        raise RestorePeriodOver(days=DELETED_KEPT.days)
    user.is_active, user.deleted_at = True, None
    user.updated_by = actor_id
    await session.flush()
    await session.refresh(user, ["token_version", "updated_at"])  # a trigger raises the version
    await record_event(session, payloads.Reactivated(), actor_id=actor_id, user_id=user.id)


async def change_rights(
    session: AsyncSession,
    user: User,
    *,
    actor_id: UUID | None,
    roles: Iterable[str] | None = None,
    permissions: Iterable[str] | None = None,
) -> None:
    """Replace the roles or permissions of a user; their access tokens become invalid, so that clients refresh them.

    Raises:
        InvalidInput: a role or permission does not exist.
        LastAdministrator: the user would lose the role of the only active system administrator.
    """
    new_roles = user.roles if roles is None else sorted({str(role) for role in roles})
    new_permissions = user.permissions if permissions is None else sorted(set(permissions))
    check_known("role", new_roles, SystemRole)
    check_known("permission", new_permissions, ASSIGNABLE)
    if (new_roles, new_permissions) == (user.roles, user.permissions):
        return
    if SystemRole.SYSTEM_ADMIN not in new_roles:
        await _keep_an_administrator(session, user)
    user.roles, user.permissions = new_roles, new_permissions
    user.updated_by = actor_id
    await session.flush()
    await session.refresh(user, ["token_version", "updated_at"])  # a trigger raises the version
    signal_commit(session, TOKENS_REVOKED)
    await record_event(
        session,
        payloads.RightsChanged(roles=tuple(new_roles), permissions=tuple(new_permissions)),
        actor_id=actor_id,
        user_id=user.id,
    )


async def end_all_sessions(session: AsyncSession, user: User, *, actor_id: UUID | None) -> None:
    """End all sessions of the user; all access tokens issued before become invalid."""
    user.token_version = User.token_version + 1
    user.updated_by = actor_id
    await session.flush()
    await session.refresh(user, ["token_version", "updated_at"])
    await _end_sessions(session, (user.id,), actor_id=actor_id)


async def _end_sessions(session: AsyncSession, user_ids: Collection[UUID], *, actor_id: UUID | None) -> None:
    await cancel_links(session, *user_ids)
    await revoke_sessions(session, *user_ids)
    await record_events(session, [(each, payloads.SessionsEnded()) for each in user_ids], actor_id=actor_id)


def is_administrator(user: User) -> bool:
    """Whether this is an active system administrator."""
    return user.is_active and SystemRole.SYSTEM_ADMIN in user.roles


async def lock_administrators(session: AsyncSession) -> None:
    """Let changes of accounts by administrators happen one after the other, until the transaction ends."""
    await session.execute(_LOCK, {"lock": _ADMINISTRATORS})


async def lock_user(session: AsyncSession, user_id: UUID) -> User:
    """The user, locked against other changes of the account.

    Changes by administrators happen one after the other, so that two cannot remove each other at the same time.

    Raises:
        NotFound: there is no user with this id.
    """
    await lock_administrators(session)
    return await get_user_for_change(session, user_id)


async def _keep_an_administrator(session: AsyncSession, *users: User) -> None:
    """Refuse to lose the last active system administrator.

    Raises:
        LastAdministrator: there is no other one than these users.
    """
    if not any(is_administrator(user) for user in users):
        return
    other = select(User.id).where(
        User.roles.contains([SystemRole.SYSTEM_ADMIN]),
        User.is_active,
        User.email_verified_at.is_not(None),
        ~is_among(User.id, [user.id for user in users]),
    )
    if await session.scalar(other.limit(1)) is None:
        raise LastAdministrator
