"""`/.well-known/jwks.json`: the public keys with which other systems can verify access tokens."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from api.auth.container import ProvidedAccessTokens
from api.auth.keys import PUBLISHED_S, as_jwk
from api.kernel.routing import LimitedRoute
from api.kernel.rules import PUBLIC

router = APIRouter(include_in_schema=False, dependencies=[PUBLIC], route_class=LimitedRoute)


@router.get("/.well-known/jwks.json")
async def get_key_set(response: Response, tokens: ProvidedAccessTokens) -> dict[str, list[dict[str, Any]]]:
    """The JSON Web Key Set (RFC 7517). It may be cached for less time than a new key is published before it signs."""
    response.headers["Cache-Control"] = f"public, max-age={PUBLISHED_S // 2}"
    return {"keys": [as_jwk(key) for key in await tokens.keys.published()]}
