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
    """The address is unknown or not confirmed, the password is wrong, or the user is deactivated; the response is the same."""

    status = HTTPStatus.UNAUTHORIZED
    slug = "log-in-failed"
    title = "Log-in failed"
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": "Bearer"}

    def __init__(self) -> None:
        super().__init__("The e-mail address or the password is wrong, or the address is not confirmed yet.")


class PasswordsOff(Forbidden):
    """Users of this installation log in by an identity provider; passwords work for the emergency account only."""

    slug = "passwords-off"
    title = "Log in by your identity provider"

    def __init__(self) -> None:
        super().__init__("This installation has no log-in by password; log in by your identity provider.")


class SignOnCodeInvalid(DomainError):
    """The code of a log-in by a provider is unknown, has expired or was used, or the verifier is not that of its challenge."""

    status = HTTPStatus.UNAUTHORIZED
    slug = "sign-on-code-invalid"
    title = "The code is not valid"
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": "Bearer"}

    def __init__(self) -> None:
        super().__init__("The code is unknown, has expired or was used, or the verifier does not fit; log in again.")


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
    """An account with this address exists; upper and lower case are not distinguished."""

    slug = "email-taken"
    title = "An account with this e-mail address exists"

    def __init__(self) -> None:
        super().__init__("Another account has this e-mail address.")


class BadEmail(InvalidInput):
    """This is not a valid e-mail address."""

    slug = "bad-email"
    title = "Not a valid e-mail address"


class LinkInvalid(DomainError):
    """The link of a mail is unknown, has expired, was used, or was replaced by a newer one."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    slug = "link-invalid"
    title = "The link is not valid"

    def __init__(self) -> None:
        super().__init__("This link is not valid any more: it has expired, was used, or a newer one was sent.")


class PasswordWrong(Forbidden):
    """The password in the request is not the present password of the account."""

    slug = "password-wrong"
    title = "The password is wrong"

    def __init__(self) -> None:
        super().__init__(
            "This is not the password of the account. Who has forgotten it can ask for a link to set a new one."
        )


class LastAdministrator(DomainError):
    """The change would leave no active system administrator."""

    slug = "last-administrator"
    title = "The last administrator stays"

    def __init__(self) -> None:
        super().__init__("This user is the only active system administrator; make another user one first.")


class RosterDeactivatesMany(DomainError):
    """The roster would deactivate more than 20% of the active accounts: is it complete? `confirmed` carries it out."""

    slug = "roster-deactivates-many"
    title = "The roster would deactivate many accounts"

    def __init__(self, deactivated: int, active: int) -> None:
        super().__init__(
            f"{deactivated:,} of {active:,} active accounts would be deactivated, which is more than 20%. Nothing was changed; "
            "if that is right, confirm it.",
            deactivated=deactivated,
            active=active,
        )


class RegistrationClosed(Forbidden):
    """Only administrators create accounts in this installation."""

    slug = "registration-closed"
    title = "Registration is closed"

    def __init__(self) -> None:
        super().__init__("Only administrators create accounts in this installation; ask an administrator for one.")
