"""Request and response bodies of accounts and log-ins."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from api.auth.passwords import LENGTH_MAX, LENGTH_MIN
from api.kernel.locales import Language, TimeZone
from api.kernel.permissions import SystemRole
from api.kernel.schemas import Edit, ResponseModel, Schema, Stored, required
from api.kernel.texts import Line

DisplayName = Annotated[Line, Field(min_length=1, max_length=200)]
# spaces at the start and end are part of a password
Password = Annotated[str, StringConstraints(strip_whitespace=False, max_length=1024)]
PASSWORD_RULE = f"{LENGTH_MIN} to {LENGTH_MAX} characters, not easy to guess"
LinkToken = Annotated[str, Field(min_length=1, max_length=128)]
Department = Annotated[Line, Field(min_length=1, max_length=200)]
EmailText = Annotated[Line, Field(min_length=3, max_length=254, examples=["anna@example.org"])]


class Register(Schema):
    """The caller's new account."""

    model_config = ConfigDict(str_strip_whitespace=False)

    email: EmailText
    display_name: DisplayName
    password: Annotated[Password, Field(description=PASSWORD_RULE)]


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


class ConfirmAddress(Schema):
    """The token in the link of a mail, and the password of the account."""

    model_config = ConfigDict(str_strip_whitespace=False)

    token: LinkToken
    password: Password


class Address(Schema):
    """An e-mail address, which may have an account."""

    email: EmailText


class ResetPassword(Schema):
    """A new password, and the token in the link of the mail."""

    model_config = ConfigDict(str_strip_whitespace=False)

    token: LinkToken
    password: Annotated[Password, Field(description=PASSWORD_RULE)]


class AcceptInvitation(Schema):
    """The owner's name and password, and the token in the link of the invitation."""

    model_config = ConfigDict(str_strip_whitespace=False)

    token: LinkToken
    display_name: DisplayName
    password: Annotated[Password, Field(description=PASSWORD_RULE)]


class InviteUser(Schema):
    """The person to invite, and the rights of their account."""

    email: EmailText
    display_name: DisplayName
    roles: list[str] = Field(default_factory=list, max_length=20, description=f"of {', '.join(SystemRole)}")
    permissions: list[str] = Field(default_factory=list, max_length=20, description="rights without a role")


class ChangePassword(Schema):
    """The old and the new password."""

    model_config = ConfigDict(str_strip_whitespace=False)

    current_password: Password
    new_password: Annotated[Password, Field(description=PASSWORD_RULE)]


class ChangeAddress(Schema):
    """The new address, and the password as a proof that the owner asks for it."""

    model_config = ConfigDict(str_strip_whitespace=False)

    email: EmailText
    current_password: Password


class UserRead(ResponseModel):
    """An account, as administrators see it."""

    id: UUID
    email: str | None
    display_name: str
    roles: list[str]
    permissions: list[str]
    is_active: bool
    deleted_at: Annotated[datetime | None, Field(description="null: not deleted")]
    email_verified_at: Annotated[datetime | None, Field(description="null: the address is not confirmed")]
    language: str | None
    time_zone: str | None
    department: str | None
    created_at: datetime


class UpdateUser(Edit):
    """The rights of an account; omitted fields are not changed."""

    roles: Annotated[list[str], Field(max_length=20, description=f"of {', '.join(SystemRole)}")] = required()
    permissions: Annotated[list[str], Field(max_length=20, description="rights without a role")] = required()


class MySession(ResponseModel):
    """A session of the caller. `address` and `agent` are where it began."""

    id: UUID
    kind: Annotated[
        Stored[Literal["token", "browser"]], Field(description="token: a program; browser: the log-in page")
    ]
    created_at: datetime
    last_used_at: Annotated[datetime, Field(description="the log-in or the last refresh")]
    expires_at: datetime
    address: str | None
    agent: str | None
    is_current: bool


class MySessions(ResponseModel):
    """All open sessions of the caller."""

    items: list[MySession]


class Tokens(ResponseModel):
    """The tokens of a log-in or a refresh. A refresh token can be used once: replace it by the new one."""

    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the name of a scheme
    expires_in_s: Annotated[int, Field(description="lifetime of the access token, seconds")]
    second_factor_missing: Annotated[
        bool,
        Field(
            description="true: administrators need a second factor here, so the token has no system rights; add one "
            "and refresh"
        ),
    ]


class Me(ResponseModel):
    """The caller's own account."""

    id: UUID
    email: str | None
    display_name: str
    roles: list[str]
    permissions: list[str]
    language: str | None
    time_zone: str | None
    department: str | None
    created_at: datetime


class UpdateMe(Edit):
    """The fields of an account that its owner may change; omitted fields are not changed."""

    display_name: DisplayName = required()
    language: Annotated[Language | None, Field(description="language of mails; null: that of the installation")] = None
    time_zone: Annotated[TimeZone | None, Field(description="such as Europe/Warsaw; null: UTC")] = None
    department: Annotated[Department | None, Field(description="null: none")] = None
