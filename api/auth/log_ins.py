"""Log-ins by address and password: the check, the second step if one is needed, and the start of the session.

Refusals that must be recorded (a failed log-in) are returned as errors and not raised: raising would roll back the record.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import update

from api.auth.account_mails import Purpose, order_mail
from api.auth.errors import LogInFailed
from api.auth.models import User
from api.auth.passwords import hash_password, needs_rehash
from api.auth.second_factors.service import Factor, ask_second_step
from api.auth.service import find_user_by_email
from api.auth.sessions import Client, Issued, SessionKind, start_session
from api.events import payloads
from api.events.service import record_event

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.auth.passwords import Passwords
    from api.auth.second_factors.errors import SecondStepRequired
    from api.auth.throttle import LogInDelays
    from api.kernel.db import Database
    from settings import Settings


@dataclass(frozen=True)
class Attempt:
    """The result of checking a password.

    `new_hash` replaces a stored hash that has old parameters. `is_suspect`: many log-ins to the account have failed, and
    none has succeeded from there before. `alerts`: the owner is informed of these failures now.
    """

    user: User | None
    succeeded: bool
    new_hash: str | None = None
    is_suspect: bool = False
    alerts: bool = False


async def authenticate(
    database: Database, passwords: Passwords, delays: LogInDelays, *, email: str, password: str, client: Client
) -> Attempt:
    """Check a password. Uses short database sessions of its own, none of which is open while it waits for a slot.

    An unknown address takes as long as a known one. The delays are checked again when a slot is free, so that of many
    attempts at the same time only as many as there are slots pass the check.

    Raises:
        TooManyAttempts: too many attempts failed before, for this account or from this address.
        PasswordsBusy: too many attempts are waiting.
    """
    async with database.session() as session:
        user = await find_user_by_email(session, email)
        # the stored address, so that all spellings with which the database finds an account have one count
        counted = email if user is None or user.email is None else user.email
        origin = client.origin(user)
        await delays.check(session, counted, origin)
    async with passwords.slot():
        async with database.session() as session:
            standing = await delays.check(session, counted, origin)
        matches = await passwords.verify(user.password_hash if user else None, password)
        if user is None or not matches or not user.is_active or user.email_verified_at is None:
            async with database.session() as session:
                alerts = await delays.failed(session, standing)
            return Attempt(user, succeeded=False, alerts=alerts)
        stale = user.password_hash is not None and needs_rehash(user.password_hash)
        new_hash = await asyncio.to_thread(hash_password, password) if stale else None
    is_suspect = standing.is_under_attack and not standing.is_known
    return Attempt(user, succeeded=True, new_hash=new_hash, is_suspect=is_suspect)


async def log_in(
    session: AsyncSession,
    settings: Settings,
    delays: LogInDelays,
    attempt: Attempt,
    *,
    kind: SessionKind,
    client: Client,
) -> Issued | LogInFailed | SecondStepRequired:
    """Start a session if the attempt succeeded, or ask for a second step; record the log-in or the failure."""
    user = attempt.user
    if user is None or not attempt.succeeded:
        user_id = user.id if user else None
        await record_event(session, payloads.LogInFailed(), actor_id=None, user_id=user_id)
        if attempt.alerts:
            await order_mail(session, Purpose.LOG_INS_DELAYED, user_id)
        return LogInFailed()
    if attempt.new_hash is not None:  # before start_session, which takes a weaker lock on the same row
        await session.execute(
            update(User)
            .where(User.id == user.id, User.password_hash == user.password_hash)
            .values(password_hash=attempt.new_hash)
        )
    asked = await ask_second_step(session, settings, user, is_suspect=attempt.is_suspect)
    if asked is not None:
        return asked
    return await complete_log_in(session, settings, delays, user, kind=kind, client=client)


async def complete_log_in(
    session: AsyncSession,
    settings: Settings,
    delays: LogInDelays,
    user: User,
    *,
    kind: SessionKind,
    client: Client,
    factor: str | None = None,
) -> Issued | LogInFailed:
    """Start the session of a user who has passed all steps; `factor` is that of the second step."""
    is_second_factor = factor is not None and factor != Factor.MAILED_CODE
    issued = await start_session(
        session, settings, user.id, kind=kind, client=client, checked=user, has_second_factor=is_second_factor
    )
    if issued is None:  # deactivated, or with a new password, after the check
        await record_event(session, payloads.LogInFailed(), actor_id=None, user_id=user.id)
        return LogInFailed()
    if user.email is not None:
        await delays.succeeded(session, user.email, client.origin(user))
    await record_event(session, payloads.LoggedIn(session_kind=kind, factor=factor), actor_id=user.id, user_id=user.id)
    return issued
