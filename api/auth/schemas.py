"""Request and response bodies of accounts and log-ins."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from api.auth.passwords import LENGTH_MAX, LENGTH_MIN
from api.kernel.schemas import Edit, ResponseModel, Schema, required
from api.kernel.texts import Line

DisplayName = Annotated[Line, Field(min_length=1, max_length=200)]
# spaces at the start and end are part of a password
Password = Annotated[str, StringConstraints(strip_whitespace=False, max_length=1024)]
EmailText = Annotated[Line, Field(min_length=3, max_length=254, examples=["anna@example.org"])]


class Register(Schema):
    """The caller's new account."""

    model_config = ConfigDict(str_strip_whitespace=False)

    email: EmailText
    display_name: DisplayName
    password: Annotated[Password, Field(description=f"{LENGTH_MIN} to {LENGTH_MAX} characters, not a common password")]


class Registration(ResponseModel):
    """The address of the request. The response does not state whether it had an account before."""

    email: str


class LogIn(Schema):
    """The credentials of a log-in."""

    model_config = ConfigDict(str_strip_whitespace=False)

    email: EmailText
    password: Password


class RefreshToken(Schema):
    """The newest refresh token of the session."""

    refresh_token: Annotated[str, Field(min_length=1, max_length=128)]


class Tokens(ResponseModel):
    """The tokens of a log-in or a refresh. A refresh token can be used once: replace it by the new one."""

    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the name of a scheme
    expires_in_s: Annotated[int, Field(description="lifetime of the access token, seconds")]


class Me(ResponseModel):
    """The caller's own account."""

    id: UUID
    email: str | None
    display_name: str
    roles: list[str]
    permissions: list[str]
    created_at: datetime


class UpdateMe(Edit):
    """The fields of an account that its owner may change; omitted fields are not changed."""

    display_name: DisplayName = required()
