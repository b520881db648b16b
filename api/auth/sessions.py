"""Log-ins: sessions from the password to the log-out, with refresh tokens that can be used once.

A session is the family of all tokens that follow from one log-in. If a refresh token is used a second time, two clients
have it and one may have stolen it, so the session ends for both (RFC 9700, 4.14). The exception is a client that sends
the same refresh twice, such as two tabs of a browser: a request that arrives before or at most `refresh_grace_s` seconds
after the token was used is not a reuse. It is refused as well, because a token succeeds once, but the session continues.

Refusals that must be recorded (a failed log-in, a reuse) are returned as errors and not raised: raising would roll back
the record.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from sqlalchemy import delete, select, update

from api.auth.account_mails import Purpose, order_mail
from api.auth.errors import LogInFailed, RefreshTokenInvalid, RefreshTokenUsed
from api.auth.models import TOKENS_REVOKED, SessionToken, User, UserSession
from api.auth.passwords import hash_password, needs_rehash
from api.auth.service import find_user_by_email
from api.auth.tokens import hash_secret, new_secret
from api.events import payloads
from api.events.service import record_event
from api.kernel import clock
from api.kernel.db import signal_commit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.auth.passwords import Passwords
    from api.auth.throttle import LogInDelays
    from api.kernel.db import Database
    from settings import Settings

AGENT_LENGTH_MAX = 300
SessionKind = Literal["token", "browser"]


@dataclass(frozen=True)
class Attempt:
    """The result of checking a password.

    `new_hash` replaces a stored hash that has old parameters.
    """

    user: User | None
    succeeded: bool
    new_hash: str | None = None


@dataclass(frozen=True)
class Client:
    """Where a session is used: the network address and the name that the program reports."""

    address: str | None = None
    agent: str | None = None


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


async def authenticate(
    database: Database, passwords: Passwords, delays: LogInDelays, *, email: str, password: str, address: str
) -> Attempt:
    """Check a password. Uses a database session of its own and ends it before it waits for a slot.

    An unknown address takes as long as a known one. The delays are checked again when a slot is free, so that of many
    attempts at the same time only as many as there are slots pass the check.

    Raises:
        TooManyAttempts: too many attempts failed before, for this account or from this address.
        PasswordsBusy: too many attempts are waiting.
    """
    delays.check(email, address)
    async with database.session() as session:
        user = await find_user_by_email(session, email)
    async with passwords.slot():
        delays.check(email, address)
        matches = await passwords.verify(user.password_hash if user else None, password)
        if user is None or not matches or not user.is_active or user.email_verified_at is None:
            delays.failed(email, address)
            return Attempt(user, succeeded=False)
        delays.succeeded(email, address)
        stale = user.password_hash is not None and needs_rehash(user.password_hash)
        new_hash = await asyncio.to_thread(hash_password, password) if stale else None
    return Attempt(user, succeeded=True, new_hash=new_hash)


async def log_in(
    session: AsyncSession, settings: Settings, attempt: Attempt, *, kind: SessionKind, client: Client
) -> Issued | LogInFailed:
    """Start a session if the attempt succeeded, and record the log-in or the failure."""
    user = attempt.user
    if user is None or not attempt.succeeded:
        await record_event(session, payloads.LogInFailed(), actor_id=None, user_id=user.id if user else None)
        return LogInFailed()
    if attempt.new_hash is not None:  # before start_session, which takes a weaker lock on the same row
        await session.execute(
            update(User)
            .where(User.id == user.id, User.password_hash == user.password_hash)
            .values(password_hash=attempt.new_hash)
        )
    issued = await start_session(session, settings, user.id, kind=kind, client=client, checked=user)
    if issued is None:  # deactivated, or with a new password, after the check
        await record_event(session, payloads.LogInFailed(), actor_id=None, user_id=user.id)
        return LogInFailed()
    await record_event(session, payloads.LoggedIn(session_kind=kind), actor_id=user.id, user_id=user.id)
    return issued


async def start_session(
    session: AsyncSession,
    settings: Settings,
    user_id: UUID,
    *,
    kind: SessionKind,
    client: Client | None = None,
    checked: User | None = None,
) -> Issued | None:
    """A new session with its first secret, or None if the user may not log in.

    `checked` is the user as the password was checked: a password that was changed meanwhile starts no session.

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


async def find_user_of_cookie(session: AsyncSession, secret: str) -> tuple[User, UUID] | None:
    """The owner of the cookie and the session; None if the cookie is not valid."""
    now = clock.now()
    found = await session.execute(
        select(User, UserSession.id)
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
    return Issued(user, family.id, secret, expires_at, family.expires_at)
