"""Access tokens, which are verified by their signature, and secrets, of which only a hash is stored.

`AccessTokens.read` recognises every kind of token that a request can have, also API tokens (:mod:`api.auth.api_tokens`).

An access token is a JWT signed with Ed25519 (:mod:`api.auth.keys`). It is short-lived and contains the user, their
session, roles and permissions, so that a request needs no query to identify its caller. A token whose session has ended
or whose roles have changed is refused (:mod:`api.auth.revocations`).
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar, cast
from uuid import UUID

import jwt

from api.auth.api_tokens.secrets import PREFIX
from api.auth.errors import TokenInvalid
from api.auth.rights import effective_rights, lacks_factor
from api.kernel import clock
from api.kernel.ids import uuid7

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from api.auth.api_tokens.verification import ApiTokens
    from api.auth.keys import SigningKeys
    from api.auth.models import User
    from api.auth.revocations import Revocations
    from settings import Settings

T = TypeVar("T")

ALGORITHM = "EdDSA"
# not a URL: each API process has an address of its own
ISSUER = "ideamint"
AUDIENCE = "ideamint-api"
TOKEN_TYPE = "access"  # noqa: S105 - the name of a kind, not a secret
TOKEN_LENGTH_MAX = 4096  # a valid token has about 700 characters
VERIFIED_TOKENS_MAX = 10_000  # about 10 MB
FORGED_TOKENS_MAX = 1000  # at most 4 MB

_EXPIRED = "The access token has expired; refresh it."
_INVALID = "The access token is not valid; log in, or refresh."
_REVOKED = "The session has ended, or the account has changed; refresh the access token, or log in."
_CLAIMS = ["sub", "sid", "jti", "roles", "perms", "ver", "iss", "aud", "iat", "exp", "typ"]


@dataclass(frozen=True)
class Claims:
    """The claims of a verified token; `expires_at` is in seconds since 1970, `kid` is the id of the key of an access token.

    `scopes` are those of an API token, and None for an access token. An API token has its own id as `session_id`, and
    `user_id` is the id of its owner, who is a user or a service account.
    """

    user_id: UUID
    session_id: UUID
    roles: frozenset[str]
    permissions: frozenset[str]
    token_version: int
    expires_at: float
    kid: str
    scopes: frozenset[str] | None = None

    @property
    def token_id(self) -> UUID | None:
        """The id of an API token; None for an access token."""
        return None if self.scopes is None else self.session_id


class AccessTokens:
    """Issues and reads access tokens, and caches the verified ones, since all requests of a session have the same."""

    def __init__(
        self,
        settings: Settings,
        keys: SigningKeys,
        revocations: Revocations,
        api_tokens: ApiTokens,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`now` returns seconds since 1970."""
        self._settings = settings
        self.ttl_s = settings.auth.access_token_ttl_s
        self.keys = keys
        self.revocations = revocations
        self.api_tokens = api_tokens
        self._now = now
        self._verified: dict[str, Claims] = {}
        # tokens that no key has signed: programs repeat them, and a verification takes a sixth of a millisecond
        self._forged: dict[str, None] = {}

    async def issue(
        self, user: User, session_id: UUID, *, ends_at: datetime | None = None, has_second_factor: bool = False
    ) -> str:
        """A token for `access_token_ttl_s` seconds from now, but not beyond the end of its session.

        It has the user's system rights, except those of an administrator whose session lacks a second factor.

        Raises:
            SettingsError: the signing key cannot be decrypted.
        """
        kid, private = await self.keys.to_sign()
        rights = effective_rights(self._settings, user.roles, user.permissions, has_second_factor=has_second_factor)
        now = clock.now()
        expires_at = now + timedelta(seconds=self.ttl_s)
        claims: dict[str, Any] = {
            "sub": str(user.id),
            "sid": str(session_id),
            "jti": str(uuid7()),
            "roles": sorted(rights.roles),
            "perms": sorted(rights.permissions),
            "ver": user.token_version,
            "iss": ISSUER,
            "aud": AUDIENCE,
            "iat": now,
            "exp": expires_at if ends_at is None else min(expires_at, ends_at),
            "typ": TOKEN_TYPE,
        }
        return sign(claims, kid, private)

    def lacks_factor(self, user: User, *, has_second_factor: bool) -> bool:
        """Whether the user's tokens have no system rights for want of a second factor."""
        return lacks_factor(self._settings, user.roles, has_second_factor=has_second_factor)

    async def read(self, token: str) -> Claims:
        """Verify signature, algorithm, issuer, audience, type, expiry (without leeway) and revocation.

        A verified token is only checked for expiry and revocation. An API token is recognised by its prefix.

        Raises:
            TokenInvalid: one of them is not valid.
            SQLAlchemyError: keys or revocations must be read, and the database does not answer.
        """
        if token.startswith(PREFIX):
            return await self.api_tokens.read(token)
        claims = self._verified.get(token)
        if claims is None:
            claims = await self._verify(token)
            _remember(self._verified, token, claims, VERIFIED_TOKENS_MAX)
        elif claims.expires_at <= self._now():
            del self._verified[token]
            raise TokenInvalid(_EXPIRED)
        elif not self.keys.accepts(claims.kid):
            raise TokenInvalid(_INVALID)
        if await self.revocations.is_revoked(claims):
            raise TokenInvalid(_REVOKED)
        return claims

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Keep the keys and the revocations current, and write the uses of API tokens, while the block lasts."""
        async with self.revocations.followed(), self.keys.followed(), self.api_tokens.followed():
            yield

    async def _verify(self, token: str) -> Claims:
        if len(token) > TOKEN_LENGTH_MAX or token in self._forged:
            raise TokenInvalid(_INVALID)
        try:
            kid = jwt.get_unverified_header(token)["kid"]
            key = await self.keys.find(kid)
            if key is None:
                raise TokenInvalid(_INVALID)
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                audience=AUDIENCE,
                # `iat` is not verified: a token from a host whose clock is slightly ahead is valid
                options={"require": _CLAIMS, "strict_aud": True, "verify_iat": False},
            )
            if claims["typ"] != TOKEN_TYPE:
                raise TokenInvalid(_INVALID)
            return Claims(
                user_id=UUID(claims["sub"]),
                session_id=UUID(claims["sid"]),
                roles=frozenset(claims["roles"]),
                permissions=frozenset(claims["perms"]),
                token_version=int(claims["ver"]),
                expires_at=float(claims["exp"]),
                kid=cast("str", kid),
            )
        except jwt.ExpiredSignatureError as error:
            raise TokenInvalid(_EXPIRED) from error
        except jwt.InvalidSignatureError as error:
            _remember(self._forged, token, None, FORGED_TOKENS_MAX)
            raise TokenInvalid(_INVALID) from error
        except (jwt.PyJWTError, KeyError, ValueError, TypeError, AttributeError) as error:
            raise TokenInvalid(_INVALID) from error


def _remember(known: dict[str, T], token: str, value: T, tokens_max: int) -> None:
    """Add a token, and forget the oldest one if there are too many."""
    if len(known) >= tokens_max:
        del known[next(iter(known))]
    known[token] = value


def sign(claims: dict[str, Any], kid: str, private: Ed25519PrivateKey) -> str:
    """A JWT with the claims."""
    return jwt.encode(claims, private, ALGORITHM, headers={"kid": kid})
