"""Authenticator apps: time-based one-time codes (TOTP, RFC 6238) of six digits, a new one every 30 seconds."""

from __future__ import annotations

import base64
import hmac
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import pyotp
import segno
import structlog
from sqlalchemy import delete, select, update

from api.auth.encryption import Encryption, WrongSecret
from api.auth.second_factors.errors import CodeWrong, FactorExists
from api.auth.second_factors.models import AuthenticatorApp
from api.kernel import clock

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.auth.models import User
    from settings.auth import AuthSettings

log = structlog.get_logger(__name__)

STEP_S = 30
DIGITS = 6
STEPS_AROUND = 1  # the code before and after are accepted: clocks differ, and people type slowly
_SECRET_BYTES = 20  # RFC 4226, 4: 160 bits
_USE = "authenticator apps"


@dataclass(frozen=True)
class NewApp:
    """What an app needs: the secret in base32, the same as a URI, and the URI as a QR code in SVG."""

    secret: str
    uri: str
    qr_code: str


async def begin(session: AsyncSession, settings: AuthSettings, user: User, *, issuer: str) -> NewApp:
    """A new secret for the user's app. It counts as a factor after its first code, see :func:`confirm`.

    `issuer` is the name that the app shows above the code. An unconfirmed secret from before is replaced.

    Raises:
        FactorExists: the user has an app.
    """
    present = await session.get(AuthenticatorApp, user.id, with_for_update=True, populate_existing=True)
    if present is not None and present.confirmed_at is not None:
        msg = "This account has an authenticator app; remove it before you add another one."
        raise FactorExists(msg)
    secret = secrets.token_bytes(_SECRET_BYTES)
    encrypted = Encryption(settings, _USE).encrypt(secret, str(user.id))
    if present is None:
        session.add(AuthenticatorApp(user_id=user.id, encrypted_secret=encrypted))
    else:
        present.encrypted_secret, present.created_at = encrypted, clock.now()
    await session.flush()
    typed = base64.b32encode(secret).decode()
    uri = pyotp.TOTP(typed).provisioning_uri(name=user.email or user.display_name, issuer_name=issuer)
    return NewApp(typed, uri, segno.make(uri, error="m").svg_inline(scale=4, border=2, light="#fff", dark="#000"))


async def confirm(session: AsyncSession, settings: AuthSettings, user_id: UUID, code: str) -> None:
    """Make the app a factor, because it has shown the right code.

    Raises:
        CodeWrong: it has not, or no app was begun.
        FactorExists: the app is a factor already.
    """
    app = await session.get(AuthenticatorApp, user_id, with_for_update=True, populate_existing=True)
    if app is not None and app.confirmed_at is not None:
        msg = "The authenticator app of this account is confirmed already."
        raise FactorExists(msg)
    step = None if app is None else _step_of(settings, app, code)
    if app is None or step is None:
        raise CodeWrong
    app.confirmed_at, app.last_step = clock.now(), step
    await session.flush()


async def accepts(session: AsyncSession, settings: AuthSettings, user_id: UUID, code: str) -> bool:
    """Whether this is a current code of the user's app that was not used before; it is used by this call."""
    app = await session.get(AuthenticatorApp, user_id, populate_existing=True)
    if app is None or app.confirmed_at is None:
        return False
    step = _step_of(settings, app, code)
    if step is None:
        return False
    used = await session.scalar(
        update(AuthenticatorApp)
        .where(AuthenticatorApp.user_id == user_id, AuthenticatorApp.last_step < step)
        .values(last_step=step)
        .returning(AuthenticatorApp.last_step)
        .execution_options(synchronize_session=False)
    )
    return used is not None


async def find(session: AsyncSession, user_id: UUID) -> AuthenticatorApp | None:
    """The confirmed app of a user."""
    return await session.scalar(
        select(AuthenticatorApp)
        .where(AuthenticatorApp.user_id == user_id, AuthenticatorApp.confirmed_at.is_not(None))
        .execution_options(populate_existing=True)
    )


async def remove(session: AsyncSession, user_id: UUID) -> bool:
    """Remove the user's app; False if there is none. An unconfirmed one is removed too and does not count."""
    removed = await session.scalar(
        delete(AuthenticatorApp).where(AuthenticatorApp.user_id == user_id).returning(AuthenticatorApp.confirmed_at)
    )
    return removed is not None


def _step_of(settings: AuthSettings, app: AuthenticatorApp, code: str) -> int | None:
    """The time step of a code, if it is the current one or its neighbour, and later than the last accepted one."""
    if not (code.isascii() and code.isdigit() and len(code) == DIGITS):
        return None
    try:
        secret = base64.b32encode(Encryption(settings, _USE).decrypt(app.encrypted_secret, str(app.user_id))).decode()
    except WrongSecret:
        log.warning("an authenticator app was added under another IDEAMINT_JWT_SECRET", user_id=str(app.user_id))
        return None
    codes = pyotp.TOTP(secret, digits=DIGITS, interval=STEP_S)
    now = int(clock.now().timestamp()) // STEP_S
    for step in range(now - STEPS_AROUND, now + STEPS_AROUND + 1):
        if step > app.last_step and hmac.compare_digest(codes.generate_otp(step), code):
            return step
    return None
