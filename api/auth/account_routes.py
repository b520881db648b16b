"""Routes for confirming addresses, forgotten passwords, and the caller's password, address and sessions.

The routes without a log-in respond alike for known and unknown addresses.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import UUID

from fastapi import Request

from api.auth import invitations, lifecycle, recovery, registration, service, sessions
from api.auth.container import ProvidedLogInDelays, ProvidedMailRates, ProvidedPasswords
from api.auth.dependencies import Myself, RecentlyMyself
from api.auth.errors import (
    BadEmail,
    EmailTaken,
    LastAdministrator,
    LinkInvalid,
    PasswordsBusy,
    PasswordsOff,
    PasswordUsedBefore,
    PasswordWrong,
    TooManyAttempts,
    WeakPassword,
)
from api.auth.schemas import (
    AcceptInvitation,
    Address,
    ChangeAddress,
    ChangePassword,
    ConfirmAddress,
    MySession,
    MySessions,
    Registration,
    ResetPassword,
)
from api.auth.sso.policy import check_passwords_work
from api.kernel.container import ProvidedDatabase, ProvidedSettings
from api.kernel.contract import raises
from api.kernel.errors import InvalidInput, NotFound
from api.kernel.rates import RateLimited
from api.kernel.request_rates import RateClass, counts_as
from api.kernel.rules import PUBLIC
from api.kernel.web import Session, client_address
from api.kernel.web import router as new_router

router = new_router("", "auth")


@router.post("/auth/verify-email", status_code=HTTPStatus.NO_CONTENT, operation_id="verifyEmail", dependencies=[PUBLIC])
@counts_as(RateClass.LOG_INS)
@raises(LinkInvalid, EmailTaken, PasswordWrong, TooManyAttempts, PasswordsBusy)
async def verify_email(
    request: Request,
    session: Session,
    database: ProvidedDatabase,
    passwords: ProvidedPasswords,
    delays: ProvidedLogInDelays,
    body: ConfirmAddress,
) -> None:
    """Confirm the address of a new account, or the new address of an account, by the token of the link in the mail.

    The password is that of the account: a link does not confirm an account that somebody else has prepared.
    """
    await registration.confirm_address(
        session,
        database,
        passwords,
        delays,
        secret=body.token,
        password=body.password,
        address=client_address(request),
    )


@router.post(
    "/auth/verify-email/resend",
    status_code=HTTPStatus.ACCEPTED,
    operation_id="resendVerification",
    dependencies=[PUBLIC],
)
@counts_as(RateClass.LOG_INS)
@raises(RateLimited)
async def resend_verification(
    request: Request, session: Session, rates: ProvidedMailRates, body: Address
) -> Registration:
    """Mail a new link to an address that is not confirmed. At most one mail a minute is sent to an address."""
    await rates.spend(client_address(request))
    await registration.resend_verification(session, email=body.email)
    return Registration(email=body.email)


@router.post(
    "/auth/forgot-password", status_code=HTTPStatus.ACCEPTED, operation_id="forgotPassword", dependencies=[PUBLIC]
)
@counts_as(RateClass.LOG_INS)
@raises(RateLimited, PasswordsOff)
async def forgot_password(
    request: Request, session: Session, settings: ProvidedSettings, rates: ProvidedMailRates, body: Address
) -> Registration:
    """Mail a link to set a new password. It is valid for 30 minutes. At most one mail a minute is sent to an address."""
    check_passwords_work(settings, body.email)
    await rates.spend(client_address(request))
    await recovery.request_password_reset(session, email=body.email)
    return Registration(email=body.email)


@router.post(
    "/auth/reset-password", status_code=HTTPStatus.NO_CONTENT, operation_id="resetPassword", dependencies=[PUBLIC]
)
@counts_as(RateClass.LOG_INS)
@raises(LinkInvalid, PasswordsOff, WeakPassword, PasswordUsedBefore, PasswordsBusy)
async def reset_password(
    session: Session,
    settings: ProvidedSettings,
    database: ProvidedDatabase,
    passwords: ProvidedPasswords,
    body: ResetPassword,
) -> None:
    """Set a new password by the token of the link in the mail. All sessions end, and the owner is informed by mail."""
    await recovery.reset_password(session, settings, database, passwords, secret=body.token, password=body.password)


@router.post(
    "/auth/accept-invitation", status_code=HTTPStatus.NO_CONTENT, operation_id="acceptInvitation", dependencies=[PUBLIC]
)
@counts_as(RateClass.LOG_INS)
@raises(LinkInvalid, PasswordsOff, InvalidInput, WeakPassword, PasswordsBusy)
async def accept_invitation(
    session: Session,
    settings: ProvidedSettings,
    database: ProvidedDatabase,
    passwords: ProvidedPasswords,
    body: AcceptInvitation,
) -> None:
    """Complete the account of an invitation by the token of the link in the mail. I can log in afterwards."""
    await invitations.accept_invitation(
        session,
        settings,
        database,
        passwords,
        secret=body.token,
        display_name=body.display_name,
        password=body.password,
    )


@router.post("/users/me/password", status_code=HTTPStatus.NO_CONTENT, operation_id="changeMyPassword")
@raises(PasswordWrong, PasswordsOff, WeakPassword, PasswordUsedBefore, TooManyAttempts, PasswordsBusy)
async def change_password(
    request: Request,
    session: Session,
    settings: ProvidedSettings,
    database: ProvidedDatabase,
    passwords: ProvidedPasswords,
    delays: ProvidedLogInDelays,
    caller: RecentlyMyself,
    body: ChangePassword,
) -> None:
    """Replace my password, within ten minutes of a log-in. My other sessions end, and I am informed by mail."""
    await recovery.change_password(
        session,
        settings,
        database,
        passwords,
        delays,
        user_id=caller.user_id,
        session_id=caller.session_id,
        current=body.current_password,
        new=body.new_password,
        address=client_address(request),
    )


@router.post("/users/me/email", status_code=HTTPStatus.ACCEPTED, operation_id="changeMyEmail")
@raises(RateLimited, BadEmail, PasswordWrong, TooManyAttempts, PasswordsBusy)
async def change_email(
    request: Request,
    session: Session,
    database: ProvidedDatabase,
    passwords: ProvidedPasswords,
    delays: ProvidedLogInDelays,
    rates: ProvidedMailRates,
    caller: RecentlyMyself,
    body: ChangeAddress,
) -> Registration:
    """Mail a link to my new address, within ten minutes of a log-in.

    My address changes when the link is opened; the old one is informed.
    """
    await rates.spend(client_address(request))
    email = await recovery.request_address_change(
        session,
        database,
        passwords,
        delays,
        user_id=caller.user_id,
        email=body.email,
        password=body.current_password,
        address=client_address(request),
    )
    return Registration(email=email)


@router.delete("/users/me", status_code=HTTPStatus.NO_CONTENT, operation_id="deleteMe")
@raises(LastAdministrator)
async def delete_me(session: Session, caller: RecentlyMyself) -> None:
    """Delete my account, within ten minutes of a log-in: I am logged out everywhere, and my name is not shown any more.

    My ideas, coins and memberships are kept. An administrator can restore the account for 30 days.
    """
    await lifecycle.delete_user(session, await lifecycle.lock_user(session, caller.user_id), actor_id=caller.user_id)


@router.get("/users/me/sessions", operation_id="listMySessions", response_model=MySessions)
async def list_my_sessions(session: Session, caller: Myself) -> Any:
    """My open sessions, the last used first."""
    found = await sessions.list_sessions(session, caller.user_id)
    return MySessions(
        items=[
            MySession(
                id=each.id,
                kind=each.kind,
                created_at=each.created_at,
                last_used_at=each.last_used_at,
                expires_at=each.expires_at,
                address=each.address,
                agent=each.agent,
                is_current=each.id == caller.session_id,
            )
            for each in found
        ]
    )


@router.delete("/users/me/sessions", status_code=HTTPStatus.NO_CONTENT, operation_id="endMySessions")
async def end_my_sessions(session: Session, caller: Myself) -> None:
    """Log out everywhere: end all my sessions, this one included."""
    await lifecycle.end_all_sessions(session, await service.get_user(session, caller.user_id), actor_id=caller.user_id)


@router.delete("/users/me/sessions/{session_id}", status_code=HTTPStatus.NO_CONTENT, operation_id="endMySession")
@raises(NotFound)
async def end_my_session(session: Session, caller: Myself, session_id: UUID) -> None:
    """End one of my sessions."""
    if not await sessions.end_session(session, session_id, user_id=caller.user_id):
        msg = f"You have no open session {session_id}."
        raise NotFound(msg)
