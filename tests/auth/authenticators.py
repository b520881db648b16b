"""Authenticators of the tests: an app with one-time codes, and passkeys as a browser's authenticator makes them."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pyotp
from cbor2 import dumps
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from api.kernel import clock

USER_PRESENT, USER_VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def code_of(secret: str, *, steps_later: int = 0) -> str:
    """The code that an app with this secret shows now, or so many steps of 30 s later."""
    return pyotp.TOTP(secret).at(clock.now() + timedelta(seconds=30 * steps_later))


@dataclass
class SoftwarePasskey:
    """A passkey with an ES256 key, of a browser that shows `origin`."""

    origin: str
    flags: int = USER_PRESENT | USER_VERIFIED
    sign_count: int = 0
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    encoded_key: bytes | None = None  # sent instead of the public key

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """The response to `navigator.credentials.create()`."""
        numbers = self.key.public_key().public_numbers()
        point = {-2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        key = self.encoded_key or dumps({1: 2, 3: -7, -1: 1, **point})
        credential = len(self.credential_id).to_bytes(2, "big") + self.credential_id + key
        data = self._data(options["rp"]["id"], self.flags | ATTESTED) + bytes(16) + credential
        attestation = dumps({"fmt": "none", "attStmt": {}, "authData": data})
        return self._response(
            clientDataJSON=self._client_data("webauthn.create", options), attestationObject=attestation
        )

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        """The response to `navigator.credentials.get()`."""
        self.sign_count += 1
        client_data = self._client_data("webauthn.get", options)
        data = self._data(options["rpId"], self.flags)
        signature = self.key.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(hashes.SHA256()))
        return self._response(clientDataJSON=client_data, authenticatorData=data, signature=signature)

    def _data(self, rp_id: str, flags: int) -> bytes:
        return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + self.sign_count.to_bytes(4, "big")

    def _client_data(self, kind: str, options: dict[str, Any]) -> bytes:
        return json.dumps({"type": kind, "challenge": options["challenge"], "origin": self.origin}).encode()

    def _response(self, **parts: bytes) -> dict[str, Any]:
        identity = _base64(self.credential_id)
        return {
            "id": identity,
            "rawId": identity,
            "type": "public-key",
            "clientExtensionResults": {},
            "response": {name: _base64(value) for name, value in parts.items()},
        }


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")
