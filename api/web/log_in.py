"""The pages for log-in to and log-out from the dashboards: forms that work without JavaScript."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from urllib.parse import SplitResult, urlencode, urlsplit

from fastapi import APIRouter, Form, Request, Response
from starlette.responses import HTMLResponse, RedirectResponse

from api.auth import sessions
from api.auth.container import ProvidedLogInDelays, ProvidedPasswords, ProvidedProviders
from api.auth.dependencies import COOKIE, client_of
from api.auth.errors import LogInFailed, PasswordsBusy, PasswordsOff, TooManyAttempts
from api.auth.sso.log_out import ProviderLogOut, find_provider_log_out
from api.auth.sso.policy import check_passwords_work
from api.auth.sso.providers import Providers
from api.kernel import clock
from api.kernel.browser import EXPIRED_FORM, Browser, is_own_form
from api.kernel.container import ProvidedDatabase, ProvidedSettings
from api.kernel.rules import PUBLIC
from api.kernel.texts import single_line
from api.kernel.web import Session, client_address
from settings import Settings

router = APIRouter(include_in_schema=False, dependencies=[PUBLIC])
browser = Browser("api.web")


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
async def log_in(
    request: Request,
    session: Session,
    settings: ProvidedSettings,
    database: ProvidedDatabase,
    passwords: ProvidedPasswords,
    delays: ProvidedLogInDelays,
    providers: ProvidedProviders,
    email: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "",  # noqa: A002 - the same
    csrf: Annotated[str, Form()] = "",
) -> Response:
    """Log the browser in and redirect it to `next`, or show the form again with the reason."""
    email = _as_address(email)
    if not is_own_form(request, settings, csrf):
        return _log_in_page(
            request, settings, providers, HTTPStatus.FORBIDDEN, next_url=next, email=email, problem=EXPIRED_FORM
        )
    try:
        check_passwords_work(settings, email)
        attempt = await sessions.authenticate(
            database, passwords, delays, email=email, password=password, address=client_address(request)
        )
    except (TooManyAttempts, PasswordsBusy, PasswordsOff) as error:
        problem = f"{error.title}. {error.detail}"
        page = _log_in_page(request, settings, providers, error.status, next_url=next, email=email, problem=problem)
        page.headers.update(error.response_headers())
        return page
    issued = await sessions.log_in(session, settings, attempt, kind="browser", client=client_of(request))
    if isinstance(issued, LogInFailed):
        return _log_in_page(
            request, settings, providers, HTTPStatus.UNPROCESSABLE_ENTITY, next_url=next, email=email,
            problem=issued.detail,
        )  # fmt: skip
    return logged_in(settings, issued, next)


def logged_in(settings: Settings, issued: sessions.Issued, next_url: str) -> Response:
    """Sets the browser's cookie and redirects to `next_url`, if that is allowed."""
    response = RedirectResponse(allowed_next(settings, next_url), HTTPStatus.SEE_OTHER, browser.headers(settings))
    response.set_cookie(
        COOKIE,
        issued.secret,
        max_age=int((issued.expires_at - clock.now()).total_seconds()),
        path="/",
        secure=settings.auth.secure_cookies,
        httponly=True,
        samesite="lax",
    )
    return response


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
        found = await sessions.find_user_of_cookie(session, secret) if secret else None
        if found is not None:
            user, session_id = found
            await sessions.end_session(session, session_id, user_id=user.id)
    target = _path(request, "show_log_in")
    if at_provider is not None:
        back = public_url(settings, _path(request, "show_signed_off", provider=at_provider.provider.name))
        target = at_provider.url(settings, back=back)
    response = RedirectResponse(target, HTTPStatus.SEE_OTHER, browser.headers(settings))
    response.delete_cookie(COOKIE, path="/", secure=settings.auth.secure_cookies, httponly=True, samesite="lax")
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
    action = _path(request, "log_in_page")
    next_url = allowed_next(settings, next_url)
    log_ins = [(each.settings.label, f"{each.log_in_path}?{urlencode({'next': next_url})}") for each in providers]
    has_emergency = settings.sso.only and settings.sso.emergency_email is not None
    link = f"{_path(request, 'show_log_in')}?{urlencode({'emergency': 'true', 'next': next_url})}"
    return browser.render(
        request,
        settings,
        status,
        "log_in.html",
        action=action,
        next=next_url,
        email=email,
        problem=problem,
        forgot=_path(request, "show_forgot_password"),
        log_ins=log_ins,
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
        action=_path(request, "log_out_page"),
        back=settings.addresses.public_dashboards_url,
        problem=problem,
        provider=at_provider.provider.settings.label if at_provider else "",
    )


def public_url(settings: Settings, path: str) -> str:
    """The URL of one of our pages for browsers, as it is registered at a provider."""
    return settings.addresses.public_api_url.rstrip("/") + path


def allowed_next(settings: Settings, url: str) -> str:
    """`url` if it is on the dashboards, on Dagster's page or a path on this host, else the dashboards' URL: no open redirect."""
    dashboards = settings.addresses.public_dashboards_url
    if not url or not url.isprintable() or " " in url or "\\" in url:
        return dashboards
    try:
        requested = urlsplit(url)
    except ValueError:
        return dashboards
    if not requested.scheme and not requested.netloc:
        return url if url.startswith("/") and not url.startswith("//") else dashboards
    pages = (urlsplit(page) for page in (dashboards, settings.addresses.public_dagster_url))
    return url if any(_is_on(requested, page) for page in pages) else dashboards


def _is_on(requested: SplitResult, page: SplitResult) -> bool:
    """Whether a URL is that of a page, or below it."""
    home = page.path.rstrip("/")
    is_below = requested.path.rstrip("/") == home or requested.path.startswith(f"{home}/")
    return (
        (requested.scheme, requested.netloc) == (page.scheme, page.netloc) and is_below and ".." not in requested.path
    )


def _path(request: Request, name: str, **parts: str) -> str:
    return str(request.app.url_path_for(name, **parts))
