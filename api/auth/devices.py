"""The device cookie: a browser from which a log-in to an account succeeded.

It is no log-in: with it, the failures of others do not delay its owner
(:mod:`api.auth.throttle`). It contains the user's id and a random id, signed with the installation's secret, and is
valid for `TTL`. A browser has the cookie of the last account that logged in.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from itsdangerous import BadSignature, TimestampSigner

if TYPE_CHECKING:
    from settings.auth import AuthSettings

COOKIE = "ideamint_device"
TTL = timedelta(days=365)
_LENGTH_MAX = 200


@dataclass(frozen=True)
class DeviceCookie:
    """The account, and the id of the browser's successful log-ins to it."""

    user_id: UUID
    device: str

    @classmethod
    def of_user(cls, user_id: UUID, present: DeviceCookie | None) -> DeviceCookie:
        """The cookie after a log-in: the present one if it is of this account, else a new one."""
        return present if present is not None and present.user_id == user_id else cls(user_id, uuid4().hex)

    @classmethod
    def read(cls, settings: AuthSettings, value: str | None) -> DeviceCookie | None:
        """The cookie that this installation has set; None if it is missing, changed or too old."""
        if not value or len(value) > _LENGTH_MAX:
            return None
        try:
            user_id, device = _signer(settings).unsign(value, int(TTL.total_seconds())).decode().split(":")
            return cls(UUID(user_id), device)
        except (BadSignature, ValueError):
            return None

    def signed(self, settings: AuthSettings) -> str:
        """The value of the cookie."""
        return _signer(settings).sign(f"{self.user_id}:{self.device}").decode()


def _signer(settings: AuthSettings) -> TimestampSigner:
    return TimestampSigner(settings.signing_secret, salt="device", key_derivation="hmac", digest_method=hashlib.sha256)
