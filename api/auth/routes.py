"""Routes for registration, log-in, log-out, refresh and the caller's account.

Routes that issue tokens ignore `Idempotency-Key`.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import Request, Response

from api.auth import log_ins, registration, service, sessions
from api.auth.container import ProvidedAccessTokens, ProvidedLogInDelays, ProvidedPasswords, ProvidedRegistrationRates
from api.auth.dependencies import Myself, MyselfWithoutKey, client_of
from api.auth.errors import (
    BadEmail,
    LogInFailed,
    PasswordsBusy,
    PasswordsOff,
    RefreshTokenInvalid,
    RefreshTokenUsed,
    RegistrationClosed,
    TooManyAttempts,
    WeakPassword,
)
from api.auth.models import User
from api.auth.schemas import LogIn, Me, RefreshToken, Register, Registration, Tokens, UpdateMe
from api.auth.second_factors.errors import SecondStepRequired
from api.auth.sso.policy import check_passwords_work
from api.auth.token_responses import tokens_or_refusal
from api.kernel import clock
from api.kernel.container import ProvidedDatabase, ProvidedSettings
from api.kernel.contract import raises
from api.kernel.rates import RateLimited
from api.kernel.request_rates import RateClass, counts_as
from api.kernel.rules import PUBLIC
from api.kernel.web import Reading, Session, client_address
from api.kernel.web import router as new_router

router = new_router("", "auth")


@router.post("/auth/register", status_code=HTTPStatus.ACCEPTED, operation_id="register", dependencies=[PUBLIC])
@raises(RateLimited, RegistrationClosed, PasswordsOff, BadEmail, WeakPassword, PasswordsBusy)
async def register(
    request: Request,
    session: Session,
    settings: ProvidedSettings,
    passwords: ProvidedPasswords,
    rates: ProvidedRegistrationRates,
    body: Register,
) -> Registration:
    """Create an account for myself, if registration is open in this installation.

    A mail with a link is sent to the address; I can log in after I have opened it. If the address has a confirmed account,
    the response is the same, that account does not change, and its owner is informed by mail.
    """
    await rates.spend(client_address(request))
    email = await registration.register_user(
        session,
        settings,
        passwords,
        email=body.email,
        display_name=body.display_name,
        password=body.password,
    )
    return Registration(email=email)


@router.post("/auth/login", operation_id="logIn", dependencies=[PUBLIC], response_model=Tokens)
@counts_as(RateClass.LOG_INS)
@raises(LogInFailed, PasswordsOff, SecondStepRequired, TooManyAttempts, PasswordsBusy)
async def log_in(
    request: Request,
    response: Response,
    session: Session,
    settings: ProvidedSettings,
    database: ProvidedDatabase,
    passwords: ProvidedPasswords,
    delays: ProvidedLogInDelays,
    tokens: ProvidedAccessTokens,
    body: LogIn,
) -> Any:
    """Exchange e-mail address and password for a short-lived access token and a refresh token.

    The response is the same for a wrong password, an unknown address and one that is not confirmed. From the fifth failure from a
    network address on, the next attempt from there has to wait: 429 with `Retry-After`, 1 s at first, doubled up to 15 minutes.
    If the account has a second factor, or many log-ins to it have failed, the response is 401 with the type
    `second-step-required` and a challenge for `/auth/login/second-step`.
    """
    check_passwords_work(settings, body.email)
    client = client_of(request, settings)
    attempt = await log_ins.authenticate(
        database, passwords, delays, email=body.email, password=body.password, client=client
    )
    issued = await log_ins.log_in(session, settings, delays, attempt, kind="token", client=client)
    return await tokens_or_refusal(request, response, tokens, issued)


@router.post("/auth/refresh", operation_id="refreshToken", dependencies=[PUBLIC], response_model=Tokens)
@raises(RefreshTokenInvalid, RefreshTokenUsed)
async def refresh(
    request: Request,
    response: Response,
    session: Session,
    settings: ProvidedSettings,
    tokens: ProvidedAccessTokens,
    body: RefreshToken,
) -> Any:
    """Exchange a refresh token for a new access token and refresh token. Reuse of a refresh token ends the session.

    If the same token is sent in several requests at the same time, one succeeds; the others are 401 with
    `session_ended` false.
    """
    received_at = clock.now()
    issued = await sessions.refresh_session(session, settings, body.refresh_token, received_at=received_at)
    return await tokens_or_refusal(request, response, tokens, issued)


@router.post("/auth/logout", status_code=HTTPStatus.NO_CONTENT, operation_id="logOut")
async def log_out(session: Session, caller: Myself) -> None:
    """End this session: its refresh token and its access tokens become invalid, in other processes within a second."""
    await sessions.end_session(session, caller.session_id, user_id=caller.user_id)


@router.get("/users/me", operation_id="getMe", response_model=Me)
async def get_me(caller: MyselfWithoutKey, statements: Reading) -> dict[str, Any]:
    """My account."""
    return await service.find_own_account(statements, caller.user_id)


@router.patch("/users/me", operation_id="updateMe", response_model=Me)
async def update_me(session: Session, caller: Myself, body: UpdateMe) -> User:
    """Change the given fields of my account."""
    user = await service.get_user(session, caller.user_id)
    return await service.update_user(session, user, actor_id=caller.user_id, changes=body.changes)
