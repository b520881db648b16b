"""Sessions, from the log-in (:mod:`api.auth.log_ins`) to the log-out, with refresh tokens that can be used once.

A session is the family of all tokens that follow from one log-in. If a refresh token is used a second time, two clients
have it and one may have stolen it, so the session ends for both (RFC 9700, 4.14). The exception is a client that sends
the same refresh twice, such as two tabs of a browser: a request that arrives before or at most `refresh_grace_s` seconds
after the token was used is not a reuse. It is refused as well, because a token succeeds once, but the session continues.

Refusals that must be recorded (a reuse) are returned as errors and not raised: raising would roll back the record.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from sqlalchemy import delete, select, update

from api.auth.account_mails import Purpose, order_mail
from api.auth.errors import RefreshTokenInvalid, RefreshTokenUsed
from api.auth.models import TOKENS_REVOKED, SessionToken, User, UserSession
from api.auth.throttle import Origin
from api.events import payloads
from api.events.service import record_event
from api.kernel import clock
from api.kernel.db import signal_commit
from api.kernel.stored_secrets import hash_secret, new_secret

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.auth.devices import DeviceCookie
    from settings import Settings

AGENT_LENGTH_MAX = 300
SessionKind = Literal["token", "browser"]


@dataclass(frozen=True)
class Client:
    """Where a session is used: the network address, the name that the program reports, and the browser's device cookie."""

    address: str | None = None
    agent: str | None = None
    device: DeviceCookie | None = None

    def origin(self, user: User | None) -> Origin:
        """Where an attempt to log in to an account comes from."""
        is_owner = user is not None and self.device is not None and self.device.user_id == user.id
        return Origin(self.address or "", self.device.device if self.device and is_owner else None)


@dataclass(frozen=True)
class Issued:
    """A new secret, which is not stored: a refresh token, or the value of the browser's cookie.

    `expires_at` is its expiry, `ends_at` that of the session.
    """

    user: User
    session_id: UUID
    secret: str
    expires_at: datetime
    ends_at: datetime
    has_second_factor: bool = False


async def start_session(
    session: AsyncSession,
    settings: Settings,
    user_id: UUID,
    *,
    kind: SessionKind,
    client: Client | None = None,
    checked: User | None = None,
    has_second_factor: bool = False,
) -> Issued | None:
    """A new session with its first secret, or None if the user may not log in.

    `checked` is the user as the password was checked: a password that was changed meanwhile starts no session.
    `has_second_factor`: the user has used one, or a passkey.

    A user has at most `settings.auth.sessions_per_user_max` sessions: a new session ends the oldest. Log-ins at the
    same moment do not wait for each other, so there may be a few more sessions until the next log-in.
    """
    # a shared lock: excludes the deactivation and log-out of this user, but not other log-ins
    user = await session.scalar(
        select(User).where(User.id == user_id).with_for_update(read=True).execution_options(populate_existing=True)
    )
    if user is None or not user.is_active:
        return None
    if checked is not None and checked.password_changed_at != user.password_changed_at:
        return None
    now = clock.now()
    await _end_surplus(session, user_id, kept=settings.auth.sessions_per_user_max - 1)
    started = UserSession(
        user_id=user_id,
        kind=kind,
        created_at=now,
        expires_at=now + timedelta(seconds=settings.auth.session_ttl_s),
        last_used_at=now,
        authenticated_at=now,
        second_factor_at=now if has_second_factor else None,
        address=client.address if client else None,
        agent=client.agent[:AGENT_LENGTH_MAX] if client and client.agent else None,
    )
    session.add(started)
    await session.flush()
    return await _issue(session, settings, user, started)


async def refresh_session(
    session: AsyncSession, settings: Settings, secret: str, *, received_at: datetime
) -> Issued | RefreshTokenInvalid | RefreshTokenUsed:
    """Exchange a refresh token for a new one of the same session. `received_at` is when the request arrived."""
    # token and session are always locked in this order, and read again under the lock
    found = await session.execute(
        select(SessionToken, UserSession, User)
        .join(UserSession, UserSession.id == SessionToken.session_id)
        .join(User, User.id == UserSession.user_id)
        .where(SessionToken.token_hash == hash_secret(secret), UserSession.kind == "token")
        .with_for_update(of=[SessionToken, UserSession], key_share=True)
        .execution_options(populate_existing=True)
    )
    row = found.one_or_none()
    now = clock.now()
    if row is None or row.SessionToken.expires_at <= now:
        return RefreshTokenInvalid("The refresh token is unknown or has expired; log in.")
    token, family, user = row.SessionToken, row.UserSession, row.User
    if token.used_at is not None:
        return await _refuse_used(session, settings, token, family, received_at)
    if family.revoked_at is not None or family.expires_at <= now or not user.is_active:
        return RefreshTokenInvalid("The session has ended; log in.")
    token.used_at = now
    family.last_used_at = now
    await session.flush()
    # an expired token is handled like an unknown one, so its row is not needed
    await session.execute(
        delete(SessionToken).where(SessionToken.session_id == family.id, SessionToken.expires_at < now)
    )
    await record_event(
        session, payloads.SessionRefreshed(session_id=family.id), actor_id=family.user_id, user_id=family.user_id
    )
    return await _issue(session, settings, user, family)


async def list_sessions(session: AsyncSession, user_id: UUID) -> Sequence[UserSession]:
    """The open sessions of a user, the last used first."""
    found = await session.scalars(
        select(UserSession)
        .where(UserSession.user_id == user_id, UserSession.revoked_at.is_(None), UserSession.expires_at > clock.now())
        .order_by(UserSession.last_used_at.desc(), UserSession.id)
    )
    return found.all()


async def end_session(session: AsyncSession, session_id: UUID, *, user_id: UUID) -> bool:
    """Log out: the session's refresh tokens, access tokens and cookie become invalid. False if it is no open session."""
    ended = await session.scalar(
        update(UserSession)
        .where(UserSession.id == session_id, UserSession.user_id == user_id, UserSession.revoked_at.is_(None))
        .values(revoked_at=clock.now())
        .returning(UserSession.id)
        .execution_options(synchronize_session=False)
    )
    if ended is not None:
        signal_commit(session, TOKENS_REVOKED)
        await record_event(session, payloads.LoggedOut(), actor_id=user_id, user_id=user_id)
    return ended is not None


async def is_session_open(session: AsyncSession, session_id: UUID, *, user_id: UUID, token_version: int) -> bool:
    """Whether the session has not ended, its owner is active, and `token_version` is the current one."""
    found = await session.scalar(
        select(User.id)
        .join(UserSession, UserSession.user_id == User.id)
        .where(
            UserSession.id == session_id,
            UserSession.revoked_at.is_(None),
            UserSession.expires_at > clock.now(),
            User.id == user_id,
            User.is_active,
            User.token_version == token_version,
        )
    )
    return found is not None


async def find_session_of_cookie(session: AsyncSession, secret: str) -> tuple[User, UserSession] | None:
    """The owner of the cookie and the session; None if the cookie is not valid."""
    now = clock.now()
    found = await session.execute(
        select(User, UserSession)
        .join(UserSession, UserSession.user_id == User.id)
        .join(SessionToken, SessionToken.session_id == UserSession.id)
        .where(
            SessionToken.token_hash == hash_secret(secret),
            SessionToken.expires_at > now,
            UserSession.kind == "browser",
            UserSession.revoked_at.is_(None),
            UserSession.expires_at > now,
            User.is_active,
        )
    )
    row = found.one_or_none()
    return None if row is None else (row[0], row[1])


async def _refuse_used(
    session: AsyncSession, settings: Settings, token: SessionToken, family: UserSession, received_at: datetime
) -> RefreshTokenUsed:
    assert token.used_at is not None
    is_reuse = received_at > token.used_at + timedelta(seconds=settings.auth.refresh_grace_s)
    if family.revoked_at is None:  # reuse after the end of a session is not recorded, so that it cannot fill the table
        if is_reuse:
            family.revoked_at = clock.now()
            await session.flush()
            signal_commit(session, TOKENS_REVOKED)
            await order_mail(session, Purpose.SESSION_ENDED_BY_REUSE, family.user_id)
        await record_event(
            session, payloads.RefreshTokenReused(session_ended=is_reuse), actor_id=None, user_id=family.user_id
        )
    if is_reuse:
        msg = "The refresh token was used before and may have been stolen, so the session has ended; log in."
    else:
        msg = "The same refresh token was sent twice; use the token in the other response."
    return RefreshTokenUsed(msg, session_ended=family.revoked_at is not None)


async def _end_surplus(session: AsyncSession, user_id: UUID, *, kept: int) -> None:
    """End all but the newest `kept` sessions of a user, and delete those that have expired."""
    now = clock.now()
    # sessions that another log-in is ending at the same time are skipped: waiting for them could deadlock
    of_user = select(UserSession.id).where(UserSession.user_id == user_id)
    expired = of_user.where(UserSession.expires_at < now).with_for_update(skip_locked=True)
    await session.execute(delete(UserSession).where(UserSession.id.in_(expired)))
    surplus = (
        of_user.where(UserSession.revoked_at.is_(None))
        .order_by(UserSession.created_at.desc(), UserSession.id.desc())
        .offset(kept)
    )
    free = select(UserSession.id).where(UserSession.id.in_(surplus)).with_for_update(skip_locked=True, key_share=True)
    ended = await session.scalars(
        update(UserSession)
        .where(UserSession.id.in_(free))
        .values(revoked_at=now)
        .returning(UserSession.id)
        .execution_options(synchronize_session=False)
    )
    if ended.first() is not None:
        signal_commit(session, TOKENS_REVOKED)


async def _issue(session: AsyncSession, settings: Settings, user: User, family: UserSession) -> Issued:
    """The next secret of a session. It is valid for `refresh_token_ttl_s`, but not longer than its session."""
    now = clock.now()
    secret = new_secret()
    expires_at = min(now + timedelta(seconds=settings.auth.refresh_token_ttl_s), family.expires_at)
    session.add(
        SessionToken(session_id=family.id, token_hash=hash_secret(secret), issued_at=now, expires_at=expires_at)
    )
    await session.flush()
    has_second_factor = family.second_factor_at is not None
    return Issued(user, family.id, secret, expires_at, family.expires_at, has_second_factor)
