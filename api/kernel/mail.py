"""Mail: the message, the port that sends it, and the port that writes it to a folder.

`make_mail` chooses the port by the settings; :mod:`api.kernel.smtp` has the other one. Mails contain links that log in or
change passwords, so no part of one appears in a log, a representation or the message of an error.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8, EmailPolicy
from typing import TYPE_CHECKING, Protocol

from email_validator import EmailNotValidError, validate_email

from api.kernel.ids import uuid7
from settings.files import replace_file
from settings.mail import Language, Sender

if TYPE_CHECKING:
    from email.policy import Policy
    from pathlib import Path

    from settings import Settings

FOLDER = "mails"
_AUTOMATIC = {"Auto-Submitted": "auto-generated"}
# what the message sets itself
_RESERVED = frozenset({"from", "to", "cc", "bcc", "sender", "subject", "date", "message-id", "mime-version"})


class MailError(Exception):
    """A mail was not sent."""


class MailRefused(MailError):
    """The mail can never be sent: its recipient or its content is refused for good."""


class MailUnavailable(MailError):
    """The mail was not sent, and a later attempt may succeed."""


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A mail to one recipient.

    Attributes:
        to: the recipient's address; its domain may be in Unicode.
        subject: one line.
        text: the body as plain text.
        html: the same body as HTML.
        language: the language of both.
        key: what the mail is about, such as the id of the job that sends it. Mails with the same key have the same
            Message-ID, by which a repetition is recognised. None: a new one for each message.
        headers: further headers, such as List-Unsubscribe.
    """

    to: str = field(repr=False)
    subject: str = field(repr=False)
    text: str = field(repr=False)
    html: str = field(repr=False)
    language: Language
    key: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Envelope:
    """A mail in the form in which it is sent."""

    recipient: str = field(repr=False)
    content: bytes = field(repr=False)

    @property
    def needs_utf8(self) -> bool:
        """Whether the part of the address before the @ is not ASCII, so that the server must support SMTPUTF8."""
        return not self.recipient.isascii()


class MailPort(Protocol):
    """Sends mails. Implementations may be used by several tasks at once."""

    async def send(self, mail: Mail) -> str:
        """Send a mail, and return where it is now: the path of its file, or the server's response.

        Raises:
            MailRefused: it can never be sent.
            MailUnavailable: it was not sent now. It may have been delivered if the connection was lost at the end.
        """

    async def check(self) -> None:
        """Ask the server whether it works; without a server nothing can fail.

        Raises:
            MailUnavailable: no mail can be sent now.
        """

    async def close(self) -> None:
        """Close connections. Raises no error."""


def make_mail(settings: Settings) -> MailPort:
    """The port that the settings choose: an SMTP server, or a folder in the data folder. No connection is opened."""
    if settings.mail.host is None:
        return FolderMail(settings.paths.data_dir / FOLDER, settings.mail.sender)
    from api.kernel.smtp import SmtpMail  # the client takes 0.1 s to import

    return SmtpMail(settings.mail)


class FolderMail:
    """Writes each mail as a file `<time in UTC>-<random>.eml`, which only its owner can read."""

    def __init__(self, folder: Path, sender: Sender) -> None:
        """The folder is created when the first mail is sent."""
        self._folder = folder
        self._sender = sender

    async def send(self, mail: Mail) -> str:
        """Write a mail, and return the path of its file.

        Raises:
            MailRefused: the address or a header is invalid.
            MailUnavailable: the file cannot be written.
        """
        # unencoded, so that people can copy the link from the file
        envelope = as_envelope(mail, self._sender, encoding="8bit")
        path = self._folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{secrets.token_hex(4)}.eml"
        try:
            await asyncio.to_thread(self._write, path, envelope.content)
        except OSError as error:
            msg = f"{path}: {error.strerror}"
            raise MailUnavailable(msg) from error
        return str(path)

    async def check(self) -> None:
        """There is no server."""

    async def close(self) -> None:
        """Nothing is open."""

    def _write(self, path: Path, content: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(path, content, mode=0o600)


def as_envelope(mail: Mail, sender: Sender, *, encoding: str = "quoted-printable") -> Envelope:
    """A mail in the form in which it is sent, with `encoding` as the transfer encoding of its parts.

    Raises:
        MailRefused: the recipient is not an address, or a header has a control character or an invalid name.
    """
    try:
        # not the address itself: its message would contain it
        found = validate_email(mail.to, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        msg = "the recipient is not an e-mail address"
        raise MailRefused(msg) from None
    try:
        message = _message(mail, sender, Address(username=found.local_part, domain=found.ascii_domain or found.domain))
        message.set_content(mail.text, cte=encoding)
        message.add_alternative(mail.html, subtype="html", cte=encoding)
        message["Content-Language"] = mail.language.value
        return Envelope(f"{found.local_part}@{found.ascii_domain}", message.as_bytes())
    except ValueError as error:
        msg = f"the mail is not valid: {type(error).__name__} in its headers or text"
        raise MailRefused(msg) from None


def _message(mail: Mail, sender: Sender, to: Address) -> EmailMessage:
    for value in (mail.subject, *mail.headers.values()):
        if any(unicodedata.category(character) == "Cc" for character in value):
            msg = "a header has a control character"
            raise ValueError(msg)
    message = EmailMessage(policy=_policy(needs_utf8=not to.username.isascii()))
    message["From"] = Address(sender.name, addr_spec=sender.address)
    message["To"] = to
    message["Subject"] = mail.subject
    message["Date"] = datetime.now(UTC)
    message["Message-ID"] = f"<{_identifier(mail)}@{sender.domain}>"
    for name, value in (_AUTOMATIC | dict(mail.headers)).items():
        if name.lower() in _RESERVED or not name.replace("-", "").isalnum() or not name.isascii():
            msg = f"{name!r} is not the name of a further header"
            raise ValueError(msg)
        message[name] = value
    return message


def _identifier(mail: Mail) -> str:
    """The part of the Message-ID before the @. A key is hashed, since recipients do not need to know it."""
    return uuid7().hex if mail.key is None else hashlib.sha256(mail.key.encode()).hexdigest()[:32]


class _UriHeader(UnstructuredHeader, BaseHeader):
    """A header with URIs, which are never encoded or broken: mail programs would not recognise them."""

    def fold(self, *, policy: Policy) -> str:
        str(self).encode("ascii")
        return f"{self.name}: {self}{policy.linesep}"


def _policy(*, needs_utf8: bool) -> EmailPolicy[EmailMessage]:
    registry = HeaderRegistry()
    registry.map_to_type("list-unsubscribe", _UriHeader)
    return (SMTPUTF8 if needs_utf8 else SMTP).clone(header_factory=registry)
