"""What the pages share: the cookie of a session, and where a browser goes after a log-in."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from starlette.responses import RedirectResponse

from api.auth.dependencies import COOKIE
from api.auth.devices import COOKIE as DEVICE_COOKIE
from api.auth.devices import TTL, DeviceCookie
from api.kernel import clock

if TYPE_CHECKING:
    from starlette.responses import Response

    from api.auth.sessions import Client, Issued
    from api.kernel.browser import Browser
    from settings import Settings


def logged_in(settings: Settings, browser: Browser, issued: Issued, client: Client, next_url: str) -> Response:
    """The redirect after a log-in, with the cookie of the session and that of the device."""
    response = RedirectResponse(allowed_next(settings, next_url), HTTPStatus.SEE_OTHER, browser.headers(settings))
    max_age_s = int((issued.expires_at - clock.now()).total_seconds())
    _set(response, settings, COOKIE, issued.secret, max_age_s)
    device = DeviceCookie.of_user(issued.user.id, client.device)
    _set(response, settings, DEVICE_COOKIE, device.signed(settings.auth), int(TTL.total_seconds()))
    return response


def delete_cookie(response: Response, settings: Settings) -> None:
    """Remove the cookie of the session."""
    response.delete_cookie(COOKIE, path="/", secure=settings.auth.secure_cookies, httponly=True, samesite="lax")


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


def _set(response: Response, settings: Settings, name: str, value: str, max_age_s: int) -> None:
    response.set_cookie(
        name,
        value,
        max_age=max_age_s,
        path="/",
        secure=settings.auth.secure_cookies,
        httponly=True,
        samesite="lax",
    )


def _is_on(requested: SplitResult, page: SplitResult) -> bool:
    """Whether a URL is that of a page, or below it."""
    home = page.path.rstrip("/")
    is_below = requested.path.rstrip("/") == home or requested.path.startswith(f"{home}/")
    return (
        (requested.scheme, requested.netloc) == (page.scheme, page.netloc) and is_below and ".." not in requested.path
    )
