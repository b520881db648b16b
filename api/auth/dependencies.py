"""Who is calling, and what they may.

`TokenHolder` believes a verified token (the hot path of the coins). `CurrentUser` asks the database as well, and is for
everything else. `BrowserUser` reads the dashboards' cookie, and only where nothing is changed: no write accepts a
cookie, so no other site can make a browser write (CSRF). `ReadingUser` takes either, for files that a program fetches
and a person follows a link to.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

import structlog
from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from api.auth.container import ProvidedAccessTokens
from api.auth.errors import TokenInvalid, TokenMissing
from api.auth.models import User
from api.auth.service import EXECUTIVE, SYSTEM_ADMIN
from api.auth.sessions import find_user_of_cookie, find_user_of_session
from api.auth.tokens import Claims
from api.kernel import idempotency
from api.kernel.errors import Forbidden
from api.kernel.web import Session

COOKIE = "ideamint_session"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_bearer = HTTPBearer(auto_error=False, scheme_name="bearer", bearerFormat="JWT", description="Access token of a log-in")
_cookie = APIKeyCookie(
    name=COOKIE, auto_error=False, scheme_name="browser", description="Session of the log-in page; for reading only"
)


@dataclass(frozen=True)
class Principal:
    """The caller. Roles and permissions are those of the whole installation; a campaign's are in its membership."""

    user_id: UUID
    session_id: UUID
    roles: frozenset[str]
    permissions: frozenset[str]

    @property
    def is_admin(self) -> bool:
        """May do everything except move other people's coins."""
        return SYSTEM_ADMIN in self.roles

    @property
    def is_executive(self) -> bool:
        """Reads the dashboards and reports of all campaigns, and changes nothing by that."""
        return EXECUTIVE in self.roles

    def may(self, permission: str) -> bool:
        """Whether the caller has a permission; an administrator has every one."""
        return self.is_admin or permission in self.permissions


async def _claims(
    tokens: ProvidedAccessTokens, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Claims:
    if credentials is None:
        msg = "This needs the header `Authorization: Bearer <access token>`."
        raise TokenMissing(msg)
    claims = tokens.read(credentials.credentials)
    structlog.contextvars.bind_contextvars(user_id=str(claims.user_id))
    return claims


_Claims = Annotated[Claims, Depends(_claims)]


async def _token_holder(claims: _Claims) -> Principal:
    return Principal(claims.user_id, claims.session_id, claims.roles, claims.permissions)


async def _current_user(request: Request, session: Session, claims: _Claims) -> Principal:
    user = await find_user_of_session(session, claims.session_id, token_version=claims.token_version)
    if user is None or user.id != claims.user_id:
        msg = "The session has ended; log in."
        raise TokenInvalid(msg)
    if request.method not in SAFE_METHODS:
        await idempotency.begin(request, session, user.id)
    return _principal(user, claims.session_id)


async def _browser_user(
    request: Request, session: Session, secret: Annotated[str | None, Depends(_cookie)]
) -> Principal:
    if request.method not in SAFE_METHODS:
        msg = "A cookie is for reading only; this needs the header `Authorization: Bearer <access token>`."
        raise TokenMissing(msg)
    found = await find_user_of_cookie(session, secret) if secret else None
    if found is None:
        msg = "There is no log-in in this browser, or it has ended; log in at /login."
        raise TokenMissing(msg)
    user, session_id = found
    structlog.contextvars.bind_contextvars(user_id=str(user.id))
    return _principal(user, session_id)


async def _reading_user(
    request: Request,
    session: Session,
    tokens: ProvidedAccessTokens,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    secret: Annotated[str | None, Depends(_cookie)],
) -> Principal:
    if credentials is None and secret is not None:
        return await _browser_user(request, session, secret)
    return await _current_user(request, session, await _claims(tokens, credentials))


def _principal(user: User, session_id: UUID) -> Principal:
    return Principal(user.id, session_id, frozenset(user.roles), frozenset(user.permissions))


TokenHolder = Annotated[Principal, Depends(_token_holder)]
CurrentUser = Annotated[Principal, Depends(_current_user)]
BrowserUser = Annotated[Principal, Depends(_browser_user)]
ReadingUser = Annotated[Principal, Depends(_reading_user)]


def require_permission(permission: str) -> Callable[[Principal], Awaitable[Principal]]:
    """A dependency that gives the caller, if they have the permission.

    Raises (when called):
        Forbidden: they have not.
    """

    async def check(caller: CurrentUser) -> Principal:
        if not caller.may(permission):
            msg = f"This needs the permission {permission}."
            raise Forbidden(msg, permission=permission)
        return caller

    return check


def require_role(role: str) -> Callable[[Principal], Awaitable[Principal]]:
    """A dependency that gives the caller, if they have the role or are an administrator.

    Raises (when called):
        Forbidden: they have not.
    """

    async def check(caller: CurrentUser) -> Principal:
        if role not in caller.roles and not caller.is_admin:
            msg = f"This needs the role {role}."
            raise Forbidden(msg, role=role)
        return caller

    return check
