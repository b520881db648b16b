"""Authentication of the caller, and the access rules that depend on the caller alone.

`TokenHolder` and `CurrentUser` hold a valid access token; `CurrentUser` also begins the idempotency key of a write, which
coin commands keep in the ledger. `BrowserUser` reads the dashboards' cookie, on safe methods only: no
write accepts a cookie, so no other site can make a browser write (CSRF). `ReadingUser` accepts either, for files that
both programs and browsers download. `AnyUser` is None without a token.

These dependencies only authenticate. A route declares its rule with `Myself`, `requires` or a dependency of its domain.
The scopes of an API token are checked against that rule here and on the fast path (:func:`check_scopes`), and limit every
permission of the caller in :meth:`Principal.may`; no other code knows of scopes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.ext.asyncio import AsyncSession

from api.auth.container import ProvidedAccessTokens
from api.auth.devices import COOKIE as DEVICE_COOKIE
from api.auth.devices import DeviceCookie
from api.auth.errors import LogInRequired, ScopeMissing, TokenInvalid, TokenMissing
from api.auth.rights import effective_rights
from api.auth.second_factors.errors import LogInNotRecent
from api.auth.second_factors.service import require_recent_log_in
from api.auth.sessions import Client, find_session_of_cookie
from api.auth.tokens import Claims
from api.kernel import idempotency, origins, scopes
from api.kernel.container import ProvidedDatabase, ProvidedSettings
from api.kernel.contract import raises
from api.kernel.errors import Forbidden
from api.kernel.permissions import Permission, grants
from api.kernel.request_rates import count_caller
from api.kernel.rules import Rule, Scope, enforces
from api.kernel.web import Session, client_address
from settings import Settings

COOKIE = "ideamint_session"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_bearer = HTTPBearer(auto_error=False, scheme_name="bearer", description="Access token of a log-in, or an API token")
_cookie = APIKeyCookie(
    name=COOKIE, auto_error=False, scheme_name="browser", description="Session of the log-in page; for reading only"
)


@dataclass(frozen=True)
class Principal:
    """The caller. Roles and permissions are those in the installation; campaign roles are in the membership.

    `scopes` are those of an API token, None after a log-in. The `user_id` of a service account is its own id.
    """

    user_id: UUID
    session_id: UUID
    roles: frozenset[str]
    permissions: frozenset[str]
    scopes: frozenset[str] | None = None

    def may(self, permission: Permission, roles: Iterable[str] = ()) -> bool:
        """Whether the caller has the permission: in the installation, and so in every campaign, or by one of `roles`.

        `roles` are the caller's roles and relations to one resource. An API token needs the scope as well.
        """
        has_right = permission in self.permissions or grants((*self.roles, *roles), permission)
        return has_right and scopes.allows(self.scopes, permission)


def check_scopes(claims: Claims, rule: Rule | None, *, is_write: bool) -> None:
    """Refuse an API token for an operation with this rule, if it lacks a scope. Without a rule, no API token is accepted.

    Raises:
        LogInRequired: the operation accepts no API tokens.
        ScopeMissing: the token lacks a scope.
    """
    if claims.scopes is None:
        return
    if rule is None:
        raise LogInRequired
    for needed in rule.needed_scopes(is_write=is_write):
        if not needed:
            raise LogInRequired
        if not needed & claims.scopes:
            msg = f"The API token lacks the scope {' or '.join(sorted(needed))}; create a token that has it."
            raise ScopeMissing(msg, scopes=sorted(needed))


@raises(TokenMissing, TokenInvalid, ScopeMissing, LogInRequired)
async def _claims(
    request: Request,
    tokens: ProvidedAccessTokens,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Claims:
    if credentials is None:
        msg = "This request requires the header `Authorization: Bearer <access token>`."
        raise TokenMissing(msg)
    claims = await tokens.read(credentials.credentials)
    origins.identify(claims.user_id, claims.token_id)
    check_scopes(claims, getattr(request.state, "rule", None), is_write=request.method not in SAFE_METHODS)
    await count_caller(request, claims.user_id)
    return claims


_Claims = Annotated[Claims, Depends(_claims)]


async def _token_holder(claims: _Claims) -> Principal:
    return Principal(claims.user_id, claims.session_id, claims.roles, claims.permissions, claims.scopes)


@raises(idempotency.BadKey, idempotency.KeyReused)
async def _current_user(request: Request, session: Session, claims: _Claims) -> Principal:
    if request.method not in SAFE_METHODS:
        await idempotency.begin(request, session, claims.user_id)
    return await _token_holder(claims)


@raises(TokenMissing)
async def _browser_user(
    request: Request, session: Session, settings: ProvidedSettings, secret: Annotated[str | None, Depends(_cookie)]
) -> Principal:
    if request.method not in SAFE_METHODS:
        msg = "A cookie is for reading only; this request requires the header `Authorization: Bearer <access token>`."
        raise TokenMissing(msg)
    caller = await find_caller_of_cookie(session, settings, secret)
    if caller is None:
        msg = "This browser is not logged in, or its session has ended; log in at /login."
        raise TokenMissing(msg)
    origins.identify(caller.user_id)
    await count_caller(request, caller.user_id)
    return caller


@raises(TokenMissing, TokenInvalid, ScopeMissing, LogInRequired)
async def _reading_user(
    request: Request,
    session: Session,
    settings: ProvidedSettings,
    tokens: ProvidedAccessTokens,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    secret: Annotated[str | None, Depends(_cookie)],
) -> Principal:
    if credentials is None and secret is not None:
        return await _browser_user(request, session, settings, secret)
    return await _current_user(request, session, await _claims(request, tokens, credentials))


@raises(TokenInvalid, ScopeMissing, LogInRequired)
async def _any_user(
    request: Request,
    session: Session,
    tokens: ProvidedAccessTokens,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Principal | None:
    if credentials is None:
        await count_caller(request, None)
        return None
    return await _current_user(request, session, await _claims(request, tokens, credentials))


def client_of(request: Request, settings: Settings) -> Client:
    """Where the request comes from, for the list of sessions and the delays of log-ins."""
    return Client(
        client_address(request) or None,
        request.headers.get("user-agent"),
        DeviceCookie.read(settings.auth, request.cookies.get(DEVICE_COOKIE)),
    )


async def find_caller_of_cookie(session: AsyncSession, settings: Settings, secret: str | None) -> Principal | None:
    """The caller whose browser has this cookie; None if it is missing or not valid."""
    found = await find_session_of_cookie(session, secret) if secret else None
    if found is None:
        return None
    user, family = found
    has_second_factor = family.second_factor_at is not None
    rights = effective_rights(settings, user.roles, user.permissions, has_second_factor=has_second_factor)
    return Principal(user.id, family.id, rights.roles, rights.permissions)


TokenHolder = Annotated[Principal, Depends(_token_holder)]
CurrentUser = Annotated[Principal, Depends(_current_user)]
BrowserUser = Annotated[Principal, Depends(_browser_user)]
ReadingUser = Annotated[Principal, Depends(_reading_user)]
AnyUser = Annotated[Principal | None, Depends(_any_user)]


@enforces(Rule(Scope.SELF))
async def _myself(caller: CurrentUser) -> Principal:
    return caller


@enforces(Rule(Scope.SELF))
async def _myself_in_browser(caller: BrowserUser) -> Principal:
    return caller


@enforces(Rule(Scope.SELF))
async def _token_owner(caller: TokenHolder) -> Principal:
    return caller


@raises(LogInNotRecent)
@enforces(Rule(Scope.SELF))
async def _recently_myself(database: ProvidedDatabase, caller: TokenHolder) -> Principal:
    # not in the request's session: routes with passwords hold no connection while a hash is computed
    async with database.reading() as session:
        await require_recent_log_in(session, caller.session_id)
    return caller


# the caller has logged in, or confirmed who they are, within the last ten minutes
RecentlyMyself = Annotated[Principal, Depends(_recently_myself)]
# for bodies with passwords: an idempotency key would store a fast hash of them, and hold a connection during slow ones
MyselfWithoutKey = Annotated[Principal, Depends(_token_owner)]
Myself = Annotated[Principal, Depends(_myself)]
MyselfInBrowser = Annotated[Principal, Depends(_myself_in_browser)]


@cache
def requires(
    permission: Permission, *, is_for_tokens: bool = True, takes_key: bool = True
) -> Callable[[Principal], Awaitable[Principal]]:
    """A dependency that returns the caller if they have the permission in the installation.

    Without `is_for_tokens` the operation accepts no API tokens. Without `takes_key` it reads no idempotency key: for responses
    with secrets, which would be stored with the key.

    Raises (when called):
        Forbidden: the caller does not have it.
    """
    rule = Rule(Scope.SYSTEM, (permission,), token_scopes=None if is_for_tokens else ())

    def checked(caller: Principal) -> Principal:
        if not caller.may(permission):
            msg = f"Only a user with the permission {permission} may do this."
            raise Forbidden(msg, permission=permission)
        return caller

    @raises(Forbidden)
    @enforces(rule)
    async def check(caller: CurrentUser) -> Principal:
        return checked(caller)

    @raises(Forbidden)
    @enforces(rule)
    async def check_without_key(caller: TokenHolder) -> Principal:
        return checked(caller)

    return check if takes_key else check_without_key
