"""Routes for administrators: service accounts and their tokens."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Response

from api.auth.api_tokens import service, service_accounts
from api.auth.api_tokens.models import ServiceAccount
from api.auth.api_tokens.routes import as_new
from api.auth.api_tokens.schemas import (
    CreateServiceAccount,
    CreateServiceToken,
    NewToken,
    RotateToken,
    ServiceAccountRead,
    UpdateServiceAccount,
)
from api.auth.dependencies import Principal, requires
from api.auth.errors import NameTaken, TooManyTokens
from api.auth.service import add_names
from api.kernel.container import ProvidedSettings
from api.kernel.contract import raises
from api.kernel.errors import InvalidInput, NotFound
from api.kernel.permissions import Permission
from api.kernel.schemas import Page
from api.kernel.web import PageQuery, Session
from api.kernel.web import router as new_router

router = new_router("/service-accounts", "tokens")

_MANAGE = Permission.MANAGE_USERS
Administrator = Annotated[Principal, Depends(requires(_MANAGE))]
LoggedIn = Annotated[Principal, Depends(requires(_MANAGE, is_for_tokens=False))]
# the responses have the text of a token
LoggedInWithoutKey = Annotated[Principal, Depends(requires(_MANAGE, is_for_tokens=False, takes_key=False))]


@router.post("", status_code=HTTPStatus.CREATED, operation_id="createServiceAccount")
@raises(InvalidInput, NameTaken)
async def create(session: Session, caller: LoggedIn, body: CreateServiceAccount) -> ServiceAccountRead:
    """Create a service account. It acts with the permissions that its scopes name, in the whole installation."""
    account = await service_accounts.create_service_account(
        session, name=body.name, scopes=body.scopes, owner_id=body.owner_id, actor_id=caller.user_id
    )
    return await _read(session, account)


@router.get("", operation_id="listServiceAccounts")
async def list_all(session: Session, _: Administrator, paging: PageQuery) -> Page[ServiceAccountRead]:
    """All service accounts, the newest first."""
    rows = await service_accounts.list_service_accounts(session, after=paging.after(UUID), limit=paging.limit + 1)
    found = [ServiceAccountRead.model_validate(row) for row in rows]
    await add_names(session, found, owner_id="owner_name")
    return paging.page(found, lambda row: (row.id,))


@router.get("/{service_account_id}", operation_id="getServiceAccount")
@raises(NotFound)
async def get(session: Session, _: Administrator, service_account_id: UUID) -> ServiceAccountRead:
    """One service account."""
    return await _read(session, await service_accounts.get_service_account(session, service_account_id))


@router.patch("/{service_account_id}", operation_id="updateServiceAccount")
@raises(NotFound, InvalidInput, NameTaken)
async def update(
    session: Session, caller: LoggedIn, service_account_id: UUID, body: UpdateServiceAccount
) -> ServiceAccountRead:
    """Change name, scopes or owner. Its tokens lose the scopes that the account loses, within a second."""
    account = await service_accounts.get_service_account(session, service_account_id, is_locked=True)
    await service_accounts.change_service_account(session, account, body.changes, actor_id=caller.user_id)
    return await _read(session, account)


@router.post("/{service_account_id}/deactivate", operation_id="deactivateServiceAccount")
@raises(NotFound)
async def deactivate(session: Session, caller: LoggedIn, service_account_id: UUID) -> ServiceAccountRead:
    """Revoke all tokens of the account; it gets no further ones."""
    account = await service_accounts.get_service_account(session, service_account_id, is_locked=True)
    await service_accounts.deactivate_service_account(session, account, actor_id=caller.user_id)
    return await _read(session, account)


@router.post("/{service_account_id}/tokens", status_code=HTTPStatus.CREATED, operation_id="createServiceToken")
@raises(NotFound, InvalidInput, TooManyTokens)
async def create_token(
    response: Response,
    session: Session,
    settings: ProvidedSettings,
    caller: LoggedInWithoutKey,
    service_account_id: UUID,
    body: CreateServiceToken,
) -> NewToken:
    """Create a token of the account. The response has its text, which cannot be shown again."""
    account = await service_accounts.get_service_account(session, service_account_id, is_locked=True)
    created = await service.create_token(
        session,
        settings.auth,
        account,
        name=body.name,
        scopes=account.scopes if body.scopes is None else body.scopes,
        days=body.days,
        actor_id=caller.user_id,
    )
    return as_new(response, created)


@router.post(
    "/{service_account_id}/tokens/{token_id}/rotate",
    status_code=HTTPStatus.CREATED,
    operation_id="rotateServiceToken",
)
@raises(NotFound, InvalidInput, TooManyTokens)
async def rotate_token(
    response: Response,
    session: Session,
    settings: ProvidedSettings,
    caller: LoggedInWithoutKey,
    service_account_id: UUID,
    token_id: UUID,
    body: RotateToken,
) -> NewToken:
    """Create a token with the same name and scopes; the replaced one stays valid for 7 days, or until it expires."""
    account = await service_accounts.get_service_account(session, service_account_id, is_locked=True)
    rotated = await service_accounts.rotate_token(
        session, settings.auth, account, token_id, days=body.days, actor_id=caller.user_id
    )
    return as_new(response, rotated.created)


async def _read(session: Session, account: ServiceAccount) -> ServiceAccountRead:
    found = ServiceAccountRead.model_validate(account)
    await add_names(session, [found], owner_id="owner_name")
    return found
