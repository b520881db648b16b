"""Errors of accounts and log-ins."""

from __future__ import annotations

from collections.abc import Iterable
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


class ScopeMissing(Forbidden):
    """The API token lacks a scope that the operation needs; it needs one of `scopes`."""

    slug = "scope-missing"
    title = "The API token lacks a scope"


class LogInRequired(Forbidden):
    """API tokens are not accepted here; the request requires the access token of a log-in."""

    slug = "log-in-required"
    title = "API tokens are not accepted here"

    def __init__(self) -> None:
        super().__init__("This request requires the access token of a log-in; an API token may not do this.")


class RefreshTokenInvalid(DomainError):
    """The refresh token is unknown or has expired, or its session has ended."""

    status = HTTPStatus.UNAUTHORIZED
    slug = "refresh-token-invalid"
    is_audited = True
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
    is_audited = True
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


class TooManyTokens(DomainError):
    """The owner has as many usable API tokens as one can have; revoke those that are no longer needed."""

    slug = "too-many-tokens"
    title = "Too many API tokens"

    def __init__(self, tokens_max: int) -> None:
        super().__init__(f"There are {tokens_max} tokens already; revoke one first.", tokens_max=tokens_max)


class NameTaken(DomainError):
    """Another service account has this name; upper and lower case are not distinguished."""

    slug = "name-taken"
    title = "A service account with this name exists"

    def __init__(self, name: str) -> None:
        super().__init__(f"Another service account has the name {name!r}.")


class LastAdministrator(DomainError):
    """The change would leave no active system administrator."""

    slug = "last-administrator"
    title = "The last administrator stays"

    def __init__(self) -> None:
        super().__init__("This user is the only active system administrator; make another user one first.")


class RestorePeriodOver(DomainError):
    """The user was deleted too long ago to be reactivated; `days` is how long it is possible."""

    slug = "restore-period-over"
    title = "The account cannot be restored any more"

    def __init__(self, *, days: int) -> None:
        super().__init__(f"A deleted account can be restored for {days} days, and these are over.", days=days)


class PasswordUsedBefore(InvalidInput):
    """The new password is one that the user has or had before, and the installation requires another one."""

    slug = "password-used-before"
    title = "Choose a password that you have not used here before"

    def __init__(self) -> None:
        super().__init__("You have used this password here before; choose another one.")


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
    """Who was not invited, or whose address is of another domain, cannot register in this installation."""

    slug = "registration-closed"
    title = "Registration is closed"

    def __init__(self, *, domains: Iterable[str] = ()) -> None:
        """`domains` are those whose addresses may register; empty: only invited people may."""
        if domains:
            super().__init__(f"Only addresses of {', '.join(sorted(domains))} can register here.")
        else:
            super().__init__(
                "Only people who were invited have an account here; ask an administrator for an invitation."
            )
