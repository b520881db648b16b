"""Log-ins: from the password to the log-out, with refresh tokens that are used once.

A session is the family of all tokens that follow from one log-in. A refresh token that comes a second time means that
two hold it, the owner and somebody else, and nobody can tell which is which: the session ends for both (RFC 9700, 4.14).
The exception is a client that sends the same refresh twice at once. A request that had arrived before the token was
used is no reuse: it is refused all the same, since a token has one winner, and the winner keeps the session.

What is refused and yet has to be remembered (a failed log-in, a reuse) is returned as an error and not raised: raising
would roll the record back.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from sqlalchemy import delete, select, update

from api.auth.errors import LogInFailed, RefreshTokenInvalid, RefreshTokenUsed
from api.auth.models import SessionToken, User, UserSession
from api.auth.passwords import hash_password, needs_rehash
from api.auth.service import find_user_by_email
from api.auth.tokens import hash_secret, new_secret
from api.events import payloads
from api.events.service import record_event
from api.kernel import clock

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.auth.passwords import Passwords
    from api.auth.throttle import LogInDelays
    from api.kernel.db import Database
    from settings import Settings

SessionKind = Literal["token", "browser"]


@dataclass(frozen=True)
class Attempt:
    """A password that was tried: whose it would be, whether it was right, and a fresh hash where the kept one aged."""

    user: User | None
    succeeded: bool
    new_hash: str | None = None


@dataclass(frozen=True)
class Issued:
    """A secret that is handed out now and never again: a refresh token, or the value of the browser's cookie."""

    user: User
    session_id: UUID
    secret: str
    expires_at: datetime


async def authenticate(
    database: Database, passwords: Passwords, delays: LogInDelays, *, email: str, password: str, address: str
) -> Attempt:
    """Try a password. Takes a session of its own and gives it back before the hash, which may wait for its turn.

    An unknown address costs the same hash as a known one. The delays are asked again once it is this attempt's turn, so
    that of many attempts at once no more get through than there are places for hashes.

    Raises:
        TooManyAttempts: too many failed before, for this account or from this address.
        PasswordsBusy: too many are waiting.
    """
    delays.check(email, address)
    async with database.session() as session:
        user = await find_user_by_email(session, email)
    async with passwords.place():
        delays.check(email, address)
        matches = await passwords.verify(user.password_hash if user else None, password)
        if user is None or not matches or not user.is_active:
            delays.failed(email, address)
            return Attempt(user, succeeded=False)
        delays.succeeded(email, address)
        stale = user.password_hash is not None and needs_rehash(user.password_hash)
        new_hash = await asyncio.to_thread(hash_password, password) if stale else None
    return Attempt(user, succeeded=True, new_hash=new_hash)


async def log_in(
    session: AsyncSession, settings: Settings, attempt: Attempt, *, kind: SessionKind
) -> Issued | LogInFailed:
    """Start a session where the attempt succeeded, and record either way."""
    user = attempt.user
    if user is None or not attempt.succeeded:
        await record_event(session, payloads.LogInFailed(), actor_id=None, user_id=user.id if user else None)
        return LogInFailed()
    if attempt.new_hash is not None:  # ahead of start_session, whose lock is the weaker one
        await session.execute(
            update(User)
            .where(User.id == user.id, User.password_hash == user.password_hash)
            .values(password_hash=attempt.new_hash)
        )
    issued = await start_session(session, settings, user.id, kind=kind)
    if issued is None:  # deactivated since
        await record_event(session, payloads.LogInFailed(), actor_id=None, user_id=user.id)
        return LogInFailed()
    await record_event(session, payloads.LoggedIn(session_kind=kind), actor_id=user.id, user_id=user.id)
    return issued


async def start_session(
    session: AsyncSession, settings: Settings, user_id: UUID, *, kind: SessionKind
) -> Issued | None:
    """A new session with its first secret, or None where the user may not log in.

    A user has `settings.auth.sessions_per_user_max` at once: the oldest end for a new one. Log-ins at the same moment do not
    wait for each other, so they may be a few more until the next.
    """
    # a shared lock: whoever deactivates or logs out this user waits for us or we for them, log-ins pass each other
    user = await session.scalar(
        select(User).where(User.id == user_id).with_for_update(read=True).execution_options(populate_existing=True)
    )
    if user is None or not user.is_active:
        return None
    now = clock.now()
    await _end_surplus(session, user_id, kept=settings.auth.sessions_per_user_max - 1)
    started = UserSession(
        user_id=user_id,
        kind=kind,
        created_at=now,
        expires_at=now + timedelta(seconds=settings.auth.session_ttl_s),
    )
    session.add(started)
    await session.flush()
    return await _issue(session, settings, user, started)


async def refresh_session(
    session: AsyncSession, settings: Settings, secret: str, *, received_at: datetime
) -> Issued | RefreshTokenInvalid | RefreshTokenUsed:
    """Trade a refresh token for a new one of the same session. `received_at` is when the request arrived."""
    # token and session are locked in one order, and read again once the lock is held
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
        return await _refuse_used(session, token, family, received_at)
    if family.revoked_at is not None or family.expires_at <= now or not user.is_active:
        return RefreshTokenInvalid("The session has ended; log in.")
    token.used_at = now
    await session.flush()
    # what has expired can no longer be told from what never was
    await session.execute(
        delete(SessionToken).where(SessionToken.session_id == family.id, SessionToken.expires_at < now)
    )
    return await _issue(session, settings, user, family)


async def end_session(session: AsyncSession, session_id: UUID, *, user_id: UUID) -> None:
    """Log out: the session's refresh tokens, its access tokens and its cookie hold no longer."""
    ended = await session.scalar(
        update(UserSession)
        .where(UserSession.id == session_id, UserSession.user_id == user_id, UserSession.revoked_at.is_(None))
        .values(revoked_at=clock.now())
        .returning(UserSession.id)
        .execution_options(synchronize_session=False)
    )
    if ended is not None:
        await record_event(session, payloads.LoggedOut(), actor_id=user_id, user_id=user_id)


async def find_user_of_session(session: AsyncSession, session_id: UUID, *, token_version: int) -> User | None:
    """Whose session this is, if it is alive, its owner active, and no later token version has been declared."""
    return await session.scalar(
        select(User)
        .join(UserSession, UserSession.user_id == User.id)
        .where(
            UserSession.id == session_id,
            UserSession.revoked_at.is_(None),
            UserSession.expires_at > clock.now(),
            User.is_active,
            User.token_version == token_version,
        )
    )


async def find_user_of_cookie(session: AsyncSession, secret: str) -> tuple[User, UUID] | None:
    """Whose browser this is, and the session; None where the cookie does not hold."""
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
    session: AsyncSession, token: SessionToken, family: UserSession, received_at: datetime
) -> RefreshTokenUsed:
    assert token.used_at is not None
    is_reuse = received_at > token.used_at
    if family.revoked_at is None:  # once ended, further reuse is no news, and must not fill the table
        if is_reuse:
            family.revoked_at = clock.now()
            await session.flush()
        await record_event(
            session, payloads.RefreshTokenReused(session_ended=is_reuse), actor_id=None, user_id=family.user_id
        )
    if is_reuse:
        msg = "The refresh token was used before. Somebody else may hold it, so the session has ended; log in."
    else:
        msg = "The same refresh was sent twice at once; use the token that the other request was given."
    return RefreshTokenUsed(msg, session_ended=family.revoked_at is not None)


async def _end_surplus(session: AsyncSession, user_id: UUID, *, kept: int) -> None:
    """End all but the newest `kept` sessions of a user, and delete those that have expired."""
    now = clock.now()
    # what another log-in is ending at this moment is passed over: waiting for it in another order is a deadlock
    of_user = select(UserSession.id).where(UserSession.user_id == user_id)
    expired = of_user.where(UserSession.expires_at < now).with_for_update(skip_locked=True)
    await session.execute(delete(UserSession).where(UserSession.id.in_(expired)))
    surplus = (
        of_user.where(UserSession.revoked_at.is_(None))
        .order_by(UserSession.created_at.desc(), UserSession.id.desc())
        .offset(kept)
    )
    free = select(UserSession.id).where(UserSession.id.in_(surplus)).with_for_update(skip_locked=True, key_share=True)
    await session.execute(
        update(UserSession)
        .where(UserSession.id.in_(free))
        .values(revoked_at=now)
        .execution_options(synchronize_session=False)
    )


async def _issue(session: AsyncSession, settings: Settings, user: User, family: UserSession) -> Issued:
    """The next secret of a session. Each lives `refresh_token_ttl_s`, and none longer than its session."""
    now = clock.now()
    secret = new_secret()
    expires_at = min(now + timedelta(seconds=settings.auth.refresh_token_ttl_s), family.expires_at)
    session.add(
        SessionToken(session_id=family.id, token_hash=hash_secret(secret), issued_at=now, expires_at=expires_at)
    )
    await session.flush()
    return Issued(user, family.id, secret, expires_at)
