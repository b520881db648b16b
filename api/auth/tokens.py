"""Access tokens, which are verified by their signature, and secrets, of which only a hash is stored.

An access token is a JWT signed with HMAC-SHA-256 and the installation's secret. It is short-lived and contains the user
and their roles, so that a coin command needs no query to identify its caller. The roles may be a quarter of an hour
old; where this matters, :data:`api.auth.dependencies.CurrentUser` reads them from the database.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import jwt

from api.auth.errors import TokenInvalid
from api.kernel import clock

if TYPE_CHECKING:
    from api.auth.models import User
    from settings import Settings

ALGORITHM = "HS256"
ISSUER = "ideamint"
AUDIENCE = "ideamint-api"
TOKEN_TYPE = "access"  # noqa: S105 - the name of a kind, not a secret
TOKEN_LENGTH_MAX = 4096  # a valid token has about 500 characters
SECRET_BYTES = 32
VERIFIED_TOKENS_MAX = 10_000  # about 10 MB

_EXPIRED = "The access token has expired; refresh it."
_CLAIMS = ["sub", "sid", "roles", "perms", "ver", "iss", "aud", "iat", "exp", "typ"]


@dataclass(frozen=True)
class Claims:
    """The claims of a verified access token; `expires_at` is in seconds since 1970."""

    user_id: UUID
    session_id: UUID
    roles: frozenset[str]
    permissions: frozenset[str]
    token_version: int
    expires_at: float


def issue_access_token(settings: Settings, user: User, session_id: UUID) -> str:
    """A token for `settings.auth.access_token_ttl_s` seconds from now."""
    now = clock.now()
    claims: dict[str, Any] = {
        "sub": str(user.id),
        "sid": str(session_id),
        "roles": sorted(user.roles),
        "perms": sorted(user.permissions),
        "ver": user.token_version,
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + timedelta(seconds=settings.auth.access_token_ttl_s),
        "typ": TOKEN_TYPE,
    }
    return jwt.encode(claims, settings.auth.signing_secret, ALGORITHM)


def read_access_token(settings: Settings, token: str) -> Claims:
    """Verify signature, algorithm, issuer, audience, type and expiry, without leeway.

    Raises:
        TokenInvalid: one of them is not valid. The detail states only whether the token has expired.
    """
    msg = "The access token is not valid; log in, or refresh."
    if len(token) > TOKEN_LENGTH_MAX:
        raise TokenInvalid(msg)
    try:
        claims = jwt.decode(
            token,
            settings.auth.signing_secret,
            algorithms=[ALGORITHM],
            issuer=ISSUER,
            audience=AUDIENCE,
            # `iat` is not verified: a token from a host whose clock is slightly ahead is valid
            options={"require": _CLAIMS, "strict_aud": True, "verify_iat": False},
        )
        if claims["typ"] != TOKEN_TYPE:
            raise TokenInvalid(msg)
        return Claims(
            user_id=UUID(claims["sub"]),
            session_id=UUID(claims["sid"]),
            roles=frozenset(claims["roles"]),
            permissions=frozenset(claims["perms"]),
            token_version=int(claims["ver"]),
            expires_at=float(claims["exp"]),
        )
    except jwt.ExpiredSignatureError as error:
        raise TokenInvalid(_EXPIRED) from error
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError) as error:
        raise TokenInvalid(msg) from error


class AccessTokens:
    """Reads access tokens and caches the verified ones, because all requests of a session have the same token."""

    def __init__(self, settings: Settings, now: Callable[[], float] = time.time) -> None:
        """`now` returns seconds since 1970."""
        self._settings = settings
        self._now = now
        self._verified: dict[str, Claims] = {}

    def read(self, token: str) -> Claims:
        """As :func:`read_access_token`; a verified token is only checked for expiry.

        Raises:
            TokenInvalid: the token is not valid or has expired.
        """
        claims = self._verified.get(token)
        if claims is None:
            claims = read_access_token(self._settings, token)
            if len(self._verified) >= VERIFIED_TOKENS_MAX:
                del self._verified[next(iter(self._verified))]
            self._verified[token] = claims
        elif claims.expires_at <= self._now():
            del self._verified[token]
            raise TokenInvalid(_EXPIRED)
        return claims


def new_secret() -> str:
    """256 random bits as 43 URL-safe characters, for a refresh token or a cookie."""
    return secrets.token_urlsafe(SECRET_BYTES)


def hash_secret(secret: str) -> bytes:
    """SHA-256. No salt and no slow hash: 256 random bits cannot be guessed."""
    return hashlib.sha256(secret.encode(errors="replace")).digest()
