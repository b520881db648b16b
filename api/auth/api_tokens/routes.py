"""Routes for API tokens: one's own, and those of all users for administrators. Only a log-in can create and revoke tokens."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Response

from api.auth.api_tokens import service
from api.auth.api_tokens.schemas import CreateToken, NewToken, TokenRead
from api.auth.dependencies import Myself, Principal, RecentlyMyself, requires
from api.auth.errors import TooManyTokens
from api.auth.service import get_user_for_change
from api.auth.token_responses import NO_STORE
from api.events import payloads
from api.events.service import record_event
from api.kernel.container import ProvidedSettings
from api.kernel.contract import raises
from api.kernel.errors import InvalidInput, NotFound
from api.kernel.permissions import Permission
from api.kernel.schemas import Page
from api.kernel.web import PageQuery, Session
from api.kernel.web import router as new_router

router = new_router("", "tokens")


@router.post("/users/me/tokens", status_code=HTTPStatus.CREATED, operation_id="createMyToken")
@raises(InvalidInput, TooManyTokens)
async def create_my_token(
    response: Response, session: Session, settings: ProvidedSettings, caller: RecentlyMyself, body: CreateToken
) -> NewToken:
    """Create a token that acts as me, within its scopes, within ten minutes of a log-in.

    The response has its text, which cannot be shown again.

    A token stakes coins only with the scope `coins:stake`.
    """
    user = await get_user_for_change(session, caller.user_id)
    created = await service.create_token(
        session, settings.auth, user, name=body.name, scopes=body.scopes, days=body.days, actor_id=user.id
    )
    return as_new(response, created)


@router.get("/users/me/tokens", operation_id="listMyTokens")
async def list_my_tokens(session: Session, caller: Myself, paging: PageQuery) -> Page[TokenRead]:
    """My tokens, the newest first; those that have ended are kept for 90 days."""
    rows = await service.list_tokens(session, user_id=caller.user_id, after=paging.after(UUID), limit=paging.limit + 1)
    return paging.page([TokenRead.model_validate(row) for row in rows], lambda row: (row.id,))


@router.delete("/users/me/tokens/{token_id}", status_code=HTTPStatus.NO_CONTENT, operation_id="revokeMyToken")
@raises(NotFound)
async def revoke_my_token(session: Session, caller: Myself, token_id: UUID) -> None:
    """Revoke one of my tokens. Every process refuses it within a second."""
    await service.revoke_token(session, token_id, actor_id=caller.user_id, user_id=caller.user_id)


@router.get("/tokens", operation_id="listTokens")
async def list_tokens(
    session: Session,
    caller: Annotated[Principal, Depends(requires(Permission.MANAGE_USERS))],
    paging: PageQuery,
    user_id: Annotated[UUID | None, Query(description="only tokens of this user")] = None,
    service_account_id: Annotated[UUID | None, Query(description="only tokens of this service account")] = None,
) -> Page[TokenRead]:
    """Tokens of all users and service accounts, the newest first."""
    rows = await service.list_tokens(
        session,
        user_id=user_id,
        service_account_id=service_account_id,
        after=paging.after(UUID),
        limit=paging.limit + 1,
    )
    page = paging.page([TokenRead.model_validate(row) for row in rows], lambda row: (row.id,))
    filters = (("user_id", user_id), ("service_account_id", service_account_id))
    given = tuple(name for name, value in filters if value is not None)
    payload = payloads.PersonalDataRead(what="tokens", filters=given, rows=len(page.items))
    await record_event(session, payload, actor_id=caller.user_id, user_id=user_id)
    return page


@router.delete("/tokens/{token_id}", status_code=HTTPStatus.NO_CONTENT, operation_id="revokeToken")
@raises(NotFound)
async def revoke_token(
    session: Session,
    caller: Annotated[Principal, Depends(requires(Permission.MANAGE_USERS, is_for_tokens=False))],
    token_id: UUID,
) -> None:
    """Revoke a token of any user or service account. Every process refuses it within a second."""
    await service.revoke_token(session, token_id, actor_id=caller.user_id)


def as_new(response: Response, created: service.Created) -> NewToken:
    """The body of a response with a new token, which no cache may store."""
    response.headers.update(NO_STORE)
    return NewToken(**TokenRead.model_validate(created.token).model_dump(), token=created.secret)
