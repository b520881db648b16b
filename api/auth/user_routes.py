"""Routes for administrators: the accounts of others, their roles, and their sessions."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Query

from api.auth import invitations, lifecycle, service
from api.auth.dependencies import Principal, requires
from api.auth.errors import BadEmail, EmailTaken, LastAdministrator, RestorePeriodOver
from api.auth.models import User
from api.auth.schemas import InviteUser, UpdateUser, UserRead
from api.events import payloads
from api.events.service import record_event
from api.kernel.contract import raises
from api.kernel.errors import InvalidInput, NotFound
from api.kernel.permissions import Permission
from api.kernel.schemas import Page
from api.kernel.web import PageQuery, Session
from api.kernel.web import router as new_router

router = new_router("/users", "users")

Administrator = Annotated[Principal, Depends(requires(Permission.MANAGE_USERS))]
# API tokens read accounts and change none
LoggedInAdministrator = Annotated[Principal, Depends(requires(Permission.MANAGE_USERS, is_for_tokens=False))]


@router.get("", operation_id="listUsers")
async def list_users(
    session: Session,
    caller: Administrator,
    paging: PageQuery,
    q: Annotated[str, Query(max_length=200, description="part of the name or of the address")] = "",
    is_active: Annotated[bool | None, Query(description="only active, or only deactivated users")] = None,
    role: Annotated[str | None, Query(max_length=50, description="only users with this system role")] = None,
    is_deleted: Annotated[bool, Query(description="only deleted users; by default they are not listed")] = False,  # noqa: FBT002
) -> Page[UserRead]:
    """People with an account, the newest first. Imported voters are not listed."""
    rows = await service.list_users(
        session,
        q=q,
        is_active=is_active,
        role=role,
        is_deleted=is_deleted,
        after=paging.after(UUID),
        limit=paging.limit + 1,
    )
    page = paging.page([UserRead.model_validate(row) for row in rows], lambda row: (row.id,))
    given = tuple(
        name for name, value in (("q", q), ("is_active", is_active), ("role", role)) if value not in {"", None}
    )
    payload = payloads.PersonalDataRead(what="users", filters=given, rows=len(page.items))
    await record_event(session, payload, actor_id=caller.user_id)
    return page


@router.post("", status_code=HTTPStatus.CREATED, operation_id="inviteUser", response_model=UserRead)
@raises(EmailTaken, BadEmail, InvalidInput)
async def invite_user(session: Session, caller: LoggedInAdministrator, body: InviteUser) -> User:
    """Prepare an account and mail its owner a link, valid for 14 days, to set a password. Rights have no effect before."""
    return await invitations.invite_user(
        session,
        email=body.email,
        display_name=body.display_name,
        roles=body.roles,
        permissions=body.permissions,
        actor_id=caller.user_id,
    )


@router.post(
    "/{user_id}/invite", status_code=HTTPStatus.ACCEPTED, operation_id="inviteUserAgain", response_model=UserRead
)
@raises(NotFound, EmailTaken)
async def invite_again(session: Session, caller: LoggedInAdministrator, user_id: UUID) -> User:
    """Mail a new link to a person who has not accepted yet. At most one mail a minute is sent to an address."""
    user = await lifecycle.lock_user(session, user_id)
    await invitations.invite_again(session, user, actor_id=caller.user_id)
    return user


@router.get("/{user_id}", operation_id="getUser", response_model=UserRead)
@raises(NotFound)
async def get_user(session: Session, caller: Administrator, user_id: UUID) -> User:
    """One account."""
    user = await service.get_user(session, user_id)
    await record_event(
        session, payloads.PersonalDataRead(what="user", rows=1), actor_id=caller.user_id, user_id=user_id
    )
    return user


@router.patch("/{user_id}", operation_id="updateUser", response_model=UserRead)
@raises(NotFound, LastAdministrator, InvalidInput)
async def update_user(session: Session, caller: LoggedInAdministrator, user_id: UUID, body: UpdateUser) -> Any:
    """Replace the roles or permissions. Access tokens of the user become invalid; clients refresh them."""
    user = await lifecycle.lock_user(session, user_id)
    await lifecycle.change_rights(session, user, actor_id=caller.user_id, **body.changes)
    return user


@router.post("/{user_id}/deactivate", operation_id="deactivateUser", response_model=UserRead)
@raises(NotFound, LastAdministrator)
async def deactivate_user(session: Session, caller: LoggedInAdministrator, user_id: UUID) -> User:
    """End the user's sessions and refuse new log-ins. Ideas, coins and memberships are kept; the user is informed."""
    user = await lifecycle.lock_user(session, user_id)
    if user.is_active:
        await lifecycle.deactivate_user(session, user, actor_id=caller.user_id)
    return user


@router.post("/{user_id}/reactivate", operation_id="reactivateUser", response_model=UserRead)
@raises(NotFound, RestorePeriodOver)
async def reactivate_user(session: Session, caller: LoggedInAdministrator, user_id: UUID) -> User:
    """Let a deactivated user, or one that was deleted less than 30 days ago, log in again."""
    user = await lifecycle.lock_user(session, user_id)
    await lifecycle.reactivate_user(session, user, actor_id=caller.user_id)
    return user


@router.delete("/{user_id}", response_model=UserRead, operation_id="deleteUser")
@raises(NotFound, LastAdministrator)
async def delete_user(session: Session, caller: LoggedInAdministrator, user_id: UUID) -> User:
    """Deactivate a user and hide their name. Ideas, coins and memberships are kept; 30 days long it can be undone."""
    user = await lifecycle.lock_user(session, user_id)
    await lifecycle.delete_user(session, user, actor_id=caller.user_id)
    return user


@router.delete("/{user_id}/sessions", status_code=HTTPStatus.NO_CONTENT, operation_id="endUserSessions")
@raises(NotFound)
async def end_sessions(session: Session, caller: LoggedInAdministrator, user_id: UUID) -> None:
    """Log the user out everywhere."""
    user = await lifecycle.lock_user(session, user_id)
    await lifecycle.end_all_sessions(session, user, actor_id=caller.user_id)
