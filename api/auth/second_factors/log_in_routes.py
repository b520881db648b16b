"""Routes for the second step of a log-in, and for log-ins by passkey. They ignore `Idempotency-Key`."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import Request, Response

from api.auth.container import ProvidedAccessTokens, ProvidedLogInDelays, ProvidedPasswords
from api.auth.dependencies import MyselfWithoutKey, client_of
from api.auth.errors import LogInFailed, PasswordsBusy, PasswordWrong, TooManyAttempts
from api.auth.password_checks import check_password
from api.auth.schemas import Tokens
from api.auth.second_factors import challenges, steps
from api.auth.second_factors.errors import ChallengeInvalid, CodeWrong, PasskeyRefused
from api.auth.second_factors.schemas import Confirmation, PasskeyLogIn, PasskeyOptions, SecondStep
from api.auth.token_responses import NO_STORE, tokens_or_refusal
from api.kernel.container import ProvidedDatabase, ProvidedSettings
from api.kernel.contract import raises
from api.kernel.problems import refusal
from api.kernel.request_rates import RateClass, counts_as
from api.kernel.rules import PUBLIC
from api.kernel.web import Session, client_address
from api.kernel.web import router as new_router

router = new_router("/auth", "auth")


@router.post("/login/second-step", operation_id="takeSecondStep", dependencies=[PUBLIC], response_model=Tokens)
@counts_as(RateClass.LOG_INS)
@raises(ChallengeInvalid, CodeWrong, PasskeyRefused, LogInFailed, TooManyAttempts)
async def take_second_step(
    request: Request,
    response: Response,
    session: Session,
    settings: ProvidedSettings,
    delays: ProvidedLogInDelays,
    tokens: ProvidedAccessTokens,
    body: SecondStep,
) -> Any:
    """Finish a log-in that requires a second step. A challenge accepts five wrong codes within ten minutes."""
    issued = await steps.second_step(
        session,
        settings,
        delays,
        challenge=body.challenge,
        code=body.code,
        response=body.passkey,
        kind="token",
        client=client_of(request, settings),
    )
    return await tokens_or_refusal(request, response, tokens, issued)


@router.post("/passkey/options", operation_id="beginPasskeyLogIn", dependencies=[PUBLIC])
@counts_as(RateClass.LOG_INS)
async def begin_passkey_log_in(response: Response, session: Session, settings: ProvidedSettings) -> PasskeyOptions:
    """What a browser needs to log in by a passkey, without an address and a password."""
    response.headers.update(NO_STORE)
    challenge, options = await steps.begin_passkey_log_in(session, settings)
    return PasskeyOptions(challenge=challenge, options=options, expires_in_s=int(challenges.TTL.total_seconds()))


@router.post("/passkey", operation_id="logInByPasskey", dependencies=[PUBLIC], response_model=Tokens)
@counts_as(RateClass.LOG_INS)
@raises(ChallengeInvalid, PasskeyRefused, LogInFailed)
async def log_in_by_passkey(
    request: Request,
    response: Response,
    session: Session,
    settings: ProvidedSettings,
    delays: ProvidedLogInDelays,
    tokens: ProvidedAccessTokens,
    body: PasskeyLogIn,
) -> Any:
    """Log in by a passkey. It counts as a second factor, and failed log-ins of others do not delay it."""
    issued = await steps.log_in_by_passkey(
        session,
        settings,
        delays,
        challenge=body.challenge,
        response=body.passkey,
        kind="token",
        client=client_of(request, settings),
    )
    return await tokens_or_refusal(request, response, tokens, issued)


@router.post("/confirm", status_code=HTTPStatus.NO_CONTENT, operation_id="confirmMyself", response_model=None)
@counts_as(RateClass.LOG_INS)
@raises(PasswordWrong, CodeWrong, TooManyAttempts, PasswordsBusy)
async def confirm_myself(
    request: Request,
    session: Session,
    settings: ProvidedSettings,
    database: ProvidedDatabase,
    passwords: ProvidedPasswords,
    delays: ProvidedLogInDelays,
    caller: MyselfWithoutKey,
    body: Confirmation,
) -> Response | None:
    """Prove that it is still me, before a change that requires a recent log-in. Valid for ten minutes in this session."""
    user = await check_password(
        database,
        passwords,
        delays,
        user_id=caller.user_id,
        password=body.password,
        address=client_address(request),
    )
    refused = await steps.confirm(session, settings, delays, user, caller.session_id, code=body.code)
    return None if refused is None else refusal(request, refused)
