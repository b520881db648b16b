"""The pages of log-ins by identity providers: the start, the return from the provider, and log-outs there."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import urlencode

import structlog
from fastapi import APIRouter, Form, Request, Response
from starlette.responses import JSONResponse, RedirectResponse

from api.auth.container import ProvidedProviders, ProvidedSignOnRates
from api.auth.dependencies import client_of
from api.auth.sso import attempts
from api.auth.sso.code_flow import authorization_url
from api.auth.sso.codes import check_redirect, redirect_with
from api.auth.sso.log_in import Code, complete_log_in
from api.auth.sso.log_out import is_own_state, log_out_by_provider
from api.auth.sso.providers import Provider
from api.auth.sso.refusals import TEXTS, ProviderTokenInvalid, Reason, Refused, SignOnRefused
from api.kernel.browser import Browser
from api.kernel.container import ProvidedDatabase, ProvidedSettings
from api.kernel.errors import NotFound
from api.kernel.pages import PageRoute
from api.kernel.rates import RateLimited
from api.kernel.rules import PUBLIC
from api.kernel.web import client_address
from api.web.sessions import allowed_next, logged_in
from settings import Settings

log = structlog.get_logger(__name__)

router = APIRouter(prefix="/sso/{provider}", include_in_schema=False, dependencies=[PUBLIC], route_class=PageRoute)
browser = Browser("api.web")

STATE_LENGTH_MAX = 500
_STATUS = {Reason.PROVIDER_UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE}
_FORGOT = frozenset({Reason.ACCOUNT_UNCONFIRMED})


@router.get("/log-in")
async def begin_sign_on(
    request: Request,
    settings: ProvidedSettings,
    providers: ProvidedProviders,
    rates: ProvidedSignOnRates,
    provider: str,
    next: str = "",  # noqa: A002 - the parameter's name in the URL
    redirect_uri: str = "",
    code_challenge: str = "",
    state: str = "",
) -> Response:
    """Send the browser to the provider. `redirect_uri`, `code_challenge` and `state` are those of a program that wants tokens."""
    try:
        asked = providers.get(provider)
        await rates.spend(client_address(request))
    except NotFound as error:
        return _page(request, settings, error.status, "Not found", error.detail)
    except RateLimited as error:
        return _limited(request, settings, error)
    if redirect_uri or code_challenge:
        problem = check_redirect(redirect_uri, code_challenge)
        if problem is None and len(state) > STATE_LENGTH_MAX:
            problem = f"state must have at most {STATE_LENGTH_MAX} characters."
        if problem is not None:
            return _page(request, settings, HTTPStatus.UNPROCESSABLE_ENTITY, "Not logged in", problem)
        destination = attempts.Destination(redirect_uri=redirect_uri, code_challenge=code_challenge, state=state)
    else:
        destination = attempts.Destination(next=allowed_next(settings, next))
    attempt = attempts.new_attempt(asked.name, destination)
    try:
        url = await authorization_url(asked, attempt, callback=_callback(request, settings, asked))
    except SignOnRefused as error:
        return _refused(request, settings, asked, error.reason, destination.next)
    response = RedirectResponse(url, HTTPStatus.SEE_OTHER, browser.headers(settings))
    response.set_cookie(
        attempts.COOKIE,
        attempts.seal(settings, attempt),
        max_age=attempts.VALID_S,
        path="/",
        secure=settings.auth.secure_cookies,
        httponly=True,
        samesite="lax",
    )
    return response


@router.get("/callback")
async def end_sign_on(
    request: Request,
    settings: ProvidedSettings,
    database: ProvidedDatabase,
    providers: ProvidedProviders,
    rates: ProvidedSignOnRates,
    provider: str,
) -> Response:
    """Log the person in whom the provider has identified, or show why not."""
    try:
        asked = providers.get(provider)
        await rates.spend(client_address(request))
    except NotFound as error:
        return _page(request, settings, error.status, "Not found", error.detail)
    except RateLimited as error:
        return _limited(request, settings, error)
    parameters = dict(request.query_params)
    cookie = request.cookies.get(attempts.COOKIE)
    attempt = attempts.unseal(settings, cookie, provider=asked.name, state=parameters.get("state"))
    client = client_of(request, settings)
    result = await complete_log_in(
        database,
        settings,
        asked,
        attempt,
        parameters,
        callback=_callback(request, settings, asked),
        client=client,
    )
    if isinstance(result, Refused):
        next_url = attempt.destination.next if attempt else ""
        return _forgetting(settings, _refused(request, settings, asked, result.reason, next_url))
    assert attempt is not None, "without one, the log-in is refused"
    if isinstance(result, Code):
        wanted = attempt.destination
        url = redirect_with(wanted.redirect_uri, code=result.secret, state=wanted.state)
        return _forgetting(settings, RedirectResponse(url, HTTPStatus.SEE_OTHER, browser.headers(settings)))
    return _forgetting(settings, logged_in(settings, browser, result, client, attempt.destination.next))


@router.get("/signed-off")
async def show_signed_off(request: Request, settings: ProvidedSettings, provider: str, state: str = "") -> Response:
    """Where a provider sends the browser after the log-out."""
    if is_own_state(settings, state):
        return _page(request, settings, HTTPStatus.OK, "Logged out", "You are logged out.", is_problem=False)
    return _page(
        request, settings, HTTPStatus.UNPROCESSABLE_ENTITY, "Not found", f"No log-out at {provider} began here."
    )


@router.post("/back-channel-log-out")
async def end_by_provider(
    database: ProvidedDatabase,
    providers: ProvidedProviders,
    provider: str,
    logout_token: Annotated[str, Form()] = "",
) -> Response:
    """End the sessions of a person who has logged out at the provider, which calls this route."""
    try:
        ended = await log_out_by_provider(database, providers.get(provider), logout_token)
    except (NotFound, ProviderTokenInvalid) as error:
        log.warning("log-out by a provider refused", provider=provider[:50], error=str(error))
        return _answer(HTTPStatus.BAD_REQUEST, {"error": "invalid_request", "error_description": str(error)})
    except SignOnRefused:
        return _answer(HTTPStatus.SERVICE_UNAVAILABLE, {"error": "temporarily_unavailable"})
    return _answer(HTTPStatus.OK, {"sessions_ended": ended})


def _answer(status: int, document: dict[str, Any]) -> Response:
    return JSONResponse(document, status, {"Cache-Control": "no-store"})


def _callback(request: Request, settings: Settings, provider: Provider) -> str:
    return settings.addresses.public_url(str(request.app.url_path_for("end_sign_on", provider=provider.name)))


def _forgetting(settings: Settings, response: Response) -> Response:
    """The response, which deletes the cookie of the attempt: it is for one try."""
    response.delete_cookie(
        attempts.COOKIE, path="/", secure=settings.auth.secure_cookies, httponly=True, samesite="lax"
    )
    return response


def _limited(request: Request, settings: Settings, error: RateLimited) -> Response:
    page = _page(request, settings, error.status, error.title, error.detail)
    page.headers.update(error.response_headers())
    return page


def _refused(request: Request, settings: Settings, provider: Provider, reason: Reason, next_url: str) -> Response:
    status = _STATUS.get(reason, HTTPStatus.FORBIDDEN)
    forgot = (
        str(request.app.url_path_for("show_forgot_password")) if reason in _FORGOT and not settings.sso.only else ""
    )
    again = f"{provider.log_in_path}?{urlencode({'next': next_url})}" if next_url else provider.log_in_path
    page = _page(
        request, settings, status, "Not logged in", TEXTS[reason], label=provider.settings.label, again=again,
        forgot=forgot,
    )  # fmt: skip
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        page.headers["Retry-After"] = "30"
    return page


def _page(
    request: Request, settings: Settings, status: int, heading: str, text: str, *, is_problem: bool = True, **shown: Any
) -> Response:
    log_in = str(request.app.url_path_for("show_log_in"))
    return browser.render(
        request,
        settings,
        status,
        "sign_on.html",
        heading=heading,
        text=text,
        is_problem=is_problem,
        log_in=log_in,
        **shown,
    )
