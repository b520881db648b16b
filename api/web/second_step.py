"""The pages of the second step of a log-in, and of log-ins by passkey. Only passkeys need JavaScript."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response

from api.auth.container import ProvidedLogInDelays
from api.auth.dependencies import client_of
from api.auth.errors import TooManyAttempts
from api.auth.second_factors import steps
from api.auth.second_factors.errors import ChallengeInvalid, SecondStepRequired
from api.auth.second_factors.passkeys import RESPONSE_LENGTH_MAX
from api.auth.second_factors.service import Factor
from api.auth.sessions import Issued
from api.kernel.browser import EXPIRED_FORM, Browser, is_own_form, path_of
from api.kernel.container import ProvidedSettings
from api.kernel.pages import PageRoute
from api.kernel.request_rates import RateClass, counts_as
from api.kernel.rules import PUBLIC
from api.kernel.web import Session
from api.web.sessions import allowed_next, logged_in
from settings import Settings

router = APIRouter(include_in_schema=False, dependencies=[PUBLIC], route_class=PageRoute)
browser = Browser("api.web", script="passkeys.js")

SECRET_LENGTH_MAX = 128
OPTIONS_LENGTH_MAX = 40_000
_LEADS = {
    Factor.APP: "Enter the code that your authenticator app shows.",
    Factor.RECOVERY_CODE: "A recovery code works too.",
    Factor.PASSKEY: "Use your passkey.",
    Factor.MAILED_CODE: "Many log-ins to this account have failed. Enter the code that was sent to your e-mail address.",
}


@router.post("/login/second-step", name="second_step_page")
@counts_as(RateClass.LOG_INS)
async def take_second_step(
    request: Request,
    session: Session,
    settings: ProvidedSettings,
    delays: ProvidedLogInDelays,
    challenge: Annotated[str, Form(max_length=SECRET_LENGTH_MAX)] = "",
    factors: Annotated[str, Form(max_length=200)] = "",
    options: Annotated[str, Form(max_length=OPTIONS_LENGTH_MAX)] = "",
    code: Annotated[str, Form(max_length=100)] = "",
    passkey: Annotated[str, Form(max_length=RESPONSE_LENGTH_MAX)] = "",
    next: Annotated[str, Form()] = "",  # noqa: A002 - the parameter's name in the URL
    csrf: Annotated[str, Form()] = "",
) -> Response:
    """Finish the log-in, or show the form again with the reason."""
    asked = _Asked(challenge, factors, options)
    if not is_own_form(request, settings, csrf):
        return _step_page(request, settings, HTTPStatus.FORBIDDEN, asked, next, problem=EXPIRED_FORM)
    client = client_of(request, settings)
    try:
        issued = await steps.second_step(
            session,
            settings,
            delays,
            challenge=challenge,
            code=code,
            response=as_response(passkey) if passkey else None,
            kind="browser",
            client=client,
        )
    except TooManyAttempts as error:
        page = _step_page(request, settings, error.status, asked, next, problem=f"{error.title}. {error.detail}")
        page.headers.update(error.response_headers())
        return page
    if isinstance(issued, Issued):
        return logged_in(settings, browser, issued, client, next)
    if isinstance(issued, ChallengeInvalid):
        asked = _Asked("", "", "")
    return _step_page(request, settings, HTTPStatus.UNPROCESSABLE_ENTITY, asked, next, problem=issued.detail)


@router.post("/login/passkey", name="passkey_page")
@counts_as(RateClass.LOG_INS)
async def log_in_by_passkey(
    request: Request,
    session: Session,
    settings: ProvidedSettings,
    delays: ProvidedLogInDelays,
    challenge: Annotated[str, Form(max_length=SECRET_LENGTH_MAX)] = "",
    passkey: Annotated[str, Form(max_length=RESPONSE_LENGTH_MAX)] = "",
    next: Annotated[str, Form()] = "",  # noqa: A002 - the same
    csrf: Annotated[str, Form()] = "",
) -> Response:
    """Log in by the response of a passkey; without one, show the page that asks the browser for it."""
    if not is_own_form(request, settings, csrf):
        return await _passkey_page(request, session, settings, HTTPStatus.FORBIDDEN, next, problem=EXPIRED_FORM)
    if not passkey:
        return await _passkey_page(request, session, settings, HTTPStatus.OK, next)
    client = client_of(request, settings)
    issued = await steps.log_in_by_passkey(
        session,
        settings,
        delays,
        challenge=challenge,
        response=as_response(passkey),
        kind="browser",
        client=client,
    )
    if isinstance(issued, Issued):
        return logged_in(settings, browser, issued, client, next)
    return await _passkey_page(request, session, settings, HTTPStatus.UNPROCESSABLE_ENTITY, next, problem=issued.detail)


def second_step_page(request: Request, settings: Settings, asked: SecondStepRequired, next_url: str) -> Response:
    """The form of the second step after a password that was right."""
    options = json.dumps(asked.passkey_options) if asked.passkey_options else ""
    return _step_page(
        request, settings, HTTPStatus.OK, _Asked(asked.challenge, " ".join(asked.factors), options), next_url
    )


def as_response(passkey: str) -> dict[str, Any]:
    """The response of a passkey in a form field; a text that is none becomes one that is refused."""
    try:
        response = json.loads(passkey)
    except (ValueError, RecursionError):
        return {}
    return response if isinstance(response, dict) else {}


class _Asked:
    """What the form of the second step keeps: the challenge, the names of the factors, and the passkey's options."""

    def __init__(self, challenge: str, factors: str, options: str) -> None:
        self.challenge = challenge
        self.factors = [Factor(name) for name in factors.split() if name in set(Factor)]
        self.options = options


def _step_page(
    request: Request, settings: Settings, status: int, asked: _Asked, next_url: str, *, problem: str = ""
) -> Response:
    codes = set(asked.factors) - {Factor.PASSKEY}
    return browser.render(
        request,
        settings,
        status,
        "second_step.html",
        action=path_of(request, "second_step_page"),
        again=path_of(request, "show_log_in"),
        lead=" ".join(_LEADS[factor] for factor in asked.factors),
        challenge=asked.challenge,
        factors=" ".join(asked.factors),
        options=asked.options if Factor.PASSKEY in asked.factors else "",
        asks_code=bool(codes),
        next=allowed_next(settings, next_url),
        problem=problem,
    )


async def _passkey_page(
    request: Request, session: Session, settings: Settings, status: int, next_url: str, *, problem: str = ""
) -> Response:
    challenge, options = await steps.begin_passkey_log_in(session, settings)
    return browser.render(
        request,
        settings,
        status,
        "passkey_log_in.html",
        action=path_of(request, "passkey_page"),
        again=path_of(request, "show_log_in"),
        challenge=challenge,
        options=json.dumps(options),
        next=allowed_next(settings, next_url),
        problem=problem,
    )
