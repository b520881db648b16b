"""The pages of the links in mails: confirm an address, set a new password. Forms that work without JavaScript.

A GET changes nothing, because programs that scan mails open their links; the button of the form does.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from api.auth import recovery, registration
from api.auth.container import ProvidedLogInDelays, ProvidedMailRates, ProvidedPasswords
from api.auth.errors import (
    EmailTaken,
    LinkInvalid,
    PasswordsBusy,
    PasswordsOff,
    PasswordUsedBefore,
    PasswordWrong,
    TooManyAttempts,
    WeakPassword,
)
from api.auth.sso.policy import check_passwords_work
from api.kernel.browser import EXPIRED_FORM, Browser, is_own_form, path_of
from api.kernel.container import ProvidedDatabase, ProvidedSettings
from api.kernel.pages import PageRoute
from api.kernel.problems import note_refusal
from api.kernel.rates import RateLimited
from api.kernel.request_rates import RateClass, counts_as
from api.kernel.rules import PUBLIC
from api.kernel.texts import single_line
from api.kernel.web import Session, client_address

router = APIRouter(include_in_schema=False, dependencies=[PUBLIC], route_class=PageRoute)
browser = Browser("api.web")

TOKEN_LENGTH_MAX = 128
TEXT_LENGTH_MAX = 1000  # of names and addresses, before they are checked
_MAILED = "If the address has an account, a mail with a link is on its way. The link is valid for 30 minutes."


@router.get("/verify-email")
async def show_verify_email(request: Request, settings: ProvidedSettings, token: str = "") -> Response:
    """The form that confirms an address."""
    return _verify_page(request, settings, HTTPStatus.OK, token)


@router.post("/verify-email", name="verify_email_page")
@counts_as(RateClass.LOG_INS)
async def verify_email(
    request: Request,
    session: Session,
    settings: ProvidedSettings,
    database: ProvidedDatabase,
    passwords: ProvidedPasswords,
    delays: ProvidedLogInDelays,
    token: Annotated[str, Form(max_length=TOKEN_LENGTH_MAX)] = "",
    password: Annotated[str, Form()] = "",
    csrf: Annotated[str, Form()] = "",
) -> Response:
    """Confirm the address."""
    if not is_own_form(request, settings, csrf):
        return _verify_page(request, settings, HTTPStatus.FORBIDDEN, token, problem=EXPIRED_FORM)
    try:
        async with session.begin_nested():
            await registration.confirm_address(
                session,
                database,
                passwords,
                delays,
                secret=token,
                password=password,
                address=client_address(request),
            )
    except (LinkInvalid, EmailTaken) as error:
        return message_page(request, settings, error.status, "Not confirmed", error.detail, is_problem=True)
    except (PasswordWrong, TooManyAttempts, PasswordsBusy) as error:
        note_refusal(request, error)
        page = _verify_page(request, settings, error.status, token, problem=error.detail)
        page.headers.update(error.response_headers())
        return page
    return message_page(
        request, settings, HTTPStatus.OK, "Address confirmed", "Your address is confirmed. You can log in."
    )


@router.get("/forgot-password")
async def show_forgot_password(request: Request, settings: ProvidedSettings) -> Response:
    """The form that asks for a link."""
    return _forgot_page(request, settings, HTTPStatus.OK)


@router.post("/forgot-password", name="forgot_password_page")
@counts_as(RateClass.LOG_INS)
async def forgot_password(
    request: Request,
    session: Session,
    settings: ProvidedSettings,
    rates: ProvidedMailRates,
    email: Annotated[str, Form(max_length=TEXT_LENGTH_MAX)] = "",
    csrf: Annotated[str, Form()] = "",
) -> Response:
    """Mail a link; the response is the same for known and unknown addresses."""
    if not is_own_form(request, settings, csrf):
        return _forgot_page(request, settings, HTTPStatus.FORBIDDEN, email=email, problem=EXPIRED_FORM)
    try:
        check_passwords_work(settings, email)
        await rates.spend(client_address(request))
        address = single_line(email)
    except RateLimited as error:
        note_refusal(request, error)
        page = _forgot_page(request, settings, error.status, email=email, problem=f"{error.title}. {error.detail}")
        page.headers.update(error.response_headers())
        return page
    except PasswordsOff as error:
        note_refusal(request, error)
        return _forgot_page(request, settings, error.status, email=email, problem=error.detail)
    except ValueError:
        address = ""
    await recovery.request_password_reset(session, email=address)
    return message_page(request, settings, HTTPStatus.OK, "Check your mail", _MAILED)


@router.get("/reset-password")
async def show_reset_password(request: Request, settings: ProvidedSettings, token: str = "") -> Response:
    """The form for a new password."""
    return _reset_page(request, settings, HTTPStatus.OK, token)


@router.post("/reset-password", name="reset_password_page")
@counts_as(RateClass.LOG_INS)
async def reset_password(
    request: Request,
    session: Session,
    settings: ProvidedSettings,
    database: ProvidedDatabase,
    passwords: ProvidedPasswords,
    token: Annotated[str, Form(max_length=TOKEN_LENGTH_MAX)] = "",
    password: Annotated[str, Form()] = "",
    csrf: Annotated[str, Form()] = "",
) -> Response:
    """Set the new password."""
    if not is_own_form(request, settings, csrf):
        return _reset_page(request, settings, HTTPStatus.FORBIDDEN, token, problem=EXPIRED_FORM)
    try:
        async with session.begin_nested():
            await recovery.reset_password(session, settings, database, passwords, secret=token, password=password)
    except LinkInvalid as error:
        return message_page(request, settings, error.status, "Password not changed", error.detail, is_problem=True)
    except (WeakPassword, PasswordUsedBefore, PasswordsBusy, PasswordsOff) as error:
        page = _reset_page(request, settings, error.status, token, problem=error.detail)
        page.headers.update(error.response_headers())
        return page
    return message_page(
        request,
        settings,
        HTTPStatus.OK,
        "Password changed",
        "Your password is changed, and you are logged out everywhere. Log in with the new password.",
    )


def _verify_page(
    request: Request, settings: ProvidedSettings, status: int, token: str, *, problem: str = ""
) -> Response:
    return browser.render(
        request,
        settings,
        status,
        "verify_email.html",
        action=path_of(request, "verify_email_page"),
        forgot=path_of(request, "show_forgot_password"),
        token=token,
        problem=problem,
    )


def _forgot_page(
    request: Request, settings: ProvidedSettings, status: int, *, email: str = "", problem: str = ""
) -> Response:
    action = path_of(request, "forgot_password_page")
    return browser.render(
        request, settings, status, "forgot_password.html", action=action, email=email, problem=problem
    )


def _reset_page(
    request: Request, settings: ProvidedSettings, status: int, token: str, *, problem: str = ""
) -> Response:
    return browser.render(
        request,
        settings,
        status,
        "reset_password.html",
        action=path_of(request, "reset_password_page"),
        token=token,
        length_min=recovery.PASSWORD_LENGTH_MIN,
        length_max=recovery.PASSWORD_LENGTH_MAX,
        problem=problem,
    )


def message_page(
    request: Request, settings: ProvidedSettings, status: int, title: str, text: str, *, is_problem: bool = False
) -> Response:
    """A page with the result of a form."""
    return browser.render(
        request,
        settings,
        status,
        "message.html",
        heading=title,
        text=text,
        is_problem=is_problem,
        log_in=path_of(request, "show_log_in"),
        forgot=path_of(request, "show_forgot_password"),
    )
