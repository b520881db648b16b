"""The identity providers of this installation: their metadata and keys, which each process caches.

The metadata (OpenID Connect Discovery 1.0) and the keys are read on first use, and again after an hour. A token with an
unknown key causes the keys to be read again, at most once in `ROTATION_PAUSE_S`, so that a rotation takes effect at once
and forged tokens cause few calls.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey, import_key

from api.auth.sso.refusals import Reason, SignOnRefused
from api.kernel.errors import NotFound
from api.kernel.outgoing_errors import CallFailed
from api.kernel.permissions import SystemRole
from settings import PREFIX, SettingsError

if TYPE_CHECKING:
    from api.kernel.outgoing import Outgoing
    from settings.sso import SsoProvider, SsoSettings

CACHED_S = 3600.0
ROTATION_PAUSE_S = 30.0
_HOST = re.compile(r"[A-Za-z0-9._-]+(?::[0-9]+)?|\[[0-9A-Fa-f:.]+\](?::[0-9]+)?")


@dataclass(frozen=True)
class Metadata:
    """The endpoints of a provider, from its metadata."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    end_session_endpoint: str | None
    names_issuer: bool  # whether responses have the parameter iss (RFC 9207)
    token_auth_methods: tuple[str, ...]


class MetadataInvalid(Exception):
    """The metadata of a provider is not usable; the message says why."""


class Provider:
    """One identity provider: its settings, and its metadata and keys."""

    def __init__(self, settings: SsoProvider, outgoing: Outgoing, now: Callable[[], float] = time.monotonic) -> None:
        """`now` returns seconds."""
        self.settings = settings
        self.outgoing = outgoing
        self._now = now
        self._reading = asyncio.Lock()
        self._metadata: tuple[float, Metadata] | None = None
        self._keys: tuple[float, tuple[Key, ...]] | None = None

    @property
    def name(self) -> str:
        """The name in URLs and events."""
        return self.settings.name

    @property
    def log_in_path(self) -> str:
        """The page on which a log-in begins."""
        return f"/sso/{self.name}/log-in"

    @property
    def issuer(self) -> str:
        """The issuer of its tokens."""
        return self.settings.issuer

    async def metadata(self) -> Metadata:
        """The endpoints.

        Raises:
            CallFailed: the provider does not respond.
            MetadataInvalid: the metadata is not usable.
        """
        async with self._reading:
            if self._metadata is None or self._metadata[0] + CACHED_S <= self._now():
                url = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
                document = await self.outgoing.get_json(url)
                self._metadata = self._now(), _read_metadata(self.issuer, document)
            return self._metadata[1]

    async def keys(self, *, is_unknown: bool = False) -> tuple[Key, ...]:
        """The keys that sign tokens. `is_unknown` reads them again, because a token has a key that is not among them.

        Raises:
            CallFailed, MetadataInvalid: as :meth:`metadata`.
        """
        metadata = await self.metadata()
        async with self._reading:
            age_s = float("inf") if self._keys is None else self._now() - self._keys[0]
            if age_s >= (ROTATION_PAUSE_S if is_unknown else CACHED_S):
                self._keys = self._now(), tuple(_read_keys(await self.outgoing.get_json(metadata.jwks_uri)))
            assert self._keys is not None
            return self._keys[1]


class Providers:
    """The identity providers by name."""

    def __init__(self, settings: SsoSettings, outgoing: Outgoing) -> None:
        """Raises SettingsError if a mapping names a role that does not exist."""
        for each in settings.providers:
            unknown = sorted(set(each.roles.values()) - set(SystemRole))
            if unknown:
                msg = f"{PREFIX}SSO_PROVIDERS: {each.name}: there is no role {', '.join(unknown)}; expected: {', '.join(SystemRole)}"
                raise SettingsError(msg)
        if settings.providers:
            import_module("authlib.integrations.httpx_client")  # takes 0.3 s, in which a process serves no request
        self._providers = {each.name: Provider(each, outgoing) for each in settings.providers}

    def __iter__(self) -> Iterator[Provider]:
        """The providers in the order of the settings."""
        return iter(self._providers.values())

    def get(self, name: str) -> Provider:
        """The provider with this name.

        Raises:
            NotFound: there is none.
        """
        if name not in self._providers:
            msg = f"There is no identity provider {name!r}."
            raise NotFound(msg)
        return self._providers[name]

    def find_by_issuer(self, issuer: str) -> Provider | None:
        """The provider with this issuer, or None."""
        return next((each for each in self if each.issuer == issuer), None)


async def metadata_of(provider: Provider) -> Metadata:
    """The provider's endpoints, for a log-in.

    Raises:
        SignOnRefused: they cannot be read.
    """
    try:
        return await provider.metadata()
    except (CallFailed, MetadataInvalid) as error:
        raise SignOnRefused(Reason.PROVIDER_UNAVAILABLE) from error


def _read_metadata(issuer: str, document: dict[str, Any]) -> Metadata:
    if document.get("issuer") != issuer:
        msg = f"the metadata of {issuer} has another issuer"
        raise MetadataInvalid(msg)
    methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    return Metadata(
        authorization_endpoint=_endpoint(issuer, document, "authorization_endpoint"),
        token_endpoint=_endpoint(issuer, document, "token_endpoint"),
        jwks_uri=_endpoint(issuer, document, "jwks_uri"),
        userinfo_endpoint=_optional_endpoint(issuer, document, "userinfo_endpoint"),
        end_session_endpoint=_optional_endpoint(issuer, document, "end_session_endpoint"),
        names_issuer=document.get("authorization_response_iss_parameter_supported") is True,
        token_auth_methods=tuple(methods) if isinstance(methods, list) else (),
    )


def _optional_endpoint(issuer: str, document: dict[str, Any], name: str) -> str | None:
    return _endpoint(issuer, document, name) if document.get(name) is not None else None


def _endpoint(issuer: str, document: dict[str, Any], name: str) -> str:
    """A URL of the metadata: https, unless the issuer itself is on this machine."""
    url = document.get(name)
    allowed = {"https", urlsplit(issuer).scheme}
    if not isinstance(url, str) or not url.isprintable() or " " in url:
        msg = f"{name} of {issuer} is not a URL"
        raise MetadataInvalid(msg)
    parts = urlsplit(url)
    # the host becomes a part of the header Content-Security-Policy
    if parts.scheme not in allowed or not _HOST.fullmatch(parts.netloc):
        msg = f"{name} of {issuer} is not an https URL"
        raise MetadataInvalid(msg)
    return url


def _read_keys(document: dict[str, Any]) -> Iterable[Key]:
    """The public keys for signatures; others, such as a shared secret or one that is not known here, are left out."""
    keys = document.get("keys")
    for each in keys if isinstance(keys, list) else []:
        if not isinstance(each, dict) or each.get("use", "sig") != "sig":
            continue
        try:
            key = import_key(each)
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        if isinstance(key, RSAKey | ECKey | OKPKey) and not key.is_private:
            yield key
