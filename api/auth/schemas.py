"""HTTP shapes of accounts and log-ins."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from api.auth.passwords import LENGTH_MAX, LENGTH_MIN
from api.kernel.web import ResponseModel, Schema


def _one_line(value: str) -> str:
    """NFC, and refused rather than altered where it holds what cannot be seen."""
    value = unicodedata.normalize("NFC", value)
    if any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in value):
        msg = "holds control characters"
        raise ValueError(msg)
    return value


DisplayName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_one_line)
]
# spaces at its ends belong to a password
Password = Annotated[str, StringConstraints(strip_whitespace=False, max_length=1024)]
EmailText = Annotated[
    str, Field(min_length=3, max_length=254, examples=["anna@example.org"]), AfterValidator(_one_line)
]


class Register(Schema):
    """A new account for oneself."""

    model_config = ConfigDict(str_strip_whitespace=False)

    email: EmailText
    display_name: DisplayName
    password: Annotated[
        Password, Field(description=f"{LENGTH_MIN} to {LENGTH_MAX} characters, none of the common ones")
    ]


class LogIn(Schema):
    """Who one is, and the proof."""

    model_config = ConfigDict(str_strip_whitespace=False)

    email: EmailText
    password: Password


class RefreshToken(Schema):
    """The refresh token that was given last."""

    refresh_token: Annotated[str, Field(min_length=1, max_length=128)]


class Tokens(ResponseModel):
    """What a log-in or a refresh gives. A refresh token is used once: keep the new one in its place."""

    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the name of a scheme
    expires_in_s: Annotated[int, Field(description="life of the access token, seconds")]


class Me(ResponseModel):
    """The caller's own account."""

    id: UUID
    email: str | None
    display_name: str
    roles: list[str]
    permissions: list[str]
    created_at: datetime


class UpdateMe(Schema):
    """What one may change about oneself; what is left out stays."""

    display_name: DisplayName | None = None
