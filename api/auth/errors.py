"""Errors of accounts and log-ins."""

from __future__ import annotations

from http import HTTPStatus
from typing import ClassVar

from api.kernel.errors import DomainError, Forbidden, InvalidInput


class TokenMissing(DomainError):
    """The route requires a log-in and the request has no token."""

    status = HTTPStatus.UNAUTHORIZED
    slug = "token-missing"
    title = "Log-in required"
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": "Bearer"}


class TokenInvalid(DomainError):
    """The access token was not issued by this installation, was changed, has expired, or was revoked."""

    status = HTTPStatus.UNAUTHORIZED
    slug = "token-invalid"
    title = "The access token is not valid"
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


class RefreshTokenInvalid(DomainError):
    """The refresh token is unknown or has expired, or its session has ended."""

    status = HTTPStatus.UNAUTHORIZED
    slug = "refresh-token-invalid"
    title = "The refresh token is not valid"
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": "Bearer"}


class RefreshTokenUsed(DomainError):
    """The refresh token was used before. `session_ended` is true if the session ended because of a suspected theft."""

    status = HTTPStatus.UNAUTHORIZED
    slug = "refresh-token-used"
    title = "The refresh token was used before"
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": "Bearer"}


class LogInFailed(DomainError):
    """The address is unknown, the password is wrong, or the user may not log in; the response is the same for all."""

    status = HTTPStatus.UNAUTHORIZED
    slug = "log-in-failed"
    title = "Log-in failed"
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": "Bearer"}

    def __init__(self) -> None:
        super().__init__("The e-mail address or the password is wrong.")


class TooManyAttempts(DomainError):
    """Log-in failed too often for this account or from this address; try again after `retry_after_s` seconds."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    slug = "too-many-attempts"
    title = "Too many failed log-ins"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"Try again in {retry_after_s} s.", retry_after_s=retry_after_s)
        self.retry_after_s = retry_after_s

    def response_headers(self) -> dict[str, str]:
        """`Retry-After` in seconds."""
        return {"Retry-After": str(self.retry_after_s)}


class PasswordsBusy(DomainError):
    """More passwords are waiting than can be checked within about two seconds."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    slug = "log-in-busy"
    title = "Too many log-ins at the same time"
    headers: ClassVar[dict[str, str]] = {"Retry-After": "2"}

    def __init__(self) -> None:
        super().__init__("Too many users are logging in at the moment; try again shortly.")


class WeakPassword(InvalidInput):
    """The password is too short, too long, or easy to guess."""

    slug = "weak-password"
    title = "Choose another password"


class EmailTaken(DomainError):
    """An account with this address exists; upper and lower case are not distinguished. Only the command line reports it."""

    slug = "email-taken"
    title = "An account with this e-mail address exists"

    def __init__(self) -> None:
        super().__init__("Another account has this e-mail address.")


class BadEmail(InvalidInput):
    """This is not a valid e-mail address."""

    slug = "bad-email"
    title = "Not a valid e-mail address"


class RegistrationClosed(Forbidden):
    """Only administrators create accounts in this installation."""

    slug = "registration-closed"
    title = "Registration is closed"

    def __init__(self) -> None:
        super().__init__("Only administrators create accounts in this installation; ask an administrator for one.")
