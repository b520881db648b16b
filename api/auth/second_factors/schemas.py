"""Request and response bodies of second factors and second steps."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from api.auth.schemas import Password
from api.kernel.schemas import ResponseModel, Schema
from api.kernel.texts import Line

Challenge = Annotated[str, Field(min_length=1, max_length=128, description="of the response that asked for this step")]
Code = Annotated[
    Line,
    Field(
        min_length=6,
        max_length=30,
        description="of the authenticator app, a recovery code, or the code that was mailed",
        examples=["123456"],
    ),
]
Credential = Annotated[
    dict[str, Any], Field(description="what `navigator.credentials` returned, as its `toJSON()` writes it")
]
PasskeyName = Annotated[Line, Field(min_length=1, max_length=100, examples=["Laptop"])]


class SecondStep(Schema):
    """The second step of a log-in: a code, or the response of a passkey."""

    challenge: Challenge
    code: Code | None = None
    passkey: Credential | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> SecondStep:
        if (self.code is None) == (self.passkey is None):
            msg = "either `code` or `passkey` is required, and not both"
            raise ValueError(msg)
        return self


class PasskeyLogIn(Schema):
    """A log-in by a passkey alone."""

    challenge: Challenge
    passkey: Credential


class PasskeyOptions(ResponseModel):
    """A challenge, and the options for `navigator.credentials` in the browser."""

    challenge: str
    options: dict[str, Any]
    expires_in_s: int


class NewPasskey(Schema):
    """A passkey that the browser has created for the challenge."""

    challenge: Challenge
    name: PasskeyName
    passkey: Credential


class Confirmation(Schema):
    """The caller's password, and a code if the account has a second factor."""

    model_config = ConfigDict(str_strip_whitespace=False)

    password: Password
    code: Code | None = None


class AppCode(Schema):
    """The first code of an authenticator app."""

    code: Code


class NewAuthenticatorApp(ResponseModel):
    """The secret for an authenticator app. It is a factor after the first code was sent to `/users/me/authenticator-app`."""

    secret: Annotated[str, Field(description="base32, to be typed into the app")]
    uri: Annotated[str, Field(description="the same as an `otpauth:` URI")]
    qr_code: Annotated[str, Field(description="the same as a QR code, SVG")]


class RecoveryCodes(ResponseModel):
    """Codes for log-ins without the other factors, each for one. They are shown once; null: there are earlier ones."""

    recovery_codes: list[str] | None


class PasskeyRead(ResponseModel):
    """A passkey of the caller."""

    id: UUID
    name: str
    created_at: datetime
    last_used_at: datetime | None


class AddedPasskey(PasskeyRead):
    """The new passkey, and the recovery codes if the account had none; they are shown once."""

    recovery_codes: list[str] | None


class MyFactors(ResponseModel):
    """The second factors of the caller."""

    authenticator_app_since: Annotated[datetime | None, Field(description="null: none")]
    passkeys: list[PasskeyRead]
    recovery_codes_left: int
