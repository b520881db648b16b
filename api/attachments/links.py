"""Signed links to pictures and files, by which a page can show them without an access token.

A link shows one file to who has the link, until it expires: an hour or two after the response with the link. The expiry is that
of a full hour, so that a browser finds the picture in its cache during that hour.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from itsdangerous import Signer

from api.kernel import clock
from api.kernel.web import API_PREFIX

if TYPE_CHECKING:
    from settings import Settings

PERIOD_S = 3600


def signed_url(settings: Settings, path: str, subject: str) -> str:
    """The absolute URL of a path below the API's prefix, with a signature for `subject`."""
    expires = (int(clock.now().timestamp()) // PERIOD_S + 2) * PERIOD_S
    query = urlencode({"expires": expires, "signature": _signature(settings, subject, expires)})
    return f"{url_of(settings, path)}?{query}"


def url_of(settings: Settings, path: str) -> str:
    """The absolute URL of a path below the API's prefix."""
    return settings.addresses.public_url(f"{API_PREFIX}{path}")


def find_rest_s(settings: Settings, subject: str, expires: int | None, signature: str | None) -> int | None:
    """For how many seconds a link is still valid; None if it is not."""
    if expires is None or signature is None:
        return None
    if not _signer(settings).verify_signature(f"{subject}.{expires}", signature):
        return None
    rest_s = expires - int(clock.now().timestamp())
    return rest_s if rest_s > 0 else None


def _signature(settings: Settings, subject: str, expires: int) -> str:
    return _signer(settings).get_signature(f"{subject}.{expires}").decode()


def _signer(settings: Settings) -> Signer:
    return Signer(settings.auth.signing_secret, salt="file-link", key_derivation="hmac", digest_method=hashlib.sha256)
