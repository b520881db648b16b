"""Request and response bodies of log-ins by providers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from api.kernel.schemas import ResponseModel, Schema


class SignOnProvider(ResponseModel):
    """An identity provider; a browser opens `log_in_path` on the API's host to log in."""

    name: str
    label: str
    log_in_path: str


class SignOnProviders(ResponseModel):
    """The identity providers, in the order of the log-in page. `has_passwords` is whether passwords work too."""

    items: list[SignOnProvider]
    has_passwords: bool


class UserIdentity(ResponseModel):
    """An identity at a provider: the issuer, and the provider's id of the person."""

    id: UUID
    issuer: str
    subject: str
    created_at: datetime
    last_log_in_at: datetime


class UserIdentities(ResponseModel):
    """The identities of a user, at most one of each issuer."""

    items: list[UserIdentity]


class ExchangeCode(Schema):
    """The code that a program received at its redirect_uri, and the verifier of its code_challenge."""

    code: Annotated[str, Field(min_length=1, max_length=128)]
    code_verifier: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9._~-]{43,128}$", description="43 to 128 letters, digits and -._~ (RFC 7636)")
    ]
