"""Settings of mail: the sender, and the SMTP server that delivers."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from email.headerregistry import Address
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, SecretStr, ValidationInfo, field_validator, model_validator

from settings.subject import PREFIX, Subject

# a domain that RFC 2606 reserves: mails to it are never delivered
_PLACEHOLDER = "no-reply@ideamint.example"
_NOTATION = re.compile(r"\s*(.*?)\s*<([^<>]*)>\s*", re.DOTALL)
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|[0-9A-Fa-f:.]+")


class Language(StrEnum):
    """A language in which mails are written."""

    ENGLISH = "en"
    POLISH = "pl"


class Security(StrEnum):
    """How the connection to the SMTP server is encrypted. Both kinds of TLS are required, and certificates verified."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


PORTS = {Security.STARTTLS: 587, Security.TLS: 465, Security.NONE: 25}


@dataclass(frozen=True)
class Sender:
    """The name and address of the sender; the domain is in its ASCII form."""

    name: str
    address: str

    @property
    def domain(self) -> str:
        """The part of the address after the @."""
        return self.address.rpartition("@")[2]

    def __str__(self) -> str:
        """The notation of settings: `Name <address>`."""
        return str(Address(self.name, addr_spec=self.address))


def _read_sender(value: Any) -> Any:
    """A sender from `Name <address>`, where the name may be in quotes, or from an address.

    Raises:
        ValueError: the text is neither.
    """
    if not isinstance(value, str):
        return value
    from email_validator import EmailNotValidError, validate_email  # every process imports the settings

    notation = _NOTATION.fullmatch(value)
    name, address = notation.groups() if notation else ("", value)
    if name.startswith('"') and name.endswith('"') and len(name) > 1:
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    if not name.isprintable():
        msg = "the name must be one line of printable characters"
        raise ValueError(msg)
    try:
        found = validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError(str(error)) from None
    if found.ascii_email is None:
        msg = "the part before the @ must be ASCII"
        raise ValueError(msg)
    return Sender(name, found.ascii_email)


class MailSettings(Subject):
    """The sender, the language, and the SMTP server. Without a server, mails are files in the data folder."""

    sender: Annotated[Sender, BeforeValidator(_read_sender)] = Field(
        Sender("Ideamint", _PLACEHOLDER),
        alias="mail_sender",
        description="name and address that mails are sent from: Ideas <ideas@example.org>",
    )
    language: Language = Field(
        Language.ENGLISH, alias="mail_language", description="language of mails to people without a choice: en or pl"
    )
    host: str | None = Field(
        None,
        alias="smtp_host",
        description="name or address of the SMTP server that delivers mails; empty: mails are written to the folder "
        "mails under the data folder",
    )
    port: int = Field(
        PORTS[Security.STARTTLS],
        alias="smtp_port",
        ge=1,
        le=65535,
        description="port of the SMTP server; by default 587, with the security tls 465, with none 25",
    )
    user: str | None = Field(None, alias="smtp_user", description="user of the SMTP server; empty: no log-in")
    password: SecretStr | None = Field(
        None, alias="smtp_password", repr=False, description="password of the user of the SMTP server"
    )
    security: Security = Field(
        Security.STARTTLS,
        alias="smtp_security",
        description="starttls, tls (from the first byte), or none (a log-in then only to this machine)",
    )
    timeout_s: int = Field(
        10, alias="smtp_timeout_s", ge=1, le=300, description="longest wait for the SMTP server, seconds"
    )
    connections_max: int = Field(
        2,
        alias="smtp_connections_max",
        ge=1,
        le=100,
        description="connections of one process to the SMTP server at the same time",
    )

    @model_validator(mode="before")
    @classmethod
    def _port_follows_security(cls, values: dict[str, Any]) -> dict[str, Any]:
        port = values.get("smtp_port") or PORTS.get(values.get("smtp_security", Security.STARTTLS))
        return values if port is None else values | {"smtp_port": port}

    @field_validator("host")
    @classmethod
    def _names_a_server(cls, value: str | None, others: ValidationInfo) -> str | None:
        if value is None:
            return None
        if not _HOST.fullmatch(value):
            msg = "not a host name, and not an IP address"
            raise ValueError(msg)
        sender = others.data.get("sender")
        if sender and sender.address == _PLACEHOLDER and not _is_loopback(value):
            msg = f"needs a sender whose mails the server accepts: set {PREFIX}MAIL_SENDER"
            raise ValueError(msg)
        return value

    @field_validator("user")
    @classmethod
    def _needs_a_server(cls, value: str | None, others: ValidationInfo) -> str | None:
        if value and others.data.get("host", "invalid") is None:
            msg = f"given without {PREFIX}SMTP_HOST"
            raise ValueError(msg)
        return value

    @field_validator("password")
    @classmethod
    def _belongs_to_the_user(cls, value: SecretStr | None, others: ValidationInfo) -> SecretStr | None:
        if "user" in others.data and (value is None) != (others.data["user"] is None):
            msg = f"{PREFIX}SMTP_USER and {PREFIX}SMTP_PASSWORD are set both or neither"
            raise ValueError(msg)
        return value

    @field_validator("security")
    @classmethod
    def _protects_the_log_in(cls, value: Security, others: ValidationInfo) -> Security:
        host, user = others.data.get("host"), others.data.get("user")
        if value is Security.NONE and user and host and not _is_loopback(host):
            msg = f"the log-in would be sent to {host} without encryption"
            raise ValueError(msg)
        return value


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
