"""Request and response bodies of API tokens and service accounts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from api.auth.api_tokens.service import NAME_LENGTH_MAX
from api.kernel.schemas import Edit, Id, ResponseModel, Schema, required
from api.kernel.scopes import SCOPES, SERVICE_SCOPES
from api.kernel.texts import Line

Name = Annotated[Line, Field(min_length=1, max_length=NAME_LENGTH_MAX)]
TokenScopes = Annotated[list[str], Field(min_length=1, max_length=50, description=f"of {', '.join(SCOPES)}")]
ServiceScopes = Annotated[list[str], Field(min_length=1, max_length=50, description=f"of {', '.join(SERVICE_SCOPES)}")]
Days = Annotated[
    int | None,
    Field(ge=1, le=365, description="lifetime in days; by default, and at most, that of IDEAMINT_API_TOKEN_DAYS_MAX"),
]


class CreateToken(Schema):
    """A token for a purpose: its name, and what it may do."""

    name: Name
    scopes: TokenScopes
    days: Days = None


class CreateServiceToken(Schema):
    """A token of a service account; by default with all scopes of the account."""

    name: Name
    scopes: Annotated[ServiceScopes | None, Field(description="some scopes of the account; null: all")] = None
    days: Days = None


class RotateToken(Schema):
    """The lifetime of the new token."""

    days: Days = None


class TokenRead(ResponseModel):
    """An API token. Its text is not stored; `prefix` is the start of it."""

    id: UUID
    user_id: Annotated[UUID | None, Field(description="the user whose rights it has; null for a service account's")]
    service_account_id: UUID | None
    name: str
    prefix: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime
    last_used_at: Annotated[datetime | None, Field(description="written at most once a minute; null: never used")]
    revoked_at: datetime | None


class NewToken(TokenRead):
    """A new API token with its text, which no later response contains."""

    token: str


class CreateServiceAccount(Schema):
    """A program, what it may do in the whole installation, and the person who answers for it."""

    name: Name
    scopes: ServiceScopes
    owner_id: Id


class UpdateServiceAccount(Edit):
    """The fields of a service account; omitted fields are not changed."""

    name: Name = required()
    scopes: ServiceScopes = required()
    owner_id: Id = required()


class ServiceAccountRead(ResponseModel):
    """A service account."""

    id: UUID
    name: str
    scopes: list[str]
    owner_id: UUID
    owner_name: str | None = None
    is_active: bool
    created_at: datetime
