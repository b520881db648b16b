"""Secrets of links, cookies and tokens, of which only a hash is stored."""

from __future__ import annotations

import hashlib
import secrets

SECRET_BYTES = 32


def new_secret() -> str:
    """256 random bits as 43 URL-safe characters, for a link, a refresh token or a cookie."""
    return secrets.token_urlsafe(SECRET_BYTES)


def hash_secret(secret: str) -> bytes:
    """SHA-256. No salt and no slow hash: 256 random bits cannot be guessed."""
    return hashlib.sha256(secret.encode(errors="replace")).digest()
