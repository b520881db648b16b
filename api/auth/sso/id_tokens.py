"""ID tokens of sessions, which are kept for the log-out at the provider. They contain personal data, so they are encrypted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.auth.encryption import Encryption, WrongSecret

if TYPE_CHECKING:
    from settings import Settings

_USE = "id tokens"
_OWNER = ""  # the session whose token it is does not exist yet when a code is issued


def encrypt(settings: Settings, id_token: str) -> bytes:
    """The stored form of an ID token."""
    return Encryption(settings.auth, _USE).encrypt(id_token.encode(), _OWNER)


def decrypt(settings: Settings, stored: bytes) -> str | None:
    """The ID token, or None if it was stored under another `IDEAMINT_JWT_SECRET`."""
    try:
        return Encryption(settings.auth, _USE).decrypt(stored, _OWNER).decode()
    except WrongSecret:
        return None
