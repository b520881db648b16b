"""The authorization code flow with PKCE (OpenID Connect Core 1.0, 3.1; RFC 7636), by Authlib."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx2
import structlog

from api.auth.sso.claims import Person, has_second_factor, is_complete, read_person
from api.auth.sso.providers import metadata_of
from api.auth.sso.refusals import ProviderTokenInvalid, Reason, SignOnRefused
from api.auth.sso.tokens import read_id_token
from api.kernel.outgoing_errors import CallFailed

if TYPE_CHECKING:
    from authlib.integrations.httpx_client import AsyncOAuth2Client

    from api.auth.sso.attempts import Attempt
    from api.auth.sso.providers import Metadata, Provider

log = structlog.get_logger(__name__)

CODE_LENGTH_MAX = 4096


@dataclass(frozen=True)
class Identified:
    """What the provider said about the person, and its ID token, which the log-out there needs."""

    person: Person
    provider_session: str | None
    id_token: str
    has_second_factor: bool


async def authorization_url(provider: Provider, attempt: Attempt, *, callback: str) -> str:
    """Where the browser is sent to log in; `callback` is the URL to which the provider sends it back.

    Raises:
        SignOnRefused: the provider's metadata cannot be read.
    """
    metadata = await metadata_of(provider)
    client = _client(provider, metadata, callback)
    asked_for = {"acr_values": " ".join(provider.settings.acr_values)} if provider.settings.acr_values else {}
    url, _ = client.create_authorization_url(
        metadata.authorization_endpoint,
        state=attempt.state,
        nonce=attempt.nonce,
        code_verifier=attempt.verifier,
        **asked_for,
    )
    return str(url)


async def identify(provider: Provider, attempt: Attempt, response: Mapping[str, str], *, callback: str) -> Identified:
    """The person whom the provider identified. `response` are the parameters with which it sent the browser back.

    Raises:
        SignOnRefused: the response is not that of this provider, or an error; or the code or the tokens are not valid.
    """
    metadata = await metadata_of(provider)
    # before everything else: the response of another provider must not reach this one (RFC 9207, mix-up attacks)
    issuer = response.get("iss")
    if issuer != provider.issuer and (issuer is not None or metadata.names_issuer):
        raise SignOnRefused(Reason.ISSUER_MISMATCH)
    if refusal := response.get("error"):
        log.info("provider refused a log-in", provider=provider.name, error=refusal[:100])
        raise SignOnRefused(Reason.DENIED if refusal == "access_denied" else Reason.PROVIDER_ERROR)
    code = response.get("code", "")
    if not 1 <= len(code) <= CODE_LENGTH_MAX:
        raise SignOnRefused(Reason.PROVIDER_ERROR)
    tokens = await _exchange(provider, metadata, attempt, code, callback)
    id_token, access_token = tokens.get("id_token"), tokens.get("access_token")
    try:
        if not isinstance(id_token, str) or not isinstance(access_token, str):
            msg = "the response has no ID token or no access token"
            raise ProviderTokenInvalid(msg)
        claims = await read_id_token(provider, id_token, nonce=attempt.nonce, access_token=access_token)
        has_factor = has_second_factor(provider.settings, claims)
        if metadata.userinfo_endpoint is not None and not is_complete(provider.settings, claims):
            claims = await _with_userinfo(provider, metadata.userinfo_endpoint, access_token, claims)
    except ProviderTokenInvalid as error:
        log.warning("token of a provider is not valid", provider=provider.name, error=str(error))
        raise SignOnRefused(Reason.TOKEN_INVALID) from error
    return Identified(read_person(provider.settings, claims), claims.get("sid"), id_token, has_factor)


async def _exchange(
    provider: Provider, metadata: Metadata, attempt: Attempt, code: str, callback: str
) -> dict[str, Any]:
    """The tokens for a code. The request is not repeated: a code can be used once."""
    from authlib.common.errors import AuthlibBaseError

    client = _client(provider, metadata, callback)
    try:
        tokens = await client.fetch_token(
            metadata.token_endpoint,
            grant_type="authorization_code",
            code=code,
            redirect_uri=callback,
            code_verifier=attempt.verifier,
        )
    except AuthlibBaseError as error:
        log.info("provider refused a code", provider=provider.name, error=str(error.error)[:100])
        raise SignOnRefused(Reason.CODE_REFUSED) from error
    except (CallFailed, httpx2.HTTPError, ValueError) as error:
        log.warning("provider did not exchange a code", provider=provider.name, error=str(error)[:200])
        raise SignOnRefused(Reason.PROVIDER_UNAVAILABLE) from error
    return dict(tokens)


async def _with_userinfo(
    provider: Provider, endpoint: str, access_token: str, claims: dict[str, Any]
) -> dict[str, Any]:
    """The claims of the ID token, and those that only the provider's UserInfo has.

    Raises:
        ProviderTokenInvalid: the UserInfo is that of another subject.
        SignOnRefused: the provider does not respond.
    """
    try:
        userinfo = await provider.outgoing.get_json(endpoint, headers={"Authorization": f"Bearer {access_token}"})
    except CallFailed as error:
        raise SignOnRefused(Reason.PROVIDER_UNAVAILABLE) from error
    if userinfo.get("sub") != claims["sub"]:
        msg = "the UserInfo has another subject"
        raise ProviderTokenInvalid(msg)
    return userinfo | claims


def _client(provider: Provider, metadata: Metadata, callback: str) -> AsyncOAuth2Client:
    from authlib.integrations.httpx_client import AsyncOAuth2Client  # takes 0.3 s to import

    given = provider.settings.client_secret
    secret = given.get_secret_value() if given else None
    methods = metadata.token_auth_methods
    if secret is None:
        method = "none"
    elif "client_secret_basic" not in methods and "client_secret_post" in methods:
        method = "client_secret_post"
    else:
        method = "client_secret_basic"
        secret = quote(secret, safe="")  # RFC 6749, 2.3.1; Authlib leaves it to the caller
    return AsyncOAuth2Client(
        client_id=provider.settings.client_id,
        client_secret=secret,
        token_endpoint_auth_method=method,
        scope=" ".join(provider.settings.scopes),
        redirect_uri=callback,
        code_challenge_method="S256",
        transport=provider.outgoing.transport,
        trust_env=False,
    )
