"""The pages for log-in to and log-out from the dashboards: forms that work without JavaScript."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from fastapi import APIRouter, Form, Request, Response
from starlette.responses import HTMLResponse, RedirectResponse

from api.auth import sessions
from api.auth.container import ProvidedLogInDelays, ProvidedPasswords
from api.auth.dependencies import COOKIE, client_of
from api.auth.errors import LogInFailed, PasswordsBusy, TooManyAttempts
from api.kernel import clock
from api.kernel.browser import EXPIRED_FORM, Browser, is_own_form
from api.kernel.container import ProvidedDatabase, ProvidedSettings
from api.kernel.pages import PageRoute
from api.kernel.request_rates import RateClass, counts_as
from api.kernel.rules import PUBLIC
from api.kernel.texts import single_line
from api.kernel.web import Session, client_address
from settings import Settings

router = APIRouter(include_in_schema=False, dependencies=[PUBLIC], route_class=PageRoute)
browser = Browser("api.web")


@router.get("/login")
async def show_log_in(
    request: Request,
    settings: ProvidedSettings,
    next: str = "",  # noqa: A002 - the parameter's name in the URL
) -> Response:
    """The log-in form."""
    return _log_in_page(request, settings, HTTPStatus.OK, next_url=next)


@router.post("/login", name="log_in_page")
@counts_as(RateClass.LOG_INS)
async def log_in(
    request: Request,
    session: Session,
    settings: ProvidedSettings,
    database: ProvidedDatabase,
    passwords: ProvidedPasswords,
    delays: ProvidedLogInDelays,
    email: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "",  # noqa: A002 - the same
    csrf: Annotated[str, Form()] = "",
) -> Response:
    """Log the browser in and redirect it to `next`, or show the form again with the reason."""
    email = _as_address(email)
    if not is_own_form(request, settings, csrf):
        return _log_in_page(request, settings, HTTPStatus.FORBIDDEN, next_url=next, email=email, problem=EXPIRED_FORM)
    try:
        attempt = await sessions.authenticate(
            database, passwords, delays, email=email, password=password, address=client_address(request)
        )
    except (TooManyAttempts, PasswordsBusy) as error:
        problem = f"{error.title}. {error.detail}"
        page = _log_in_page(request, settings, error.status, next_url=next, email=email, problem=problem)
        page.headers.update(error.response_headers())
        return page
    issued = await sessions.log_in(session, settings, attempt, kind="browser", client=client_of(request))
    if isinstance(issued, LogInFailed):
        return _log_in_page(
            request, settings, HTTPStatus.UNPROCESSABLE_ENTITY, next_url=next, email=email, problem=issued.detail
        )
    response = RedirectResponse(_allowed_next(settings, next), HTTPStatus.SEE_OTHER, browser.headers(settings))
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
async def show_log_out(request: Request, settings: ProvidedSettings) -> Response:
    """The log-out form; its button is required, so that a link cannot log a user out."""
    return _log_out_page(request, settings, HTTPStatus.OK)


@router.post("/logout", name="log_out_page")
async def log_out(
    request: Request, session: Session, settings: ProvidedSettings, csrf: Annotated[str, Form()] = ""
) -> Response:
    """End the browser's session and delete its cookie."""
    if not is_own_form(request, settings, csrf):
        return _log_out_page(request, settings, HTTPStatus.FORBIDDEN, problem=EXPIRED_FORM)
    secret = request.cookies.get(COOKIE)
    found = await sessions.find_user_of_cookie(session, secret) if secret else None
    if found is not None:
        user, session_id = found
        await sessions.end_session(session, session_id, user_id=user.id)
    response = RedirectResponse(_path(request, "show_log_in"), HTTPStatus.SEE_OTHER, browser.headers(settings))
    response.delete_cookie(COOKIE, path="/", secure=settings.auth.secure_cookies, httponly=True, samesite="lax")
    return response


def _as_address(text: str) -> str:
    """A typed address by the rule of all texts; "" for a text that no account can have."""
    try:
        return single_line(text)
    except ValueError:
        return ""


def _log_in_page(
    request: Request, settings: Settings, status: int, *, next_url: str, email: str = "", problem: str = ""
) -> HTMLResponse:
    action = _path(request, "log_in_page")
    next_url = _allowed_next(settings, next_url)
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
    )


def _log_out_page(request: Request, settings: Settings, status: int, *, problem: str = "") -> HTMLResponse:
    action, back = _path(request, "log_out_page"), settings.addresses.public_dashboards_url
    return browser.render(request, settings, status, "log_out.html", action=action, back=back, problem=problem)


def _allowed_next(settings: Settings, url: str) -> str:
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


def _path(request: Request, name: str) -> str:
    return str(request.app.url_path_for(name))
