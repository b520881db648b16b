"""The pages on which people log in to the dashboards and out: plain forms that need no script.

A form is answered only if it bears the HMAC of a random cookie that the same browser was given with it, so that no
other site can log somebody in or out (CSRF), and only if the browser does not itself say that another site sent it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request, Response
from jinja2 import ChoiceLoader, Environment, PackageLoader
from markupsafe import Markup
from starlette.responses import HTMLResponse, RedirectResponse

from api.auth import sessions
from api.auth.dependencies import COOKIE
from api.auth.errors import LogInFailed, PasswordsBusy, TooManyAttempts
from api.auth.routes import client_address
from api.auth.tokens import new_secret
from api.kernel import clock
from api.kernel.web import Session

if TYPE_CHECKING:
    from settings import Settings

CSRF_COOKIE = "ideamint_form"

router = APIRouter(include_in_schema=False)


@router.get("/login")
async def show_log_in(request: Request, next: str = "") -> Response:  # noqa: A002 - the parameter's name in the URL
    """The form."""
    return _log_in_page(request, HTTPStatus.OK, next_url=next)


@router.post("/login", name="log_in_page")
async def log_in(
    request: Request,
    session: Session,
    email: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "",  # noqa: A002 - the same
    csrf: Annotated[str, Form()] = "",
) -> Response:
    """Log the browser in and send it where it wanted to go, or show the form again and say why not."""
    state = request.app.state
    email = email.strip()
    if not _is_own_form(request, csrf):
        problem = "This form had grown old. Please try again."
        return _log_in_page(request, HTTPStatus.FORBIDDEN, next_url=next, email=email, problem=problem)
    try:
        attempt = await sessions.authenticate(
            state.database,
            state.passwords,
            state.log_in_delays,
            email=email,
            password=password,
            address=client_address(request),
        )
    except (TooManyAttempts, PasswordsBusy) as error:
        page = _log_in_page(request, error.status, next_url=next, email=email, problem=f"{error.title}. {error.detail}")
        page.headers.update(error.response_headers())
        return page
    issued = await sessions.log_in(session, state.settings, attempt, kind="browser")
    if isinstance(issued, LogInFailed):
        return _log_in_page(request, HTTPStatus.UNPROCESSABLE_ENTITY, next_url=next, email=email, problem=issued.detail)
    response = RedirectResponse(_allowed_next(state.settings, next), HTTPStatus.SEE_OTHER, _headers(state.settings))
    response.set_cookie(
        COOKIE,
        issued.secret,
        max_age=int((issued.expires_at - clock.now()).total_seconds()),
        path="/",
        secure=state.settings.secure_cookies,
        httponly=True,
        samesite="lax",
    )
    return response


@router.get("/logout")
async def show_log_out(request: Request) -> Response:
    """A button: a link alone must not log anybody out."""
    return _log_out_page(request, HTTPStatus.OK)


@router.post("/logout", name="log_out_page")
async def log_out(request: Request, session: Session, csrf: Annotated[str, Form()] = "") -> Response:
    """End the browser's session and take its cookie."""
    if not _is_own_form(request, csrf):
        return _log_out_page(request, HTTPStatus.FORBIDDEN, problem="This form had grown old. Please try again.")
    secret = request.cookies.get(COOKIE)
    found = await sessions.find_user_of_cookie(session, secret) if secret else None
    if found is not None:
        user, session_id = found
        await sessions.end_session(session, session_id, user_id=user.id)
    settings: Settings = request.app.state.settings
    response = RedirectResponse(_path(request, "show_log_in"), HTTPStatus.SEE_OTHER, _headers(settings))
    response.delete_cookie(COOKIE, path="/", secure=settings.secure_cookies, httponly=True, samesite="lax")
    return response


def _log_in_page(request: Request, status: int, *, next_url: str, email: str = "", problem: str = "") -> HTMLResponse:
    action = _path(request, "log_in_page")
    next_url = _allowed_next(request.app.state.settings, next_url)
    return _page(request, status, "log_in.html", action=action, next=next_url, email=email, problem=problem)


def _log_out_page(request: Request, status: int, *, problem: str = "") -> HTMLResponse:
    back = request.app.state.settings.public_dashboards_url
    return _page(request, status, "log_out.html", action=_path(request, "log_out_page"), back=back, problem=problem)


def _page(request: Request, status: int, template: str, **shown: Any) -> HTMLResponse:
    settings: Settings = request.app.state.settings
    given = request.cookies.get(CSRF_COOKIE, "")
    secret = given if len(given) == len(new_secret()) else new_secret()
    html = (
        _environment()
        .get_template(template)
        .render(
            style=Markup(_style()),  # noqa: S704 - a file of ours
            csrf=_form_token(settings, secret),
            **shown,
        )
    )
    response = HTMLResponse(html, status, _headers(settings))
    response.set_cookie(CSRF_COOKIE, secret, path="/", secure=settings.secure_cookies, httponly=True, samesite="lax")
    return response


def _is_own_form(request: Request, token: str) -> bool:
    secret = request.cookies.get(CSRF_COOKIE, "")
    from_elsewhere = request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}
    expected = _form_token(request.app.state.settings, secret)
    return bool(secret) and not from_elsewhere and hmac.compare_digest(expected.encode(), token.encode())


def _form_token(settings: Settings, secret: str) -> str:
    assert settings.jwt_secret is not None
    key = hashlib.sha256(b"form:" + settings.jwt_secret.get_secret_value().encode()).digest()
    return hmac.new(key, secret.encode(), hashlib.sha256).hexdigest()


def _allowed_next(settings: Settings, url: str) -> str:
    """`url` if it is on the dashboards or a path on this host, else the dashboards: nobody is sent elsewhere."""
    dashboards = settings.public_dashboards_url
    if not url or not url.isprintable() or " " in url or "\\" in url:
        return dashboards
    try:
        asked, allowed = urlsplit(url), urlsplit(dashboards)
    except ValueError:
        return dashboards
    if not asked.scheme and not asked.netloc:
        return url if url.startswith("/") and not url.startswith("//") else dashboards
    home = allowed.path.rstrip("/")
    is_below = asked.path.rstrip("/") == home or asked.path.startswith(f"{home}/")
    is_same = (asked.scheme, asked.netloc) == (allowed.scheme, allowed.netloc)
    return url if is_same and is_below and ".." not in asked.path else dashboards


def _path(request: Request, name: str) -> str:
    return str(request.app.url_path_for(name))


def _headers(settings: Settings) -> dict[str, str]:
    """Nothing but the page's own style is loaded, and its form goes here, or on to the dashboards."""
    dashboards = urlsplit(settings.public_dashboards_url)
    policy = (
        f"default-src 'none'; style-src 'sha256-{_style_hash()}'; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action 'self' {dashboards.scheme}://{dashboards.netloc}"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }


@cache
def _environment() -> Environment:
    loader = ChoiceLoader([PackageLoader("api.web"), PackageLoader("api.kernel")])
    return Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)


@cache
def _style() -> str:
    loader = _environment().loader
    assert loader is not None
    source, _, _ = loader.get_source(_environment(), "page.css")
    return source


@cache
def _style_hash() -> str:
    return base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
