"""The page of the link in an invitation to a campaign.

Who is logged in with the invited address accepts by a button; who has an account with it logs in first; others create an
account. A GET changes nothing, because programs that scan mails open their links.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request, Response

from api.auth import invitations as accounts
from api.auth import recovery
from api.auth import service as auth
from api.auth.container import ProvidedPasswords
from api.auth.dependencies import COOKIE, find_caller_of_cookie
from api.auth.errors import EmailTaken, LinkInvalid, PasswordsBusy, PasswordsOff, RegistrationClosed
from api.campaigns import errors
from api.campaigns.invitations import service as invitations
from api.kernel.browser import EXPIRED_FORM, Browser, is_own_form, path_of
from api.kernel.container import ProvidedDatabase, ProvidedSettings
from api.kernel.errors import DomainError, InvalidInput
from api.kernel.pages import PageRoute
from api.kernel.request_rates import RateClass, counts_as
from api.kernel.rules import PUBLIC
from api.kernel.web import Session
from api.web.accounts import TEXT_LENGTH_MAX, TOKEN_LENGTH_MAX, message_page
from settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

router = APIRouter(include_in_schema=False, dependencies=[PUBLIC], route_class=PageRoute)
browser = Browser("api.web")

_ENDED = (LinkInvalid, errors.CampaignNotActive, errors.RemovedFromCampaign, errors.InvitationOutdated)


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
    if not is_own_form(request, settings, csrf):
        return await _page(request, session, settings, HTTPStatus.FORBIDDEN, token, name=name, problem=EXPIRED_FORM)
    try:
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
                campaign, _ = await invitations.accept(session, secret=token, user=user)
            text = f"Your account is ready, and you take part in the campaign “{campaign.title}”. You can log in."
        else:
            caller = await find_caller_of_cookie(session, settings, request.cookies.get(COOKIE))
            if caller is None:
                return await _page(request, session, settings, HTTPStatus.FORBIDDEN, token)
            async with session.begin_nested():
                user = await auth.get_user(session, caller.user_id)
                campaign, _ = await invitations.accept(session, secret=token, user=user)
            text = f"You take part in the campaign “{campaign.title}”."
    except _ENDED as error:
        return _ended(request, settings, error)
    except (
        InvalidInput, PasswordsBusy, PasswordsOff, RegistrationClosed, EmailTaken, errors.InvitationForAnother,
    ) as error:  # fmt: skip
        page = await _page(request, session, settings, error.status, token, name=name, problem=error.detail)
        page.headers.update(error.response_headers())
        return page
    return message_page(request, settings, HTTPStatus.OK, "Welcome", text)


async def _page(
    request: Request,
    session: AsyncSession,
    settings: Settings,
    status: int,
    token: str,
    *,
    name: str = "",
    problem: str = "",
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
    if owner is None:
        return browser.render(
            request,
            settings,
            status,
            "join.html",
            heading="Invitation to a campaign",
            lead=f"You are invited to the campaign “{campaign.title}”. Choose a password to create your account.",
            action=action,
            button="Create my account and accept",
            token=token,
            name=name or invitation.name or "",
            problem=problem,
            length_min=recovery.PASSWORD_LENGTH_MIN,
            length_max=recovery.PASSWORD_LENGTH_MAX,
            log_in=log_in,
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
    )


def _ended(request: Request, settings: Settings, error: DomainError) -> Response:
    text = f"{error.detail} Ask the person who invited you."
    return message_page(request, settings, error.status, "The invitation is not valid", text, is_problem=True)
