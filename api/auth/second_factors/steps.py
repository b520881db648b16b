"""The second step of a log-in, log-ins by passkey, and the confirmation that it is still the user.

As in :mod:`api.auth.sessions`, refusals that must be recorded are returned as errors and not raised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

from sqlalchemy import update

from api.auth.errors import LogInFailed
from api.auth.log_ins import complete_log_in
from api.auth.models import User, UserSession
from api.auth.second_factors import apps, challenges, passkeys, recovery_codes
from api.auth.second_factors.challenges import Purpose
from api.auth.second_factors.errors import ChallengeInvalid, CodeWrong, PasskeyRefused
from api.auth.second_factors.service import Factor, factors_of
from api.auth.sessions import Client, Issued, SessionKind
from api.events import payloads
from api.events.service import record_event
from api.kernel import clock

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.auth.second_factors.models import LogInChallenge
    from api.auth.throttle import LogInDelays
    from settings import Settings

Refused: TypeAlias = ChallengeInvalid | CodeWrong | PasskeyRefused | LogInFailed


async def second_step(
    session: AsyncSession,
    settings: Settings,
    delays: LogInDelays,
    *,
    challenge: str,
    code: str | None,
    response: dict[str, Any] | None,
    kind: SessionKind,
    client: Client,
) -> Issued | Refused:
    """Start the session of a log-in whose password was right, by a code or the response of a passkey.

    Raises:
        TooManyAttempts: too many codes of this account were wrong.
    """
    found = await challenges.find(session, challenge, Purpose.SECOND_STEP, Purpose.MAILED_CODE)
    if found is None:
        return ChallengeInvalid()
    assert found.user_id is not None, "a constraint of the table"
    user = await session.get_one(User, found.user_id)
    if response is not None:
        try:
            passkey = await passkeys.use(session, settings, response=response, challenge=found.webauthn_challenge)
        except PasskeyRefused as error:
            return await _refuse(session, found, error)
        if passkey.user_id != user.id:
            return await _refuse(session, found, PasskeyRefused())
        factor = Factor.PASSKEY
    else:
        await delays.try_second_step(session, user.id)
        used = await _use_code(session, settings, found, user.id, code or "")
        if used is None:
            return await _refuse(session, found, CodeWrong())
        await delays.second_step_succeeded(session, user.id)
        factor = used
    await challenges.use(session, found)
    return await complete_log_in(session, settings, delays, user, kind=kind, client=client, factor=factor)


async def begin_passkey_log_in(session: AsyncSession, settings: Settings) -> tuple[str, dict[str, Any]]:
    """The secret of a challenge, and what the browser needs to use any passkey that it has for this site."""
    challenge = await challenges.create(session, Purpose.PASSKEY_LOG_IN)
    return challenge.secret, passkeys.log_in_options(settings, (), challenge.webauthn)


async def log_in_by_passkey(
    session: AsyncSession,
    settings: Settings,
    delays: LogInDelays,
    *,
    challenge: str,
    response: dict[str, Any],
    kind: SessionKind,
    client: Client,
) -> Issued | Refused:
    """Start a session for the owner of the passkey. No failures of others delay it, and no password is needed.

    Where only identity providers identify users, a passkey is refused as a password is.
    """
    found = await challenges.find(session, challenge, Purpose.PASSKEY_LOG_IN)
    if found is None:
        return ChallengeInvalid()
    try:
        passkey = await passkeys.use(session, settings, response=response, challenge=found.webauthn_challenge)
    except PasskeyRefused as error:
        return await _refuse(session, found, error)
    await challenges.use(session, found)
    user = await session.get_one(User, passkey.user_id)
    if not user.is_active or user.email_verified_at is None or not settings.sso.allows_password(user.email):
        await record_event(session, payloads.LogInFailed(), actor_id=None, user_id=user.id)
        return PasskeyRefused()
    return await complete_log_in(session, settings, delays, user, kind=kind, client=client, factor=Factor.PASSKEY)


async def confirm(
    session: AsyncSession, settings: Settings, delays: LogInDelays, user: User, session_id: UUID, *, code: str | None
) -> CodeWrong | None:
    """Note that the user has just proved who they are: the caller has checked the password, this checks the code.

    A user with an authenticator app or recovery codes needs a code. One whose only factor is a passkey logs in again
    instead, so a password alone is refused.

    Raises:
        TooManyAttempts: too many codes of this account were wrong.
    """
    factors = (await factors_of(session, user.id)).names
    if factors:
        await delays.try_second_step(session, user.id)
        if code is None or await _use_own_code(session, settings, user.id, code) is None:
            await record_event(session, payloads.SecondFactorFailed(), actor_id=None, user_id=user.id)
            return CodeWrong()
        await delays.second_step_succeeded(session, user.id)
    values: dict[str, Any] = {"authenticated_at": clock.now()}
    if factors:
        values["second_factor_at"] = clock.now()
    await session.execute(
        update(UserSession)
        .where(UserSession.id == session_id, UserSession.user_id == user.id)
        .values(values)
        .execution_options(synchronize_session=False)
    )
    await record_event(session, payloads.Confirmed(), actor_id=user.id, user_id=user.id)
    return None


async def _use_code(
    session: AsyncSession, settings: Settings, challenge: LogInChallenge, user_id: UUID, code: str
) -> Factor | None:
    """The factor whose code this is; the code is used. A mailed code does only if the challenge asks for one."""
    if challenge.purpose == Purpose.MAILED_CODE:
        return Factor.MAILED_CODE if challenges.accepts_mail_code(challenge, _plain(code)) else None
    return await _use_own_code(session, settings, user_id, code)


async def _use_own_code(session: AsyncSession, settings: Settings, user_id: UUID, code: str) -> Factor | None:
    code = _plain(code)
    if await apps.accepts(session, settings.auth, user_id, code):
        return Factor.APP
    if len(code) == recovery_codes.LENGTH and await recovery_codes.accepts(session, user_id, code):
        await record_event(session, payloads.RecoveryCodeUsed(), actor_id=user_id, user_id=user_id)
        return Factor.RECOVERY_CODE
    return None


async def _refuse(session: AsyncSession, challenge: LogInChallenge, error: Refused) -> Refused:
    await challenges.fail(session, challenge)
    await record_event(session, payloads.SecondFactorFailed(), actor_id=None, user_id=challenge.user_id)
    return error


def _plain(code: str) -> str:
    """A code without the blanks and hyphens that people type."""
    return "".join(code.split()).replace("-", "")
