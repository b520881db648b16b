"""Challenges: what a client holds between the first and the second step of a log-in, or while a passkey signs.

A challenge can be used once, expires after `TTL`, and is void after `FAILURES_MAX` wrong codes, a change of the password,
or the deactivation of the user.
"""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import select, text, update

from api.auth.errors import TooManyAttempts
from api.auth.models import User
from api.auth.second_factors.models import LogInChallenge
from api.kernel import clock
from api.kernel.jobs import Job
from api.kernel.stored_secrets import hash_secret, new_secret

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.kernel.container import KernelContainer

TTL = timedelta(minutes=10)
FAILURES_MAX = 5
MAIL_CODE_DIGITS = 8
MAILED_CODES_MAX = 5
_WEBAUTHN_BYTES = 32

_DELETE_OLD = text(
    """
    DELETE FROM app.log_in_challenges AS c
    WHERE c.id = ANY (ARRAY(
        SELECT x.id FROM app.log_in_challenges AS x WHERE x.expires_at < now() - interval '1 day' LIMIT :rows_max
    ))
    """
)
_DELETE_OLD_COUNTS = text(
    """
    DELETE FROM app.log_in_counts AS c
    WHERE c.key = ANY (ARRAY(
        SELECT x.key FROM app.log_in_counts AS x
        WHERE greatest(x.failed_at + interval '1 day', x.succeeded_at + interval '90 days') < now() LIMIT :rows_max
    ))
    """
)


class Purpose(StrEnum):
    """What a challenge is for."""

    SECOND_STEP = "second_step"
    MAILED_CODE = "mailed_code"
    PASSKEY_LOG_IN = "passkey_log_in"
    PASSKEY_REGISTRATION = "passkey_registration"


@dataclass(frozen=True)
class Challenge:
    """A new challenge; `secret` is for the client, `webauthn` is what a passkey signs."""

    id: UUID
    secret: str
    webauthn: bytes


async def create(session: AsyncSession, purpose: Purpose, user: User | None = None) -> Challenge:
    """A challenge for a user, or for whoever has a passkey."""
    secret, webauthn = new_secret(), secrets.token_bytes(_WEBAUTHN_BYTES)
    row = LogInChallenge(
        secret_hash=hash_secret(secret),
        purpose=purpose,
        user_id=user.id if user else None,
        password_changed_at=user.password_changed_at if user else None,
        webauthn_challenge=webauthn,
        expires_at=clock.now() + TTL,
    )
    session.add(row)
    await session.flush()
    return Challenge(row.id, secret, webauthn)


async def find(session: AsyncSession, secret: str, *purposes: Purpose) -> LogInChallenge | None:
    """The valid challenge with this secret, locked with its user; None if there is none."""
    found = select(LogInChallenge).where(
        LogInChallenge.secret_hash == hash_secret(secret),
        LogInChallenge.purpose.in_(purposes),
        LogInChallenge.expires_at > clock.now(),
        LogInChallenge.used_at.is_(None),
        LogInChallenge.failures < FAILURES_MAX,
    )
    user_id = await session.scalar(found.with_only_columns(LogInChallenge.user_id))
    # users are locked before challenges; a password cannot be changed, or sessions ended, until the step is committed
    user = None if user_id is None else await lock_for_log_in(session, user_id)
    challenge = await session.scalar(found.with_for_update().execution_options(populate_existing=True))
    if challenge is None or challenge.user_id is None:
        return challenge
    is_current = user is not None and user.is_active and user.password_changed_at == challenge.password_changed_at
    return challenge if is_current else None


async def lock_for_log_in(session: AsyncSession, user_id: UUID) -> User | None:
    """The user, locked against changes of the account, but not against other log-ins."""
    return await session.get(User, user_id, with_for_update={"read": True}, populate_existing=True)


async def check_mailed_codes(session: AsyncSession, user_id: UUID) -> None:
    """Refuse a further code by mail while `MAILED_CODES_MAX` are valid. Only who has the password can cause this.

    Raises:
        TooManyAttempts: with the seconds until the first of them expires.
    """
    open_until = await session.scalars(
        select(LogInChallenge.expires_at)
        .where(
            LogInChallenge.user_id == user_id,
            LogInChallenge.purpose == Purpose.MAILED_CODE,
            LogInChallenge.expires_at > clock.now(),
            LogInChallenge.used_at.is_(None),
        )
        .order_by(LogInChallenge.expires_at)
    )
    ends = open_until.all()
    if len(ends) >= MAILED_CODES_MAX:
        raise TooManyAttempts(math.ceil((ends[0] - clock.now()).total_seconds()))


async def use(session: AsyncSession, challenge: LogInChallenge) -> None:
    """Void the challenge, because its step succeeded."""
    challenge.used_at = clock.now()
    await session.flush()


async def fail(session: AsyncSession, challenge: LogInChallenge) -> None:
    """Count a wrong code."""
    challenge.failures += 1
    await session.flush()


async def set_mail_code(session: AsyncSession, challenge_id: UUID) -> str | None:
    """A new code for a challenge, of eight digits; None if the challenge is not valid any more. Replaces an earlier code."""
    code = f"{secrets.randbelow(10**MAIL_CODE_DIGITS):0{MAIL_CODE_DIGITS}}"
    changed = await session.scalar(
        update(LogInChallenge)
        .where(
            LogInChallenge.id == challenge_id, LogInChallenge.expires_at > clock.now(), LogInChallenge.used_at.is_(None)
        )
        .values(mail_code_hash=_hash_code(challenge_id, code))
        .returning(LogInChallenge.id)
        .execution_options(synchronize_session=False)
    )
    return None if changed is None else code


def accepts_mail_code(challenge: LogInChallenge, code: str) -> bool:
    """Whether this is the code that was mailed for the challenge."""
    return challenge.mail_code_hash is not None and secrets.compare_digest(
        challenge.mail_code_hash, _hash_code(challenge.id, code)
    )


async def delete_old_challenges(container: KernelContainer) -> int:
    """Delete challenges that expired more than a day ago, and old counts of failed log-ins; returns how many."""
    deleted = await container.database.delete_in_parts(_DELETE_OLD)
    return deleted + await container.database.delete_in_parts(_DELETE_OLD_COUNTS)


def _hash_code(challenge_id: UUID, code: str) -> bytes:
    """A fast hash: the code is void before its 10^8 values could be tried, and of no use without the password."""
    return hash_secret(f"{challenge_id}:{code}")


DELETE_OLD = Job(name="delete_old_challenges", run=delete_old_challenges, cron="57 1 * * *")
