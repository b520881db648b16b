"""Errors of second factors and second steps."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, ClassVar

from api.auth.errors import TooManyAttempts
from api.kernel.errors import DomainError, Forbidden, InvalidInput

__all__ = [
    "ChallengeInvalid",
    "CodeWrong",
    "FactorExists",
    "LogInNotRecent",
    "PasskeyRefused",
    "SecondStepRequired",
    "TooManyAttempts",
]


class SecondStepRequired(DomainError):
    """The password is right; the log-in goes on with the `challenge` and one of the `factors`."""

    status = HTTPStatus.UNAUTHORIZED
    slug = "second-step-required"
    title = "A second step is required"
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": "Bearer", "Cache-Control": "no-store"}

    def __init__(
        self, *, challenge: str, factors: list[str], expires_in_s: int, passkey_options: dict[str, Any] | None
    ) -> None:
        super().__init__(
            "Send the challenge with a code, or with the response of a passkey, to /api/v1/auth/login/second-step.",
            challenge=challenge,
            factors=factors,
            expires_in_s=expires_in_s,
            passkey_options=passkey_options,
        )
        self.challenge = challenge
        self.factors = factors
        self.passkey_options = passkey_options


class ChallengeInvalid(DomainError):
    """The challenge is unknown, has expired, was used, failed five times, or the account has changed."""

    status = HTTPStatus.UNAUTHORIZED
    slug = "challenge-invalid"
    title = "The log-in has to start again"
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": "Bearer"}

    def __init__(self) -> None:
        super().__init__("This challenge is not valid any more: it has expired, was used, or failed too often.")


class CodeWrong(DomainError):
    """The code is wrong, has expired, or was used before."""

    status = HTTPStatus.UNAUTHORIZED
    slug = "code-wrong"
    title = "The code is wrong"
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": "Bearer"}

    def __init__(self) -> None:
        super().__init__("This code is wrong, has expired, or was used before; enter the current one.")


class PasskeyRefused(DomainError):
    """The passkey is unknown here, or its response does not fit the challenge, the address of this site or its key."""

    status = HTTPStatus.UNAUTHORIZED
    slug = "passkey-refused"
    title = "The passkey was not accepted"
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": "Bearer"}

    def __init__(self) -> None:
        super().__init__(
            "This passkey is not known here, or its response is not valid; try again, or log in otherwise."
        )


class PasskeyInvalid(InvalidInput):
    """The response of the browser registers no passkey for this challenge and the address of this site."""

    slug = "passkey-invalid"
    title = "The passkey cannot be added"

    def __init__(self) -> None:
        super().__init__("The response of the browser is not valid for this challenge; start again.")


class FactorExists(DomainError):
    """The account has an authenticator app, or this passkey; remove it first."""

    slug = "factor-exists"
    title = "The account has this factor"


class LogInNotRecent(Forbidden):
    """The change requires that the user has logged in, or confirmed it is them, within the last ten minutes."""

    slug = "log-in-not-recent"
    title = "Confirm that it is you"

    def __init__(self, *, minutes: int) -> None:
        super().__init__(
            f"This change requires a log-in within the last {minutes} minutes: log in again, or send the password to "
            "/api/v1/auth/confirm.",
            minutes=minutes,
        )
