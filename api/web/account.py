"""The pages of a user's own account: second factors and sessions.

They are for a browser that is logged in. Each change is a form of this installation (CSRF), and requires that its user has
logged in, or confirmed who they are, within the last ten minutes.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request, Response
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse

from api.auth import sessions
from api.auth.container import ProvidedLogInDelays, ProvidedPasswords
from api.auth.dependencies import COOKIE, Principal, find_caller_of_cookie
from api.auth.errors import PasswordsBusy, PasswordWrong, TooManyAttempts
from api.auth.password_checks import check_password
from api.auth.second_factors import apps, service, steps
from api.auth.second_factors.errors import ChallengeInvalid, CodeWrong, FactorExists, LogInNotRecent, PasskeyInvalid
from api.auth.second_factors.passkeys import RESPONSE_LENGTH_MAX
from api.auth.service import get_user, get_user_for_change
from api.kernel.browser import EXPIRED_FORM, Browser, is_own_form, path_of
from api.kernel.container import ProvidedDatabase, ProvidedSettings
from api.kernel.errors import DomainError, NotFound
from api.kernel.pages import PageRoute
from api.kernel.request_rates import RateClass, counts_as
from api.kernel.rules import Rule, Scope, enforces
from api.kernel.texts import single_line
from api.kernel.web import Session, client_address
from api.web.second_step import as_response
from settings import Settings

browser = Browser("api.web", script="passkeys.js")
router = APIRouter(include_in_schema=False, prefix="/account", route_class=PageRoute)

CONFIRM_FIRST = "For this change, please confirm that it is you."
PASSKEY_NAME_LENGTH_MAX = 100


@enforces(Rule(Scope.SELF))
async def _owner(request: Request, settings: ProvidedSettings, database: ProvidedDatabase) -> Principal:
    async with database.reading() as session:  # ends before a hash is computed
        caller = await find_caller_of_cookie(session, settings, request.cookies.get(COOKIE))
    if caller is None:
        raise HTTPException(
            HTTPStatus.SEE_OTHER, headers={"Location": f"{path_of(request, 'show_log_in')}?next=/account"}
        )
    return caller


Owner = Annotated[Principal, Depends(_owner)]
Csrf = Annotated[str, Form()]


@router.get("", name="show_account")
async def show_account(request: Request, session: Session, settings: ProvidedSettings, caller: Owner) -> Response:
    """The user's second factors and sessions."""
    return await _account_page(request, session, settings, caller, HTTPStatus.OK)


@router.post("/confirm", name="confirm_page")
@counts_as(RateClass.LOG_INS)
async def confirm(
    request: Request,
    session: Session,
    settings: ProvidedSettings,
    database: ProvidedDatabase,
    passwords: ProvidedPasswords,
    delays: ProvidedLogInDelays,
    caller: Owner,
    password: Annotated[str, Form(max_length=1024)] = "",
    code: Annotated[str, Form(max_length=100)] = "",
    csrf: Csrf = "",
) -> Response:
    """Confirm by the password, and by a code if the account has a second factor, that it is still the user."""
    if not is_own_form(request, settings, csrf):
        return await _confirm_page(request, session, settings, caller, HTTPStatus.FORBIDDEN, problem=EXPIRED_FORM)
    refused: DomainError | None
    try:
        user = await check_password(
            database,
            passwords,
            delays,
            user_id=caller.user_id,
            password=password,
            address=client_address(request),
        )
        refused = await steps.confirm(session, settings, delays, user, caller.session_id, code=code)
    except (PasswordWrong, TooManyAttempts, PasswordsBusy) as error:
        refused = error
    if refused is None:
        return _back(request, settings)
    status = HTTPStatus.UNPROCESSABLE_ENTITY if isinstance(refused, CodeWrong | PasswordWrong) else refused.status
    page = await _confirm_page(request, session, settings, caller, status, problem=refused.detail)
    if not isinstance(refused, CodeWrong):
        page.headers.update(refused.response_headers())
    return page


@router.post("/app", name="app_page")
async def add_app(
    request: Request,
    session: Session,
    settings: ProvidedSettings,
    caller: Owner,
    code: Annotated[str, Form(max_length=100)] = "",
    csrf: Csrf = "",
) -> Response:
    """Add the app by its first code; without one, show the secret for the app."""
    refusal = await _refusal(request, session, settings, caller, csrf)
    if refusal is not None:
        return refusal
    user = await get_user_for_change(session, caller.user_id)
    try:
        if code:
            codes = await service.confirm_app(session, settings, user, caller.session_id, "".join(code.split()))
            return _done(request, settings, codes)
        new = await apps.begin(session, settings.auth, user, issuer=settings.mail.sender.name)
    except (FactorExists, CodeWrong) as error:
        return await _account_page(
            request, session, settings, caller, HTTPStatus.UNPROCESSABLE_ENTITY, problem=error.detail
        )
    return browser.render(
        request,
        settings,
        HTTPStatus.OK,
        "new_app.html",
        action=path_of(request, "app_page"),
        account=path_of(request, "show_account"),
        secret=" ".join(new.secret[start : start + 4] for start in range(0, len(new.secret), 4)),
        qr_code=new.qr_code,
    )


@router.post("/app/remove", name="remove_app_page")
async def remove_app(
    request: Request, session: Session, settings: ProvidedSettings, caller: Owner, csrf: Csrf = ""
) -> Response:
    """Remove the authenticator app."""
    refusal = await _refusal(request, session, settings, caller, csrf)
    if refusal is not None:
        return refusal
    try:
        await service.remove_app(session, await get_user_for_change(session, caller.user_id))
    except NotFound as error:
        return await _account_page(request, session, settings, caller, HTTPStatus.OK, problem=error.detail)
    return _back(request, settings)


@router.post("/passkeys", name="passkeys_page")
async def add_passkey(
    request: Request,
    session: Session,
    settings: ProvidedSettings,
    caller: Owner,
    challenge: Annotated[str, Form(max_length=128)] = "",
    name: Annotated[str, Form(max_length=1000)] = "",
    passkey: Annotated[str, Form(max_length=RESPONSE_LENGTH_MAX)] = "",
    csrf: Csrf = "",
) -> Response:
    """Add the passkey that the browser has created; without one, show the page that asks the browser for it."""
    refusal = await _refusal(request, session, settings, caller, csrf)
    if refusal is not None:
        return refusal
    user = await get_user_for_change(session, caller.user_id)
    if not passkey:
        secret, options = await service.begin_passkey(session, settings, user)
        return browser.render(
            request,
            settings,
            HTTPStatus.OK,
            "new_passkey.html",
            action=path_of(request, "passkeys_page"),
            account=path_of(request, "show_account"),
            challenge=secret,
            options=json.dumps(options),
            length_max=PASSKEY_NAME_LENGTH_MAX,
        )
    try:
        _, codes = await service.add_passkey(
            session,
            settings,
            user,
            caller.session_id,
            challenge=challenge,
            name=_as_name(name),
            response=as_response(passkey),
        )
    except (ChallengeInvalid, PasskeyInvalid, FactorExists) as error:
        return await _account_page(
            request, session, settings, caller, HTTPStatus.UNPROCESSABLE_ENTITY, problem=error.detail
        )
    return _done(request, settings, codes)


@router.post("/passkeys/remove", name="remove_passkey_page")
async def remove_passkey(
    request: Request,
    session: Session,
    settings: ProvidedSettings,
    caller: Owner,
    passkey_id: Annotated[UUID, Form()],
    csrf: Csrf = "",
) -> Response:
    """Remove a passkey."""
    refusal = await _refusal(request, session, settings, caller, csrf)
    if refusal is not None:
        return refusal
    try:
        await service.remove_passkey(session, await get_user_for_change(session, caller.user_id), passkey_id)
    except NotFound as error:
        return await _account_page(request, session, settings, caller, HTTPStatus.OK, problem=error.detail)
    return _back(request, settings)


@router.post("/recovery-codes", name="recovery_codes_page")
async def create_recovery_codes(
    request: Request, session: Session, settings: ProvidedSettings, caller: Owner, csrf: Csrf = ""
) -> Response:
    """Show new recovery codes; the earlier ones become void."""
    refusal = await _refusal(request, session, settings, caller, csrf)
    if refusal is not None:
        return refusal
    try:
        codes = await service.create_recovery_codes(session, await get_user_for_change(session, caller.user_id))
    except NotFound as error:
        return await _account_page(request, session, settings, caller, HTTPStatus.OK, problem=error.detail)
    return _done(request, settings, codes)


@router.post("/sessions/end", name="end_session_page")
async def end_session(
    request: Request,
    session: Session,
    settings: ProvidedSettings,
    caller: Owner,
    session_id: Annotated[UUID, Form()],
    csrf: Csrf = "",
) -> Response:
    """End another session of the user. It needs no confirmation: it takes rights away."""
    if not is_own_form(request, settings, csrf):
        return await _account_page(request, session, settings, caller, HTTPStatus.FORBIDDEN, problem=EXPIRED_FORM)
    await sessions.end_session(session, session_id, user_id=caller.user_id)
    return _back(request, settings)


async def _refusal(
    request: Request, session: Session, settings: Settings, caller: Principal, csrf: str
) -> Response | None:
    """The page instead of a change that is not allowed now."""
    if not is_own_form(request, settings, csrf):
        return await _account_page(request, session, settings, caller, HTTPStatus.FORBIDDEN, problem=EXPIRED_FORM)
    try:
        await service.require_recent_log_in(session, caller.session_id)
    except LogInNotRecent:
        return await _confirm_page(request, session, settings, caller, HTTPStatus.OK)
    return None


async def _account_page(
    request: Request, session: Session, settings: Settings, caller: Principal, status: int, *, problem: str = ""
) -> Response:
    user = await get_user(session, caller.user_id)
    return browser.render(
        request,
        settings,
        status,
        "account.html",
        user=user,
        factors=await service.factors_of(session, user.id),
        sessions=await sessions.list_sessions(session, user.id),
        current=caller.session_id,
        problem=problem,
        dashboards=settings.addresses.public_dashboards_url,
        log_out=path_of(request, "show_log_out"),
        paths={
            name: path_of(request, f"{name}_page")
            for name in ("app", "remove_app", "passkeys", "remove_passkey", "recovery_codes", "end_session")
        },
    )


async def _confirm_page(
    request: Request, session: Session, settings: Settings, caller: Principal, status: int, *, problem: str = ""
) -> Response:
    user = await get_user(session, caller.user_id)
    factors = await service.factors_of(session, user.id)
    return browser.render(
        request,
        settings,
        status,
        "confirm.html",
        action=path_of(request, "confirm_page"),
        log_in=f"{path_of(request, 'show_log_in')}?next=/account",
        account=path_of(request, "show_account"),
        lead=CONFIRM_FIRST,
        email=user.email or "",
        asks_code=bool(factors.names),
        problem=problem,
    )


def _done(request: Request, settings: Settings, codes: list[str] | None) -> Response:
    """The page with new recovery codes, or the account's if there are none."""
    if codes is None:
        return _back(request, settings)
    account = path_of(request, "show_account")
    return browser.render(request, settings, HTTPStatus.OK, "recovery_codes.html", codes=codes, account=account)


def _back(request: Request, settings: Settings) -> Response:
    return RedirectResponse(path_of(request, "show_account"), HTTPStatus.SEE_OTHER, browser.headers(settings))


def _as_name(text: str) -> str:
    """A typed name for a passkey, in one line; a text that is none becomes `Passkey`."""
    try:
        return single_line(text)[:PASSKEY_NAME_LENGTH_MAX] or "Passkey"
    except ValueError:
        return "Passkey"
