"""Routes for the caller's second factors, and for administrators who reset those of others.

Each change requires a log-in within the last ten minutes.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Response

from api.auth.dependencies import Myself, Principal, RecentlyMyself, requires
from api.auth.lifecycle import lock_user
from api.auth.second_factors import apps, challenges, service
from api.auth.second_factors.errors import ChallengeInvalid, CodeWrong, FactorExists, PasskeyInvalid
from api.auth.second_factors.schemas import (
    AddedPasskey,
    AppCode,
    MyFactors,
    NewAuthenticatorApp,
    NewPasskey,
    PasskeyOptions,
    PasskeyRead,
    RecoveryCodes,
)
from api.auth.service import get_user_for_change
from api.auth.token_responses import NO_STORE
from api.kernel.container import ProvidedSettings
from api.kernel.contract import raises
from api.kernel.errors import NotFound
from api.kernel.permissions import Permission
from api.kernel.web import Session
from api.kernel.web import router as new_router

router = new_router("/users", "auth")


@router.get("/me/factors", operation_id="listMyFactors")
async def list_my_factors(session: Session, caller: Myself) -> MyFactors:
    """My second factors."""
    found = await service.factors_of(session, caller.user_id)
    return MyFactors(
        authenticator_app_since=found.app_since,
        passkeys=[PasskeyRead.model_validate(each) for each in found.passkeys],
        recovery_codes_left=found.recovery_codes_left,
    )


@router.post("/me/authenticator-app", operation_id="beginAuthenticatorApp")
@raises(FactorExists)
async def begin_app(
    response: Response, session: Session, settings: ProvidedSettings, caller: RecentlyMyself
) -> NewAuthenticatorApp:
    """A secret for an authenticator app. It becomes a factor when its first code is sent by PUT."""
    response.headers.update(NO_STORE)
    user = await get_user_for_change(session, caller.user_id)
    new = await apps.begin(session, settings.auth, user, issuer=settings.mail.sender.name)
    return NewAuthenticatorApp(secret=new.secret, uri=new.uri, qr_code=new.qr_code)


@router.put("/me/authenticator-app", operation_id="addAuthenticatorApp")
@raises(CodeWrong, FactorExists)
async def add_app(
    response: Response, session: Session, settings: ProvidedSettings, caller: RecentlyMyself, body: AppCode
) -> RecoveryCodes:
    """Make the app a second factor by its first code. The response has recovery codes if I had none."""
    response.headers.update(NO_STORE)
    user = await get_user_for_change(session, caller.user_id)
    return RecoveryCodes(
        recovery_codes=await service.confirm_app(session, settings, user, caller.session_id, body.code)
    )


@router.delete("/me/authenticator-app", status_code=HTTPStatus.NO_CONTENT, operation_id="removeAuthenticatorApp")
@raises(NotFound)
async def remove_app(session: Session, caller: RecentlyMyself) -> None:
    """Remove my authenticator app."""
    await service.remove_app(session, await get_user_for_change(session, caller.user_id))


@router.post("/me/passkey-options", operation_id="beginPasskey")
async def begin_passkey(
    response: Response, session: Session, settings: ProvidedSettings, caller: RecentlyMyself
) -> PasskeyOptions:
    """What a browser needs to create a passkey."""
    response.headers.update(NO_STORE)
    challenge, options = await service.begin_passkey(
        session, settings, await get_user_for_change(session, caller.user_id)
    )
    return PasskeyOptions(challenge=challenge, options=options, expires_in_s=int(challenges.TTL.total_seconds()))


@router.post("/me/passkeys", status_code=HTTPStatus.CREATED, operation_id="addPasskey")
@raises(ChallengeInvalid, PasskeyInvalid, FactorExists)
async def add_passkey(
    response: Response, session: Session, settings: ProvidedSettings, caller: RecentlyMyself, body: NewPasskey
) -> AddedPasskey:
    """Add the passkey that the browser has created. The response has recovery codes if I had none."""
    response.headers.update(NO_STORE)
    user = await get_user_for_change(session, caller.user_id)
    passkey, codes = await service.add_passkey(
        session, settings, user, caller.session_id, challenge=body.challenge, name=body.name, response=body.passkey
    )
    return AddedPasskey(
        id=passkey.id,
        name=passkey.name,
        created_at=passkey.created_at,
        last_used_at=passkey.last_used_at,
        recovery_codes=codes,
    )


@router.delete("/me/passkeys/{passkey_id}", status_code=HTTPStatus.NO_CONTENT, operation_id="removePasskey")
@raises(NotFound)
async def remove_passkey(session: Session, caller: RecentlyMyself, passkey_id: UUID) -> None:
    """Remove one of my passkeys."""
    await service.remove_passkey(session, await get_user_for_change(session, caller.user_id), passkey_id)


@router.post("/me/recovery-codes", status_code=HTTPStatus.CREATED, operation_id="createRecoveryCodes")
@raises(NotFound)
async def create_recovery_codes(response: Response, session: Session, caller: RecentlyMyself) -> RecoveryCodes:
    """New recovery codes, shown once; the earlier ones become void."""
    response.headers.update(NO_STORE)
    user = await get_user_for_change(session, caller.user_id)
    return RecoveryCodes(recovery_codes=await service.create_recovery_codes(session, user))


@router.post("/{user_id}/reset-factors", status_code=HTTPStatus.NO_CONTENT, operation_id="resetUserFactors")
@raises(NotFound)
async def reset_factors(
    session: Session,
    caller: Annotated[Principal, Depends(requires(Permission.MANAGE_USERS, is_for_tokens=False))],
    user_id: UUID,
) -> None:
    """Remove the second factors of a user who has lost them, and end their sessions; the user is informed by mail."""
    await service.reset(session, await lock_user(session, user_id), actor_id=caller.user_id)
