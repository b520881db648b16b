"""An OpenID provider that says whatever a test prepares, such as tokens that a real provider never issues."""

from __future__ import annotations

import base64
import hmac
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

if TYPE_CHECKING:
    from httpx2 import Response

    from tests.sso.providers import Visitor

NAME = "hostile"
LOGOUT: dict[str, dict[str, str]] = {"http://schemas.openid.net/event/backchannel-logout": {}}


def new_key(kid: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": kid})


@dataclass
class Hostile:
    """An ASGI application. `keys` are published; `documents` replace what a path responds with."""

    port: int
    keys: list[RSAKey] = field(default_factory=lambda: [new_key("one")])
    documents: dict[str, Any] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    id_token: str = ""
    status: int = 200

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/me",
            "authorization_response_iss_parameter_supported": True,
        }

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        sent = (await receive())["body"].decode()
        self.requests.append((scope["path"], {name: values[0] for name, values in parse_qs(sent).items()}))
        documents = {
            "/.well-known/openid-configuration": self.metadata,
            "/keys": {"keys": [key.as_dict(private=False) for key in self.keys]},
            "/token": {"access_token": "opaque", "token_type": "Bearer", "id_token": self.id_token},
        } | self.documents
        body = json.dumps(documents.get(scope["path"], {})).encode()
        status = self.status if scope["path"] == "/token" else 200
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def claims(self, **changes: Any) -> dict[str, Any]:
        """The claims of a valid ID token except for the nonce; None removes a claim."""
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": "ideamint",
            "sub": "subject-of-hostile",
            "iat": now,
            "exp": now + 300,
            "email": "hostile@example.org",
            "email_verified": True,
            "name": "A Person",
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def sign(self, claims: dict[str, Any], *, key: RSAKey | None = None, **header: Any) -> str:
        key = key or self.keys[0]
        return jwt.encode({"alg": "RS256", "kid": key.kid, **header}, claims, key, algorithms=["RS256", "RS512"])


def unsigned(claims: dict[str, Any]) -> str:
    """A token with the algorithm none."""
    return ".".join(_encoded(part) for part in ({"alg": "none", "kid": "one"}, claims)) + "."


def signed_with_public_key(hostile: Hostile, claims: dict[str, Any]) -> str:
    """A token signed by HS256 with the public key as the secret; joserfc refuses to do so."""
    signed = ".".join(_encoded(part) for part in ({"alg": "HS256", "kid": "one"}, claims))
    signature = hmac.digest(hostile.keys[0].as_pem(private=False), signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def _encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


@dataclass(frozen=True)
class Begun:
    """A log-in that has begun, and is at the provider."""

    visitor: Visitor
    issuer: str
    state: str
    nonce: str

    async def end(self, **changes: str | None) -> Response:
        """The provider sends the browser back; None removes a parameter."""
        parameters = {"code": "a-code", "state": self.state, "iss": self.issuer} | changes
        query = urlencode({name: value for name, value in parameters.items() if value is not None})
        return await self.visitor.http.get(f"/sso/{NAME}/callback?{query}")


async def begin(visitor: Visitor, hostile: Hostile, **query: str) -> Begun:
    sent = await visitor.begin(NAME, **query)
    assert sent.status_code == 303, sent.text
    asked = parse_qs(urlsplit(sent.headers["location"]).query)
    return Begun(visitor, hostile.issuer, asked["state"][0], asked["nonce"][0])
