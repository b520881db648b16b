"""The pages on which people get an account: by an invitation, or by registration if the installation allows it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from api.auth import invitations, registration
from api.auth.container import ProvidedPasswords, ProvidedRegistrationRates
from api.auth.errors import BadEmail, LinkInvalid, PasswordsBusy, PasswordsOff, RegistrationClosed, WeakPassword
from api.kernel.browser import EXPIRED_FORM, is_own_form, path_of
from api.kernel.container import ProvidedDatabase, ProvidedSettings
from api.kernel.errors import DomainError, InvalidInput
from api.kernel.pages import PageRoute
from api.kernel.problems import note_refusal
from api.kernel.rates import RateLimited
from api.kernel.request_rates import RateClass, counts_as
from api.kernel.rules import PUBLIC
from api.kernel.web import Session, client_address
from api.web.accounts import TEXT_LENGTH_MAX, TOKEN_LENGTH_MAX, message_page
from api.web.invitation_pages import join_page, void_page, with_headers_of
from settings import Settings

router = APIRouter(include_in_schema=False, dependencies=[PUBLIC], route_class=PageRoute)


@router.get("/invitation")
async def show_invitation(request: Request, session: Session, settings: ProvidedSettings, token: str = "") -> Response:
    """The form that completes an invited account."""
    try:
        user = await invitations.find_invited(session, token)
    except LinkInvalid as error:
        return _void(request, settings, error)
    return _invitation_page(request, settings, HTTPStatus.OK, token, name=user.display_name)


@router.post("/invitation", name="invitation_page")
@counts_as(RateClass.LOG_INS)
async def accept_invitation(
    request: Request,
    session: Session,
    settings: ProvidedSettings,
    database: ProvidedDatabase,
    passwords: ProvidedPasswords,
    token: Annotated[str, Form(max_length=TOKEN_LENGTH_MAX)] = "",
    name: Annotated[str, Form(max_length=TEXT_LENGTH_MAX)] = "",
    password: Annotated[str, Form()] = "",
    csrf: Annotated[str, Form()] = "",
) -> Response:
    """Complete the account."""
    if not is_own_form(request, settings, csrf):
        return _invitation_page(request, settings, HTTPStatus.FORBIDDEN, token, name=name, problem=EXPIRED_FORM)
    try:
        async with session.begin_nested():
            await invitations.accept_invitation(
                session, settings, database, passwords, secret=token, display_name=name, password=password
            )
    except LinkInvalid as error:
        return _void(request, settings, error)
    except (InvalidInput, PasswordsBusy, PasswordsOff) as error:
        page = _invitation_page(request, settings, error.status, token, name=name, problem=error.detail)
        return with_headers_of(error, page)
    return message_page(request, settings, HTTPStatus.OK, "Welcome", "Your account is ready. You can log in.")


@router.get("/register")
async def show_registration(request: Request, settings: ProvidedSettings) -> Response:
    """The form that creates an account."""
    return _registration_page(request, settings, HTTPStatus.OK)


@router.post("/register", name="registration_page")
@counts_as(RateClass.LOG_INS)
async def register(
    request: Request,
    session: Session,
    settings: ProvidedSettings,
    passwords: ProvidedPasswords,
    rates: ProvidedRegistrationRates,
    name: Annotated[str, Form(max_length=TEXT_LENGTH_MAX)] = "",
    email: Annotated[str, Form(max_length=TEXT_LENGTH_MAX)] = "",
    password: Annotated[str, Form()] = "",
    csrf: Annotated[str, Form()] = "",
) -> Response:
    """Create an account. The response is the same for new and for known addresses."""
    if not is_own_form(request, settings, csrf):
        return _registration_page(request, settings, HTTPStatus.FORBIDDEN, name=name, email=email, problem=EXPIRED_FORM)
    try:
        await rates.spend(client_address(request))
        async with session.begin_nested():
            await registration.register_user(
                session, settings, passwords, email=email, display_name=name, password=password
            )
    except (
        RateLimited, RegistrationClosed, PasswordsOff, BadEmail, WeakPassword, InvalidInput, PasswordsBusy,
    ) as error:  # fmt: skip
        note_refusal(request, error)
        page = _registration_page(request, settings, error.status, name=name, email=email, problem=_reason(error))
        return with_headers_of(error, page)
    return message_page(
        request,
        settings,
        HTTPStatus.OK,
        "Check your mail",
        "A mail with a link is on its way to you. Your account can be used after you have opened it.",
    )


def _invitation_page(
    request: Request, settings: Settings, status: int, token: str, *, name: str, problem: str = ""
) -> Response:
    return join_page(
        request,
        settings,
        status,
        heading="Welcome to Ideamint",
        lead="You are invited. Choose a password to complete your account.",
        action=path_of(request, "invitation_page"),
        button="Complete my account",
        token=token,
        name=name,
        problem=problem,
    )


def _registration_page(
    request: Request, settings: Settings, status: int, *, name: str = "", email: str = "", problem: str = ""
) -> Response:
    return join_page(
        request,
        settings,
        status,
        heading="Create an account",
        lead="You get a mail with a link, to confirm that the address is yours.",
        action=path_of(request, "registration_page"),
        button="Create the account",
        name=name,
        email=email,
        problem=problem,
    )


def _void(request: Request, settings: Settings, error: LinkInvalid) -> Response:
    return void_page(request, settings, error, "Ask the person who invited you to do it again.")


def _reason(error: DomainError) -> str:
    return f"{error.title}. {error.detail}" if isinstance(error, RateLimited) else error.detail
