"""Why a log-in by a provider fails: a closed set, with what the page says about each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Reason(StrEnum):
    """The reason codes in events of failed log-ins."""

    EXPIRED = "expired"
    ISSUER_MISMATCH = "issuer_mismatch"
    DENIED = "denied"
    PROVIDER_ERROR = "provider_error"
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    CODE_REFUSED = "code_refused"
    TOKEN_INVALID = "token_invalid"  # noqa: S105 (a code)
    NO_EMAIL = "no_email"
    EMAIL_NOT_VERIFIED = "email_not_verified"
    DOMAIN_NOT_ALLOWED = "domain_not_allowed"
    NO_NAME = "no_name"
    ACCOUNT_UNCONFIRMED = "account_unconfirmed"
    ACCOUNT_DEACTIVATED = "account_deactivated"
    OTHER_IDENTITY = "other_identity"
    REGISTRATION_CLOSED = "registration_closed"


class ProviderTokenInvalid(Exception):
    """A token of a provider is not valid; the message says why, for the log, without contents of the token."""


class SignOnRefused(Exception):
    """A log-in by a provider is refused, before anything was written."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Refused:
    """A failed log-in, which is recorded."""

    reason: Reason


_AGAIN = "Please start again."
TEXTS: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.EXPIRED: f"This log-in has expired, or was started in another browser or window. {_AGAIN}",
        Reason.ISSUER_MISMATCH: "The response comes from another identity provider than the one that was asked, so it was "
        f"not used. {_AGAIN}",
        Reason.DENIED: "The log-in was cancelled at the identity provider, or the provider does not allow it for you. "
        "Nothing was changed.",
        Reason.PROVIDER_ERROR: f"The identity provider reported an error. {_AGAIN} If it happens again, inform an "
        "administrator.",
        Reason.PROVIDER_UNAVAILABLE: "The identity provider does not respond at the moment. Please try again in a minute.",
        Reason.CODE_REFUSED: f"The identity provider did not accept this log-in; it was probably used before. {_AGAIN}",
        Reason.TOKEN_INVALID: "The identity provider's response could not be verified, so it was not used. If it happens "
        "again, inform an administrator.",
        Reason.NO_EMAIL: "The identity provider did not send your e-mail address, which an account here needs. Add an "
        "address to your account there and allow this application to read it, or ask an administrator.",
        Reason.EMAIL_NOT_VERIFIED: "The identity provider has not confirmed your e-mail address. Confirm the address of your "
        "account there, then log in again.",
        Reason.DOMAIN_NOT_ALLOWED: "Accounts with this e-mail address may not log in here by this provider. Use another "
        "account, or ask an administrator.",
        Reason.NO_NAME: "The identity provider did not send your name, which an account here needs. Add your name to your "
        "account there, then log in again.",
        Reason.ACCOUNT_UNCONFIRMED: "There is an account here with your e-mail address, but the address is not confirmed. "
        "Confirm it first: open the link in the mail that you received, or set a new password with “Forgotten password?”. "
        "Then log in again. An administrator can help too.",
        Reason.ACCOUNT_DEACTIVATED: "Your account here is deactivated. Ask an administrator.",
        Reason.OTHER_IDENTITY: "The account here with your e-mail address belongs to another account at this identity "
        "provider. Ask an administrator.",
        Reason.REGISTRATION_CLOSED: "You have no account here yet, and only administrators create accounts. Ask an "
        "administrator for one.",
    }
)
assert TEXTS.keys() == set(Reason)
