"""Routes for administrators: the identities by which a user logs in."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends

from api.auth import service
from api.auth.dependencies import Principal, requires
from api.auth.sso import identities
from api.auth.sso.schemas import UserIdentities, UserIdentity
from api.events import payloads
from api.events.service import record_event
from api.kernel.contract import raises
from api.kernel.errors import NotFound
from api.kernel.permissions import Permission
from api.kernel.web import Session
from api.kernel.web import router as new_router

router = new_router("/users/{user_id}/identities", "users")

Administrator = Annotated[Principal, Depends(requires(Permission.MANAGE_USERS))]
LoggedInAdministrator = Annotated[Principal, Depends(requires(Permission.MANAGE_USERS, is_for_tokens=False))]


@router.get("", operation_id="listUserIdentities", response_model=UserIdentities)
@raises(NotFound)
async def list_identities(session: Session, caller: Administrator, user_id: UUID) -> Any:
    """The identities at providers by which a user logs in."""
    await service.get_user(session, user_id)
    found = await identities.list_identities(session, user_id)
    payload = payloads.PersonalDataRead(what="identities", rows=len(found))
    await record_event(session, payload, actor_id=caller.user_id, user_id=user_id)
    return UserIdentities(
        items=[
            UserIdentity(
                id=each.id,
                issuer=each.issuer,
                subject=each.subject,
                created_at=each.created_at,
                last_log_in_at=each.last_log_in_at,
            )
            for each in found
        ]
    )


@router.delete("/{identity_id}", status_code=HTTPStatus.NO_CONTENT, operation_id="unlinkUserIdentity")
@raises(NotFound)
async def unlink_identity(session: Session, caller: LoggedInAdministrator, user_id: UUID, identity_id: UUID) -> None:
    """Remove an identity, for example when the provider has a new account for the person. Its sessions end.

    The next log-in of a person at the provider with the same confirmed address links their identity.
    """
    await identities.unlink_identity(session, user_id, identity_id, actor_id=caller.user_id)
