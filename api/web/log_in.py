"""The pages for log-in to and log-out from the dashboards: forms that work without JavaScript."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request, Response
from starlette.responses import HTMLResponse, RedirectResponse

from api.auth import log_ins, sessions
from api.auth.container import ProvidedLogInDelays, ProvidedPasswords, ProvidedProviders
from api.auth.dependencies import COOKIE, client_of, find_caller_of_cookie
from api.auth.errors import LogInFailed, PasswordsBusy, PasswordsOff, TooManyAttempts
from api.auth.second_factors.errors import SecondStepRequired
from api.auth.sso.log_out import ProviderLogOut, find_provider_log_out
from api.auth.sso.policy import check_passwords_work
from api.auth.sso.providers import Providers
from api.kernel.browser import EXPIRED_FORM, Browser, is_own_form, path_of
from api.kernel.container import ProvidedDatabase, ProvidedSettings
from api.kernel.pages import PageRoute
from api.kernel.problems import note_refusal
from api.kernel.request_rates import RateClass, counts_as
from api.kernel.rules import PUBLIC
from api.kernel.texts import single_line
from api.kernel.web import Session
from api.web.accounts import TEXT_LENGTH_MAX
from api.web.second_step import second_step_page
from api.web.sessions import allowed_next, delete_cookie, logged_in
from settings import Settings
from settings.auth import Registration

router = APIRouter(include_in_schema=False, dependencies=[PUBLIC], route_class=PageRoute)
browser = Browser("api.web")

PASSWORD_LENGTH_MAX = 1024  # typed in a form; new passwords have at most 128 characters


@router.get("/login")
async def show_log_in(
    request: Request,
    settings: ProvidedSettings,
    providers: ProvidedProviders,
    next: str = "",  # noqa: A002 - the parameter's name in the URL
    emergency: bool = False,  # noqa: FBT001, FBT002 - a parameter of the URL
) -> Response:
    """The log-in form, and the identity providers. With `emergency` the form is shown also if only providers identify users."""
    return _log_in_page(request, settings, providers, HTTPStatus.OK, next_url=next, emergency=emergency)


@router.post("/login", name="log_in_page")
@counts_as(RateClass.LOG_INS)
async def log_in(
    request: Request,
    session: Session,
    settings: ProvidedSettings,
    database: ProvidedDatabase,
    passwords: ProvidedPasswords,
    delays: ProvidedLogInDelays,
    providers: ProvidedProviders,
    email: Annotated[str, Form(max_length=TEXT_LENGTH_MAX)] = "",
    password: Annotated[str, Form(max_length=PASSWORD_LENGTH_MAX)] = "",
    next: Annotated[str, Form()] = "",  # noqa: A002 - the same
    csrf: Annotated[str, Form()] = "",
) -> Response:
    """Log the browser in and redirect it to `next`, or show the form again with the reason."""
    email = _as_address(email)
    if not is_own_form(request, settings, csrf):
        return _log_in_page(
            request, settings, providers, HTTPStatus.FORBIDDEN, next_url=next, email=email, problem=EXPIRED_FORM
        )
    client = client_of(request, settings)
    try:
        check_passwords_work(settings, email)
        attempt = await log_ins.authenticate(database, passwords, delays, email=email, password=password, client=client)
    except (TooManyAttempts, PasswordsBusy, PasswordsOff) as error:
        note_refusal(request, error)
        problem = f"{error.title}. {error.detail}"
        page = _log_in_page(request, settings, providers, error.status, next_url=next, email=email, problem=problem)
        page.headers.update(error.response_headers())
        return page
    issued = await log_ins.log_in(session, settings, delays, attempt, kind="browser", client=client)
    if isinstance(issued, LogInFailed):
        return _log_in_page(
            request, settings, providers, HTTPStatus.UNPROCESSABLE_ENTITY, next_url=next, email=email,
            problem=issued.detail,
        )  # fmt: skip
    if isinstance(issued, SecondStepRequired):
        return second_step_page(request, settings, issued, next)
    return logged_in(settings, browser, issued, client, next)


@router.get("/logout")
async def show_log_out(
    request: Request, settings: ProvidedSettings, database: ProvidedDatabase, providers: ProvidedProviders
) -> Response:
    """The log-out form; its button is required, so that a link cannot log a user out."""
    at_provider = await find_provider_log_out(database, settings, providers, request.cookies.get(COOKIE))
    return _log_out_page(request, settings, HTTPStatus.OK, at_provider=at_provider)


@router.post("/logout", name="log_out_page")
async def log_out(
    request: Request,
    settings: ProvidedSettings,
    database: ProvidedDatabase,
    providers: ProvidedProviders,
    csrf: Annotated[str, Form()] = "",
) -> Response:
    """End the browser's session and delete its cookie; then the browser logs out at the provider of the session."""
    if not is_own_form(request, settings, csrf):
        return _log_out_page(request, settings, HTTPStatus.FORBIDDEN, problem=EXPIRED_FORM)
    secret = request.cookies.get(COOKIE)
    at_provider = await find_provider_log_out(database, settings, providers, secret)
    async with database.session() as session:
        caller = await find_caller_of_cookie(session, settings, secret)
        if caller is not None:
            await sessions.end_session(session, caller.session_id, user_id=caller.user_id)
    target = path_of(request, "show_log_in")
    if at_provider is not None:
        back = settings.addresses.public_url(path_of(request, "show_signed_off", provider=at_provider.provider.name))
        target = at_provider.url(settings, back=back)
    response = RedirectResponse(target, HTTPStatus.SEE_OTHER, browser.headers(settings))
    delete_cookie(response, settings)
    return response


def _as_address(text: str) -> str:
    """A typed address by the rule of all texts; "" for a text that no account can have."""
    try:
        return single_line(text)
    except ValueError:
        return ""


def _log_in_page(
    request: Request,
    settings: Settings,
    providers: Providers,
    status: int,
    *,
    next_url: str,
    email: str = "",
    problem: str = "",
    emergency: bool = False,
) -> HTMLResponse:
    action = path_of(request, "log_in_page")
    next_url = allowed_next(settings, next_url)
    buttons = [(each.settings.label, f"{each.log_in_path}?{urlencode({'next': next_url})}") for each in providers]
    may_register = settings.auth.registration != Registration.INVITATION and not settings.sso.only
    has_emergency = settings.sso.only and settings.sso.emergency_email is not None
    link = f"{path_of(request, 'show_log_in')}?{urlencode({'emergency': 'true', 'next': next_url})}"
    return browser.render(
        request,
        settings,
        status,
        "log_in.html",
        action=action,
        next=next_url,
        email=email,
        problem=problem,
        forgot=path_of(request, "show_forgot_password"),
        register=path_of(request, "show_registration") if may_register else "",
        by_passkey=path_of(request, "passkey_page"),
        log_ins=buttons,
        has_form=not settings.sso.only or (has_emergency and (emergency or bool(email))),
        emergency=link if has_emergency else "",
    )


def _log_out_page(
    request: Request, settings: Settings, status: int, *, problem: str = "", at_provider: ProviderLogOut | None = None
) -> HTMLResponse:
    return browser.render(
        request,
        settings,
        status,
        "log_out.html",
        form_targets=[at_provider.origin] if at_provider else [],
        action=path_of(request, "log_out_page"),
        back=settings.addresses.public_dashboards_url,
        problem=problem,
        provider=at_provider.provider.settings.label if at_provider else "",
    )
