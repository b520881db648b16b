"""The Ed25519 keys that sign access tokens, and their rotation.

The keys are in the database, the private parts encrypted with AES-256-GCM under a key derived from
`IDEAMINT_JWT_SECRET`. The first process that needs a key creates it. After a rotation the new key is published
`PUBLISHED_S` before it signs, so that every process and every reader of the key set has it by then, and the old key is
accepted until the tokens that it signed have expired.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import delete, select, text, update

from api.auth.encryption import Encryption, WrongSecret
from api.auth.models import StoredKey
from api.kernel import clock
from api.kernel.background import running
from settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.kernel.db import Database
    from settings.auth import AuthSettings

log = structlog.get_logger(__name__)

PUBLISHED_S = 300
RELOAD_S = 30.0
UNKNOWN_KEY_PAUSE_S = 1.0
_USE = "signing keys"
_LOCK = text("SELECT pg_advisory_xact_lock(:lock)")
_LOCK_ID = 0x1DEA0004


@dataclass(frozen=True)
class SigningKey:
    """A stored key. The private part is decrypted by :meth:`SigningKeys.to_sign` only."""

    kid: str
    public: Ed25519PublicKey
    encrypted: bytes
    signs_from: datetime
    accepted_until: datetime | None

    def is_accepted(self, now: datetime) -> bool:
        """Whether tokens with this key are accepted."""
        return self.accepted_until is None or now < self.accepted_until


class SigningKeys:
    """The keys of the database, as one process has read them."""

    def __init__(self, database: Database, settings: AuthSettings, now: Callable[[], float] = time.monotonic) -> None:
        """`now` returns seconds."""
        self._database = database
        self._settings = settings
        self._now = now
        self._keys: dict[str, SigningKey] = {}
        self._read_at = -float("inf")
        self._reading = asyncio.Lock()
        self._private: tuple[str, Ed25519PrivateKey] | None = None

    async def to_sign(self) -> tuple[str, Ed25519PrivateKey]:
        """The id and the private part of the key that signs now.

        Raises:
            SettingsError: `IDEAMINT_JWT_SECRET` is not the secret with which the key was encrypted.
        """
        # usually the follower has read them; here the caller may hold a connection
        if self._now() - self._read_at > 3 * RELOAD_S or self._signing() is None:
            await self.reload()
        key = self._signing()
        assert key is not None, "a reload creates the first key"
        if self._private is None or self._private[0] != key.kid:
            self._private = key.kid, _decrypt(self._settings, key)
        return self._private

    async def find(self, kid: str) -> Ed25519PublicKey | None:
        """The public key with this id, if it is accepted. An unknown id is looked up, once a second at most."""
        if kid not in self._keys and self._now() - self._read_at > UNKNOWN_KEY_PAUSE_S:
            await self.reload()
        return self._keys[kid].public if self.accepts(kid) else None

    def accepts(self, kid: str) -> bool:
        """Whether the key is known and accepted, as of the last reading."""
        key = self._keys.get(kid)
        return key is not None and key.is_accepted(clock.now())

    async def published(self) -> list[SigningKey]:
        """The accepted keys and the one that will sign next, in the order of their creation."""
        if self._now() - self._read_at > RELOAD_S:
            await self.reload()
        return [key for key in self._keys.values() if key.is_accepted(clock.now())]

    async def reload(self) -> None:
        """Read the keys, and create the first one if none can sign. Concurrent calls read once."""
        called_at = self._now()
        async with self._reading:
            if self._read_at > called_at:
                return
            async with self._database.session() as session:
                keys = await list_keys(session)
                if _signing(keys) is None:
                    await session.execute(_LOCK, {"lock": _LOCK_ID})
                    keys = await list_keys(session)
                    if _signing(keys) is None:
                        keys = [*keys, await add_key(session, self._settings, signs_from=clock.now())]
            self._keys = {key.kid: key for key in keys}
            self._read_at = self._now()

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Read the keys every `RELOAD_S` seconds while the block lasts, to notice keys that are accepted no more."""
        async with running(self._follow(), name="signing keys"):
            yield

    async def _follow(self) -> None:
        while True:
            try:
                await self.reload()
                await self.to_sign()  # reports a wrong secret before the first log-in
            except Exception as error:  # noqa: BLE001 - the known keys stay in use
                log.warning("signing keys are not readable", error=str(error))
            await asyncio.sleep(RELOAD_S)

    def _signing(self) -> SigningKey | None:
        return _signing(self._keys.values())


async def list_keys(session: AsyncSession) -> list[SigningKey]:
    """All stored keys, the oldest first."""
    rows = await session.scalars(
        select(StoredKey).order_by(StoredKey.signs_from, StoredKey.kid).execution_options(populate_existing=True)
    )
    return [
        SigningKey(
            row.kid,
            Ed25519PublicKey.from_public_bytes(row.public_key),
            row.encrypted_private_key,
            row.signs_from,
            row.accepted_until,
        )
        for row in rows
    ]


async def add_key(session: AsyncSession, settings: AuthSettings, *, signs_from: datetime) -> SigningKey:
    """Store a new key."""
    private = Ed25519PrivateKey.generate()
    public = private.public_key()
    kid = _thumbprint(public)
    encrypted = Encryption(settings, _USE).encrypt(private.private_bytes_raw(), kid)
    session.add(
        StoredKey(
            kid=kid,
            public_key=public.public_bytes_raw(),
            encrypted_private_key=encrypted,
            created_at=clock.now(),
            signs_from=signs_from,
        )
    )
    await session.flush()
    return SigningKey(kid, public, encrypted, signs_from, None)


async def rotate_keys(session: AsyncSession, settings: AuthSettings, *, at_once: bool = False) -> SigningKey:
    """Replace the signing key, and delete keys that were last accepted more than a day ago.

    The new key signs after `PUBLISHED_S`, and the old ones are accepted for one token lifetime after that. With
    `at_once`, for a key that may be stolen, the new key signs now and the old ones are accepted no more: all access
    tokens become invalid within `RELOAD_S`, and clients refresh them.

    Raises:
        SettingsError: the present key was encrypted with another secret.
    """
    await session.execute(_LOCK, {"lock": _LOCK_ID})
    now = clock.now()
    current = _signing(await list_keys(session))
    if current is not None and not at_once:
        _decrypt(settings, current)  # with another secret, the API could not read the new key
    signs_from = now if at_once else now + timedelta(seconds=PUBLISHED_S)
    accepted_until = now if at_once else signs_from + timedelta(seconds=settings.access_token_ttl_s)
    in_use = StoredKey.accepted_until.is_(None) | (StoredKey.accepted_until > accepted_until)
    await session.execute(update(StoredKey).where(in_use).values(accepted_until=accepted_until))
    await session.execute(delete(StoredKey).where(StoredKey.accepted_until < now - timedelta(days=1)))
    return await add_key(session, settings, signs_from=signs_from)


def as_jwk(key: SigningKey) -> dict[str, Any]:
    """The public part as a JSON Web Key (RFC 8037)."""
    return {**_jwk_members(key.public), "kid": key.kid, "use": "sig", "alg": "EdDSA"}


def _signing(keys: Iterable[SigningKey]) -> SigningKey | None:
    """The newest key whose time has come and that is accepted."""
    now = clock.now()
    ready = [key for key in keys if key.signs_from <= now and key.is_accepted(now)]
    return max(ready, key=lambda key: key.signs_from, default=None)


def _jwk_members(public: Ed25519PublicKey) -> dict[str, str]:
    return {"crv": "Ed25519", "kty": "OKP", "x": _base64(public.public_bytes_raw())}


def _thumbprint(public: Ed25519PublicKey) -> str:
    """The JWK thumbprint (RFC 7638)."""
    document = json.dumps(_jwk_members(public), sort_keys=True, separators=(",", ":"))
    return _base64(sha256(document.encode()).digest())


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _decrypt(settings: AuthSettings, key: SigningKey) -> Ed25519PrivateKey:
    try:
        private = Encryption(settings, _USE).decrypt(key.encrypted, key.kid)
    except WrongSecret as error:
        msg = (
            f"IDEAMINT_JWT_SECRET is not the secret with which the signing key {key.kid} was encrypted; restore it, or "
            "replace the key with `ideamint keys rotate --at-once`"
        )
        raise SettingsError(msg) from error
    return Ed25519PrivateKey.from_private_bytes(private)
