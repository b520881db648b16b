"""ID tokens of sessions, which are kept for the log-out at the provider. They contain personal data, so they are encrypted."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

if TYPE_CHECKING:
    from settings import Settings


def encrypt(settings: Settings, id_token: str) -> bytes:
    """The stored form of an ID token."""
    return _cipher(settings).encrypt(id_token.encode())


def decrypt(settings: Settings, stored: bytes) -> str | None:
    """The ID token, or None if it was stored under another `IDEAMINT_JWT_SECRET`."""
    try:
        return _cipher(settings).decrypt(stored).decode()
    except InvalidToken:
        return None


def _cipher(settings: Settings) -> Fernet:
    derived = HKDF(SHA256(), length=32, salt=None, info=b"ideamint id tokens").derive(settings.auth.signing_secret)
    return Fernet(base64.urlsafe_b64encode(derived))
