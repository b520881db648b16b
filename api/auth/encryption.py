"""Encryption of secrets that are stored in the database, with keys derived from `IDEAMINT_JWT_SECRET`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

if TYPE_CHECKING:
    from settings.auth import AuthSettings

_NONCE_BYTES = 12


class WrongSecret(Exception):
    """`IDEAMINT_JWT_SECRET` is not the secret with which this was encrypted, or the stored value was changed."""


class Encryption:
    """AES-256-GCM under a key that HKDF derives for one use, such as `signing keys`."""

    def __init__(self, settings: AuthSettings, use: str) -> None:
        """Different uses have different keys."""
        derived = HKDF(SHA256(), length=32, salt=None, info=f"ideamint {use}".encode()).derive(settings.signing_secret)
        self._cipher = AESGCM(derived)

    def encrypt(self, value: bytes, owner: str) -> bytes:
        """The encrypted value, which can be decrypted for the same owner only: the id of the row."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, value, owner.encode())

    def decrypt(self, encrypted: bytes, owner: str) -> bytes:
        """The value.

        Raises:
            WrongSecret: the installation has another secret, or the row another owner.
        """
        try:
            return self._cipher.decrypt(encrypted[:_NONCE_BYTES], encrypted[_NONCE_BYTES:], owner.encode())
        except InvalidTag as error:
            raise WrongSecret from error
