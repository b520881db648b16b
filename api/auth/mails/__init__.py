"""Mails about accounts and log-ins. Each class has a template for each language in the folders next to this file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from api.kernel.mail_templates import MailContent


@dataclass(frozen=True, kw_only=True)
class VerifyAddress(MailContent):
    """Sent to the address of a new account."""

    name: str
    link: str
    valid_hours: int


@dataclass(frozen=True, kw_only=True)
class RegistrationRepeated(MailContent):
    """Sent to the owner of an account with whose address somebody tried to register."""

    name: str
    log_in_link: str
    reset_link: str


@dataclass(frozen=True, kw_only=True)
class ResetPassword(MailContent):
    """Sent when a new password is requested."""

    name: str
    link: str
    valid_minutes: int


@dataclass(frozen=True, kw_only=True)
class PasswordChanged(MailContent):
    """Sent after a change of the password."""

    name: str
    at: datetime
    reset_link: str


@dataclass(frozen=True, kw_only=True)
class ConfirmNewAddress(MailContent):
    """Sent to the address that an account is to have."""

    name: str
    new_address: str
    link: str
    valid_hours: int


@dataclass(frozen=True, kw_only=True)
class AddressChanged(MailContent):
    """Sent to the former address of an account. The new address is shown in part only, such as a***@example.org."""

    name: str
    new_address_masked: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class LogInsDelayed(MailContent):
    """Sent when many log-ins to an account have failed."""

    name: str
    at: datetime
    reset_link: str


@dataclass(frozen=True, kw_only=True)
class SessionEndedByReuse(MailContent):
    """Sent when a refresh token was used twice, so that its session was ended."""

    name: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Invited(MailContent):
    """Sent to a person who is invited to register."""

    link: str
    inviter_name: str
    valid_days: int


@dataclass(frozen=True, kw_only=True)
class AccountDeactivated(MailContent):
    """Sent when an account is deactivated."""

    name: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class AccountDeleted(MailContent):
    """Sent when an account is deleted, which can be undone for a time."""

    name: str
    at: datetime
    kept_days: int


@dataclass(frozen=True, kw_only=True)
class LogInCode(MailContent):
    """Sent when a log-in with the right password needs a second step, because many others have failed."""

    name: str
    at: datetime
    code: str
    valid_minutes: int


@dataclass(frozen=True, kw_only=True)
class FactorsChanged(MailContent):
    """Sent when a second factor of an account was added or removed by its owner."""

    name: str
    at: datetime
    security_link: str


@dataclass(frozen=True, kw_only=True)
class IdentityLinked(MailContent):
    """Sent when an identity at a provider was linked to an account that has a password."""

    name: str
    at: datetime
    security_link: str


@dataclass(frozen=True, kw_only=True)
class FactorReset(MailContent):
    """Sent when the second factor of an account was removed."""

    name: str
    at: datetime


_NAME, _AT = "Nadia Brathwaite", datetime(2026, 11, 26, 20, 14, tzinfo=UTC)
_TOKEN = "pN3v8sYc4LwEo9RbN1uGhJdq7ZkP0x2mVt5fKaX6iQe"  # noqa: S105 - of no account
_LINK = f"https://ideas.example.org/confirm?token={_TOKEN}"
_RESET_LINK = "https://ideas.example.org/reset-password"

EXAMPLES: tuple[MailContent, ...] = (
    VerifyAddress(name=_NAME, link=_LINK, valid_hours=24),
    RegistrationRepeated(name=_NAME, log_in_link="https://ideas.example.org/log-in", reset_link=_RESET_LINK),
    ResetPassword(name=_NAME, link=f"https://ideas.example.org/new-password?token={_TOKEN}", valid_minutes=45),
    PasswordChanged(name=_NAME, at=_AT, reset_link=_RESET_LINK),
    ConfirmNewAddress(name=_NAME, new_address="nadia.brathwaite@marlowick.example", link=_LINK, valid_hours=24),
    AddressChanged(name=_NAME, new_address_masked="n***@marlowick.example", at=_AT),
    LogInsDelayed(name=_NAME, at=_AT, reset_link=_RESET_LINK),
    SessionEndedByReuse(name=_NAME, at=_AT),
    Invited(link=f"https://ideas.example.org/invitation?token={_TOKEN}", inviter_name=_NAME, valid_days=7),
    AccountDeactivated(name=_NAME, at=_AT),
    AccountDeleted(name=_NAME, at=_AT, kept_days=20),
    LogInCode(name=_NAME, at=_AT, code="40718263", valid_minutes=15),
    FactorsChanged(name=_NAME, at=_AT, security_link="https://ideas.example.org/account"),
    IdentityLinked(name=_NAME, at=_AT, security_link="https://ideas.example.org/account"),
    FactorReset(name=_NAME, at=_AT),
)
