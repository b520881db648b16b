"""A log-in that has begun: what this browser must present again when the provider sends it back.

It is a signed cookie that is valid for 10 minutes. So the response of a provider is accepted only in the browser in which
the log-in began, and no other site can log a browser in to an account of its choice.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from itsdangerous import BadSignature, URLSafeTimedSerializer

if TYPE_CHECKING:
    from settings import Settings

COOKIE = "ideamint_sign_on"
VALID_S = 600


@dataclass(frozen=True)
class Destination:
    """Where a log-in leads: to a page of this installation, or with a code to a program on the user's machine.

    `redirect_uri`, `code_challenge` and `state` are those of the program.
    """

    next: str = ""
    redirect_uri: str = ""
    code_challenge: str = ""
    state: str = ""


@dataclass(frozen=True)
class Attempt:
    """A log-in that has begun; `verifier` is that of PKCE (RFC 7636)."""

    provider: str
    state: str
    nonce: str
    verifier: str
    destination: Destination


def new_attempt(provider: str, destination: Destination) -> Attempt:
    """An attempt with random values."""
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    return Attempt(provider, state, nonce, verifier, destination)


def seal(settings: Settings, attempt: Attempt) -> str:
    """The value of the cookie."""
    sealed = _serializer(settings).dumps(asdict(attempt))
    assert isinstance(sealed, str)
    return sealed


def unseal(settings: Settings, cookie: str | None, *, provider: str, state: str | None) -> Attempt | None:
    """The attempt of this provider and state in the cookie; None if there is none, or it has expired."""
    if not cookie or not state:
        return None
    try:
        values = _serializer(settings).loads(cookie, max_age=VALID_S)
        attempt = Attempt(**values | {"destination": Destination(**values["destination"])})
    except (BadSignature, KeyError, TypeError):  # forged, expired, or of another release
        return None
    is_same = attempt.provider == provider and secrets.compare_digest(attempt.state.encode(), state.encode())
    return attempt if is_same else None


def _serializer(settings: Settings) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(
        settings.auth.signing_secret,
        salt="sign-on",
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    )
