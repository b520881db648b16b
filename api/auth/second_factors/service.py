"""The second factors of a user: which they have, adding and removing them, and whether they are demanded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import select, update

from api.auth.account_mails import Purpose as MailPurpose
from api.auth.account_mails import order_mail
from api.auth.lifecycle import end_all_sessions
from api.auth.models import TOKENS_REVOKED, User, UserSession
from api.auth.second_factors import apps, challenges, passkeys, recovery_codes
from api.auth.second_factors.errors import ChallengeInvalid, LogInNotRecent, SecondStepRequired
from api.auth.sso.models import ProviderSession
from api.events import payloads
from api.events.service import record_event
from api.kernel import clock
from api.kernel.db import signal_commit
from api.kernel.errors import NotFound
from api.kernel.permissions import SystemRole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.auth.second_factors.models import Passkey
    from settings import Settings

RECENT = timedelta(minutes=10)


class Factor(StrEnum):
    """What a second step accepts."""

    APP = "authenticator_app"
    RECOVERY_CODE = "recovery_code"
    PASSKEY = "passkey"
    MAILED_CODE = "mailed_code"


@dataclass(frozen=True)
class Factors:
    """The factors of a user; recovery codes alone are no factor."""

    app_since: datetime | None
    passkeys: Sequence[Passkey]
    recovery_codes_left: int

    @property
    def names(self) -> list[Factor]:
        """What a second step accepts; empty without a factor."""
        found = [Factor.APP] if self.app_since is not None else []
        if self.passkeys:
            found.append(Factor.PASSKEY)
        if found and self.recovery_codes_left:
            found.append(Factor.RECOVERY_CODE)
        return found


async def factors_of(session: AsyncSession, user_id: UUID) -> Factors:
    """The factors of a user."""
    app = await apps.find(session, user_id)
    return Factors(
        app.confirmed_at if app else None,
        await passkeys.of_user(session, user_id),
        await recovery_codes.count_unused(session, user_id),
    )


async def ask_second_step(
    session: AsyncSession, settings: Settings, user: User, *, is_suspect: bool
) -> SecondStepRequired | None:
    """What a user whose password was right has to do before the log-in succeeds; None if nothing.

    A user with a factor uses it. One without receives a code by mail if the log-in is suspect.

    Raises:
        TooManyAttempts: so many codes were mailed within ten minutes that no further one is.
    """
    factors = await factors_of(session, user.id)
    names, options = list(factors.names), None
    if names:
        challenge = await challenges.create(session, challenges.Purpose.SECOND_STEP, user)
        if factors.passkeys:
            options = passkeys.log_in_options(settings, factors.passkeys, challenge.webauthn)
    elif is_suspect:
        names = [Factor.MAILED_CODE]
        await challenges.check_mailed_codes(session, user.id)
        challenge = await challenges.create(session, challenges.Purpose.MAILED_CODE, user)
        await order_mail(session, MailPurpose.LOG_IN_CODE, user.id, challenge_id=challenge.id)
    else:
        return None
    return SecondStepRequired(
        challenge=challenge.secret,
        factors=[str(name) for name in names],
        expires_in_s=int(challenges.TTL.total_seconds()),
        passkey_options=options,
    )


async def require_recent_log_in(session: AsyncSession, session_id: UUID) -> None:
    """Refuse a session whose user proved who they are more than `RECENT` ago, or without the factor that they have now.

    Raises:
        LogInNotRecent: it is such a session, or has ended.
    """
    found = await session.scalar(
        select(UserSession).where(UserSession.id == session_id, UserSession.revoked_at.is_(None))
    )
    is_recent = found is not None and found.authenticated_at >= clock.now() - RECENT
    if found is not None and is_recent and found.second_factor_at is None:
        is_recent = not (await factors_of(session, found.user_id)).names
    if not is_recent:
        raise LogInNotRecent(minutes=int(RECENT.total_seconds()) // 60)


async def confirm_app(
    session: AsyncSession, settings: Settings, user: User, session_id: UUID, code: str
) -> list[str] | None:
    """Add the app that was begun; returns recovery codes if the user had none left.

    Raises:
        CodeWrong, FactorExists: see :func:`api.auth.second_factors.apps.confirm`.
    """
    await apps.confirm(session, settings.auth, user.id, code)
    return await _added(session, user, session_id, Factor.APP)


async def begin_passkey(session: AsyncSession, settings: Settings, user: User) -> tuple[str, dict[str, Any]]:
    """The secret of a challenge, and what the browser needs to create a passkey for it."""
    challenge = await challenges.create(session, challenges.Purpose.PASSKEY_REGISTRATION, user)
    present = await passkeys.of_user(session, user.id)
    return challenge.secret, passkeys.registration_options(settings, user, present, challenge.webauthn)


async def add_passkey(
    session: AsyncSession,
    settings: Settings,
    user: User,
    session_id: UUID,
    *,
    challenge: str,
    name: str,
    response: dict[str, Any],
) -> tuple[Passkey, list[str] | None]:
    """Add the passkey that the browser created; returns it, and recovery codes if the user had none left.

    Raises:
        ChallengeInvalid: the challenge is not one of this user, has expired, or was used.
        PasskeyInvalid, FactorExists: see :func:`api.auth.second_factors.passkeys.add`.
    """
    found = await challenges.find(session, challenge, challenges.Purpose.PASSKEY_REGISTRATION)
    if found is None or found.user_id != user.id:
        raise ChallengeInvalid
    passkey = await passkeys.add(
        session, settings, user.id, name=name, response=response, challenge=found.webauthn_challenge
    )
    await challenges.use(session, found)
    return passkey, await _added(session, user, session_id, Factor.PASSKEY)


async def create_recovery_codes(session: AsyncSession, user: User) -> list[str]:
    """New recovery codes; the earlier ones become void.

    Raises:
        NotFound: the user has no second factor.
    """
    if not (await factors_of(session, user.id)).names:
        msg = "Recovery codes belong to a second factor, and this account has none; add an app or a passkey first."
        raise NotFound(msg)
    return await _new_codes(session, user)


async def remove_app(session: AsyncSession, user: User) -> None:
    """Remove the authenticator app.

    Raises:
        NotFound: the user has none.
    """
    if not await apps.remove(session, user.id):
        msg = "This account has no authenticator app."
        raise NotFound(msg)
    await _removed(session, user, Factor.APP)


async def remove_passkey(session: AsyncSession, user: User, passkey_id: UUID) -> None:
    """Remove a passkey.

    Raises:
        NotFound: the user has no such passkey.
    """
    await passkeys.remove(session, user.id, passkey_id)
    await _removed(session, user, Factor.PASSKEY)


async def reset(session: AsyncSession, user: User, *, actor_id: UUID | None) -> None:
    """Remove all factors of a user who has lost them, end their sessions, and inform them by mail.

    Raises:
        NotFound: the user has no second factor.
    """
    had_app = await apps.remove(session, user.id)
    if not (await passkeys.remove_all(session, user.id) or had_app):
        msg = "This account has no second factor."
        raise NotFound(msg)
    await recovery_codes.remove(session, user.id)
    await record_event(session, payloads.SecondFactorsReset(), actor_id=actor_id, user_id=user.id)
    await end_all_sessions(session, user, actor_id=actor_id)
    await order_mail(session, MailPurpose.FACTOR_RESET, user.id)


async def _added(session: AsyncSession, user: User, session_id: UUID, factor: Factor) -> list[str] | None:
    await session.execute(
        update(UserSession)
        .where(UserSession.id == session_id)
        .values(second_factor_at=clock.now())
        .execution_options(synchronize_session=False)
    )
    await record_event(session, payloads.SecondFactorAdded(factor=factor), actor_id=user.id, user_id=user.id)
    await order_mail(session, MailPurpose.FACTORS_CHANGED, user.id)
    has_codes = await recovery_codes.count_unused(session, user.id) > 0
    return None if has_codes else await _new_codes(session, user)


async def _removed(session: AsyncSession, user: User, factor: Factor) -> None:
    await record_event(session, payloads.SecondFactorRemoved(factor=factor), actor_id=user.id, user_id=user.id)
    await order_mail(session, MailPurpose.FACTORS_CHANGED, user.id)
    if (await factors_of(session, user.id)).names:
        return
    await recovery_codes.remove(session, user.id)
    await session.execute(
        update(UserSession)
        .where(UserSession.user_id == user.id, UserSession.id.not_in(select(ProviderSession.session_id)))
        .values(second_factor_at=None)
        .execution_options(synchronize_session=False)
    )
    if SystemRole.SYSTEM_ADMIN in user.roles:  # their tokens may have rights that need a factor
        user.token_version = User.token_version + 1
        await session.flush()
        signal_commit(session, TOKENS_REVOKED)


async def _new_codes(session: AsyncSession, user: User) -> list[str]:
    codes = await recovery_codes.create(session, user.id)
    await record_event(session, payloads.RecoveryCodesCreated(), actor_id=user.id, user_id=user.id)
    return codes
