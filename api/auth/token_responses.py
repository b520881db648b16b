"""The response to a log-in or a refresh: tokens, or the refusal."""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response

from api.auth.schemas import Tokens
from api.auth.sessions import Issued
from api.auth.tokens import AccessTokens
from api.kernel.errors import DomainError
from api.kernel.problems import refusal

NO_STORE = {"Cache-Control": "no-store"}


async def tokens_or_refusal(
    request: Request, response: Response, tokens: AccessTokens, issued: Issued | DomainError
) -> Any:
    """The tokens of a session; a refusal is returned and not raised, so that its record is committed."""
    if isinstance(issued, DomainError):
        return refusal(request, issued)
    response.headers.update(NO_STORE)
    return Tokens(
        access_token=await tokens.issue(
            issued.user, issued.session_id, ends_at=issued.ends_at, has_second_factor=issued.has_second_factor
        ),
        refresh_token=issued.secret,
        expires_in_s=tokens.ttl_s,
        second_factor_missing=tokens.lacks_factor(issued.user, has_second_factor=issued.has_second_factor),
    )
