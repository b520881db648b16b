"""Verifies the tokens of providers: ID tokens (OpenID Connect Core 1.0, 3.1.3.7) and log-out tokens (Back-Channel Logout 1.0, 2.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jws import extract_compact

from api.auth.sso.providers import MetadataInvalid
from api.auth.sso.refusals import ProviderTokenInvalid, Reason, SignOnRefused
from api.kernel import clock
from api.kernel.outgoing_errors import CallFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from joserfc.jwk import Key

    from api.auth.sso.providers import Provider

# signatures with a key pair only: not `none`, and no shared secret, which a public key could be used as
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
LEEWAY_S = 60
TOKEN_LENGTH_MAX = 32_768
LOGOUT_VALID_S_MAX = 86_400  # how long the id of a log-out token is kept
ID_LENGTH_MAX = 255
_LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_LOGOUT_TYPES = frozenset({"jwt", "logout+jwt"})


async def read_id_token(provider: Provider, token: str, *, nonce: str, access_token: str | None) -> dict[str, Any]:
    """The claims of an ID token that was received for the log-in with this nonce.

    Raises:
        ProviderTokenInvalid: the signature, the algorithm, or one of iss, sub, aud, azp, exp, iat, nonce and at_hash is not valid.
        SignOnRefused: the keys of the provider cannot be read.
    """
    from authlib.oidc.core import CodeIDToken  # takes 0.1 s to import

    verified = await _verify(provider, token)
    claims = CodeIDToken(
        verified.claims,
        verified.header,
        options=_expected(provider) | {"sub": {"essential": True}},
        params={"nonce": nonce, "client_id": provider.settings.client_id, "access_token": access_token},
    )
    try:
        claims.validate(now=_now(), leeway=LEEWAY_S)
    except (JoseError, ValueError, TypeError) as error:
        raise ProviderTokenInvalid(str(error)) from error
    _check_id(claims, "sub")
    _check_id(claims, "sid", is_required=False)
    return dict(claims)


async def read_logout_token(provider: Provider, token: str) -> dict[str, Any]:
    """The claims of a log-out token: `jti`, `exp`, and `sub` or `sid`. Whether it was received before is not checked.

    Raises:
        ProviderTokenInvalid: it is no valid log-out token.
        SignOnRefused: the keys of the provider cannot be read.
    """
    verified = await _verify(provider, token)
    if str(verified.header.get("typ") or "jwt").lower() not in _LOGOUT_TYPES:
        msg = "the type is not logout+jwt"
        raise ProviderTokenInvalid(msg)
    claims = verified.claims
    registry = jwt.JWTClaimsRegistry(now=_now(), leeway=LEEWAY_S, **_expected(provider), jti={"essential": True})
    try:
        registry.validate(claims)
    except JoseError as error:
        raise ProviderTokenInvalid(str(error)) from error
    if claims["exp"] > _now() + LOGOUT_VALID_S_MAX:
        msg = "it is valid for longer than a day"
        raise ProviderTokenInvalid(msg)
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(_LOGOUT_EVENT), dict):
        msg = "events does not contain the log-out"
        raise ProviderTokenInvalid(msg)
    if "nonce" in claims:
        msg = "it has a nonce, so it is an ID token"
        raise ProviderTokenInvalid(msg)
    if "sub" not in claims and "sid" not in claims:
        msg = "it has neither sub nor sid"
        raise ProviderTokenInvalid(msg)
    _check_id(claims, "jti")
    _check_id(claims, "sub", is_required=False)
    _check_id(claims, "sid", is_required=False)
    return claims


async def _verify(provider: Provider, token: str) -> jwt.Token:
    """The token, if one of the provider's keys has signed it."""
    if len(token) > TOKEN_LENGTH_MAX:
        msg = "it is too long"
        raise ProviderTokenInvalid(msg)
    try:
        kid = extract_compact(token.encode()).headers().get("kid")
    except (JoseError, ValueError, TypeError) as error:
        raise ProviderTokenInvalid(str(error)) from error
    try:
        key = _find(await provider.keys(), kid) or _find(await provider.keys(is_unknown=True), kid)
    except (CallFailed, MetadataInvalid) as error:
        raise SignOnRefused(Reason.PROVIDER_UNAVAILABLE) from error
    if key is None:
        msg = "no key of the provider has this id"
        raise ProviderTokenInvalid(msg)
    try:
        return jwt.decode(token, key, algorithms=ALGORITHMS)
    except (JoseError, ValueError, TypeError) as error:
        raise ProviderTokenInvalid(str(error) or type(error).__name__) from error


def _find(keys: Sequence[Key], kid: object) -> Key | None:
    """The key with this id; without an id, the only key."""
    if kid is None:
        return keys[0] if len(keys) == 1 else None
    return next((key for key in keys if key.kid == kid), None)


def _expected(provider: Provider) -> dict[str, Any]:
    return {
        "iss": {"essential": True, "value": provider.issuer},
        "aud": {"essential": True, "value": provider.settings.client_id},
        "exp": {"essential": True},
        "iat": {"essential": True},
    }


def _check_id(claims: dict[str, Any], name: str, *, is_required: bool = True) -> None:
    value = claims.get(name)
    if value is None and not is_required:
        return
    if not isinstance(value, str) or not 1 <= len(value) <= ID_LENGTH_MAX or "\0" in value:
        msg = f"{name} is not a text of 1 to {ID_LENGTH_MAX} characters"
        raise ProviderTokenInvalid(msg)


def _now() -> int:
    return int(clock.now().timestamp())
