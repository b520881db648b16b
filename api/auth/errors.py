"""What is refused on the way in, and why."""

from __future__ import annotations

from http import HTTPStatus
from typing import ClassVar

from api.kernel.errors import DomainError, Forbidden, InvalidInput


class TokenMissing(DomainError):
    """The route needs a log-in and the request bears no token."""

    status = HTTPStatus.UNAUTHORIZED
    slug = "token-missing"
    title = "Log in first"
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": "Bearer"}


class TokenInvalid(DomainError):
    """The access token is not ours, was tampered with, has expired, or was revoked."""

    status = HTTPStatus.UNAUTHORIZED
    slug = "token-invalid"
    title = "The token does not hold"
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


class RefreshTokenInvalid(DomainError):
    """The refresh token is unknown or has expired, or its session has ended."""

    status = HTTPStatus.UNAUTHORIZED
    slug = "refresh-token-invalid"
    title = "The refresh token does not hold"
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": "Bearer"}


class RefreshTokenUsed(DomainError):
    """The refresh token was used before. `session_ended` says whether that was taken for a theft."""

    status = HTTPStatus.UNAUTHORIZED
    slug = "refresh-token-used"
    title = "The refresh token was used before"
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": "Bearer"}


class LogInFailed(DomainError):
    """No such address, another password, or nobody who may log in: which of them is not told."""

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
        """The wait, for programs."""
        return {"Retry-After": str(self.retry_after_s)}


class PasswordsBusy(DomainError):
    """More passwords wait to be checked than can be in a reasonable time."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    slug = "log-in-busy"
    title = "Too many log-ins at once"
    headers: ClassVar[dict[str, str]] = {"Retry-After": "2"}

    def __init__(self) -> None:
        super().__init__("Too many people log in at this moment; try again shortly.")


class WeakPassword(InvalidInput):
    """The password is too short, too long, or among the first that anybody would guess."""

    slug = "weak-password"
    title = "Choose another password"


class EmailTaken(DomainError):
    """There is an account with this address; upper and lower case are the same."""

    slug = "email-taken"
    title = "There is an account with this e-mail address"

    def __init__(self) -> None:
        super().__init__("An account with this e-mail address exists; log in, or use another address.")


class BadEmail(InvalidInput):
    """This is no e-mail address."""

    slug = "bad-email"
    title = "Not an e-mail address"


class RegistrationClosed(Forbidden):
    """Accounts of this installation are made by its administrators."""

    slug = "registration-closed"
    title = "Registration is closed"

    def __init__(self) -> None:
        super().__init__("Accounts are made by an administrator here; ask for one.")
