"""Codes for programs: a program without a browser session gets its tokens after a log-in by a provider.

The program opens the log-in in the user's browser, with a challenge (RFC 7636, S256) and an address on the user's own
machine (RFC 8252, 7.3) to which the browser is sent with the code at the end. It exchanges the code for tokens with the
verifier of the challenge. A code is valid for a minute, and is deleted by its first use, also with a wrong verifier. It
ends with a log-out everywhere, a deactivation, and any other change that raises the token version of its user: the code
contains the version, and the stored hash is that of both.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from sqlalchemy import delete, select

from api.auth.models import User
from api.auth.sso.models import Identity, SignOnCode
from api.kernel import clock
from api.kernel.stored_secrets import hash_secret, new_secret

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

VALID_S = 60
REDIRECT_LENGTH_MAX = 500
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_LOOPBACK = frozenset({"127.0.0.1", "::1"})
_BEFORE_VERSION = "."


@dataclass(frozen=True)
class UsedCode:
    """The identity that a code represents, its user, and its session at the provider."""

    user: User
    identity: Identity
    provider: str
    provider_session: str | None
    encrypted_id_token: bytes
    has_second_factor: bool


def check_redirect(redirect_uri: str, code_challenge: str) -> str | None:
    """Why a program's address or challenge is not accepted; None if both are.

    The address is on the user's own machine, where no other person can receive the code. The name localhost is refused,
    because it can be resolved to another machine.
    """
    try:
        parts = urlsplit(redirect_uri)
        is_loopback = parts.scheme == "http" and parts.hostname in _LOOPBACK and parts.port is not None
    except ValueError:
        is_loopback = False
    if (
        not is_loopback
        or parts.fragment
        or "@" in parts.netloc
        or not redirect_uri.isprintable()
        or " " in redirect_uri
    ):
        return "redirect_uri must be http://127.0.0.1:PORT or http://[::1]:PORT, with any path."
    if "\\" in redirect_uri or len(redirect_uri) > REDIRECT_LENGTH_MAX:
        return f"redirect_uri must have at most {REDIRECT_LENGTH_MAX} characters and no backslash."
    if not _CHALLENGE.fullmatch(code_challenge):
        return "code_challenge must be the SHA-256 of the verifier in base64url: 43 characters."
    return None


def redirect_with(redirect_uri: str, **parameters: str) -> str:
    """The program's address with the parameters of the response."""
    separator = "&" if urlsplit(redirect_uri).query else "?"
    return f"{redirect_uri}{separator}{urlencode({name: value for name, value in parameters.items() if value})}"


async def issue_code(
    session: AsyncSession,
    identity: Identity,
    *,
    token_version: int,
    provider: str,
    code_challenge: str,
    provider_session: str | None,
    encrypted_id_token: bytes,
    has_second_factor: bool,
) -> str:
    """A new code of the identity; `token_version` is that of its user."""
    secret = f"{new_secret()}{_BEFORE_VERSION}{token_version}"
    session.add(
        SignOnCode(
            code_hash=hash_secret(secret),
            code_challenge=code_challenge,
            provider=provider,
            identity_id=identity.id,
            provider_session=provider_session,
            encrypted_id_token=encrypted_id_token,
            has_second_factor=has_second_factor,
            expires_at=clock.now() + timedelta(seconds=VALID_S),
        )
    )
    await session.flush()
    return secret


async def use_code(session: AsyncSession, secret: str, verifier: str) -> UsedCode | None:
    """Delete a code, and return what it represents; None if it is unknown or void, has expired, or has another verifier.

    The identity is locked first, then the code and the user: an unlinking at the same time locks in this order too.
    """
    of_code = SignOnCode.code_hash == hash_secret(secret)
    identity = await session.scalar(
        select(Identity)
        .join(SignOnCode, SignOnCode.identity_id == Identity.id)
        .where(of_code)
        .with_for_update(read=True, key_share=True, of=Identity)
        .execution_options(populate_existing=True)
    )
    row = (
        await session.execute(
            delete(SignOnCode)
            .where(of_code)
            .returning(
                SignOnCode.code_challenge,
                SignOnCode.provider,
                SignOnCode.provider_session,
                SignOnCode.encrypted_id_token,
                SignOnCode.has_second_factor,
                SignOnCode.expires_at,
            )
            .execution_options(synchronize_session=False)
        )
    ).one_or_none()
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    if (
        identity is None
        or row is None
        or row.expires_at <= clock.now()
        or not secrets.compare_digest(row.code_challenge, challenge)
    ):
        return None
    user = await session.get_one(User, identity.user_id, with_for_update={"read": True}, populate_existing=True)
    if secret.rpartition(_BEFORE_VERSION)[2] != str(user.token_version):
        return None
    return UsedCode(user, identity, row.provider, row.provider_session, row.encrypted_id_token, row.has_second_factor)
