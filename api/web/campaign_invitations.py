"""The page of the link in an invitation to a campaign.

Who is logged in with the invited address accepts by a button; who has an account with it logs in first; others create an
account. A GET changes nothing, because programs that scan mails open their links.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request, Response
from pydantic import ValidationError

from api.auth import invitations as accounts
from api.auth import service as auth
from api.auth.container import ProvidedPasswords
from api.auth.dependencies import COOKIE, find_caller_of_cookie
from api.auth.errors import EmailTaken, LinkInvalid, PasswordsBusy, PasswordsOff, RegistrationClosed
from api.campaigns import errors
from api.campaigns.invitations import service as invitations
from api.campaigns.schemas import Joining
from api.kernel.browser import EXPIRED_FORM, is_own_form, path_of
from api.kernel.container import ProvidedDatabase, ProvidedSettings
from api.kernel.errors import DomainError, InvalidInput
from api.kernel.pages import PageRoute
from api.kernel.request_rates import RateClass, counts_as
from api.kernel.rules import PUBLIC
from api.kernel.web import Session
from api.web.accounts import TEXT_LENGTH_MAX, TOKEN_LENGTH_MAX, message_page
from api.web.invitation_pages import browser, join_page, void_page, with_headers_of
from settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

router = APIRouter(include_in_schema=False, dependencies=[PUBLIC], route_class=PageRoute)

_FIELD = "attribute-"
_ENDED = (LinkInvalid, errors.CampaignNotActive, errors.RemovedFromCampaign, errors.InvitationOutdated)


@dataclass(frozen=True)
class _Filled:
    """What a person has filled in, which the page shows again."""

    name: str = ""
    answers: Mapping[str, str] = field(default_factory=dict)


_NOTHING = _Filled()


@router.get("/campaign-invitation")
async def show_campaign_invitation(
    request: Request, session: Session, settings: ProvidedSettings, token: str = ""
) -> Response:
    """The button that accepts the invitation, the way to log in, or the form that creates an account."""
    return await _page(request, session, settings, HTTPStatus.OK, token)


@router.post("/campaign-invitation", name="campaign_invitation_page")
@counts_as(RateClass.LOG_INS)
async def accept_campaign_invitation(
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
    """Accept the invitation, with a new account if the form has a password."""
    given = await _answers(request)
    filled = _Filled(name, given)
    if not is_own_form(request, settings, csrf):
        return await _page(request, session, settings, HTTPStatus.FORBIDDEN, token, filled, problem=EXPIRED_FORM)
    try:
        answers = _checked(given)
        if password:
            async with database.reading() as first:
                invitation, _ = await invitations.find_by_secret(first, token)
            async with session.begin_nested():
                user = await accounts.create_invited_account(
                    session,
                    settings,
                    passwords,
                    email=invitation.email,
                    display_name=name,
                    password=password,
                    invited_by=invitation.created_by,
                )
                campaign, _ = await invitations.accept(session, secret=token, user=user, answers=answers)
            text = f"Your account is ready, and you take part in the campaign “{campaign.title}”. You can log in."
        else:
            caller = await find_caller_of_cookie(session, settings, request.cookies.get(COOKIE))
            if caller is None:
                return await _page(request, session, settings, HTTPStatus.FORBIDDEN, token, filled)
            async with session.begin_nested():
                user = await auth.get_user(session, caller.user_id)
                campaign, _ = await invitations.accept(session, secret=token, user=user, answers=answers)
            text = f"You take part in the campaign “{campaign.title}”."
    except _ENDED as error:
        return _ended(request, settings, error)
    except errors.AttributesRefused as error:
        return await _page(request, session, settings, error.status, token, filled, faults=error.extensions["faults"])
    except (
        InvalidInput, PasswordsBusy, PasswordsOff, RegistrationClosed, EmailTaken, errors.InvitationForAnother,
    ) as error:  # fmt: skip
        page = await _page(request, session, settings, error.status, token, filled, problem=error.detail)
        return with_headers_of(error, page)
    return message_page(request, settings, HTTPStatus.OK, "Welcome", text)


async def _page(
    request: Request,
    session: AsyncSession,
    settings: Settings,
    status: int,
    token: str,
    filled: _Filled = _NOTHING,
    *,
    problem: str = "",
    faults: Mapping[str, str] = MappingProxyType({}),
) -> Response:
    """The page for the caller: what it offers depends on who is logged in, and on whether the address has an account."""
    try:
        invitation, campaign = await invitations.find_by_secret(session, token)
    except LinkInvalid as error:
        return _ended(request, settings, error)
    caller = await find_caller_of_cookie(session, settings, request.cookies.get(COOKIE))
    owner = await auth.find_confirmed_user(session, invitation.email)
    action = path_of(request, "campaign_invitation_page")
    here = f"{path_of(request, 'show_campaign_invitation')}?{urlencode({'token': token})}"
    log_in = f"{path_of(request, 'show_log_in')}?{urlencode({'next': here})}"
    asked = await invitations.list_questions(session, invitation, owner)
    questions = [replace(each, value=filled.answers.get(each.key, each.value)) for each in asked]
    if faults:
        labels = {each.key: each.label for each in asked}
        problem = "; ".join(f"{labels.get(key, key)} {fault}" for key, fault in faults.items()) + "."
    if owner is None:
        return join_page(
            request,
            settings,
            status,
            heading="Invitation to a campaign",
            lead=f"You are invited to the campaign “{campaign.title}”. Choose a password to create your account.",
            action=action,
            button="Create my account and accept",
            token=token,
            name=filled.name or invitation.name or "",
            problem=problem,
            log_in=log_in,
            questions=questions,
        )
    return browser.render(
        request,
        settings,
        status,
        "campaign_invitation.html",
        campaign=campaign.title,
        may_accept=caller is not None and caller.user_id == owner.id,
        action=action,
        token=token,
        problem=problem,
        log_in=log_in,
        questions=questions,
    )


async def _answers(request: Request) -> dict[str, str]:
    """The fields of attributes that are not empty; FastAPI has read the form."""
    form = await request.form()
    fields = ((name.removeprefix(_FIELD), value) for name, value in form.items() if name.startswith(_FIELD))
    return {name: value.strip() for name, value in fields if isinstance(value, str) and value.strip()}


def _checked(answers: dict[str, str]) -> dict[str, str]:
    """The answers by the rules of text.

    Raises:
        AttributesRefused: one is no text on one line, or too long.
    """
    try:
        return dict(Joining.model_validate({"attributes": answers}).attributes)
    except ValidationError as error:
        faults = {
            str(each["loc"][1]) if len(each["loc"]) > 1 else "attributes": each["msg"].removeprefix("Value error, ")
            for each in error.errors(include_url=False, include_input=False, include_context=False)
        }
        msg = "The attributes are not valid."
        raise errors.AttributesRefused(msg, faults=faults) from error


def _ended(request: Request, settings: Settings, error: DomainError) -> Response:
    return void_page(request, settings, error, "Ask the person who invited you.")
