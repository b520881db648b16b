"""Real SMTP servers on the loopback address, and ports that send to them."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import SMTPUTF8
from typing import TYPE_CHECKING, Any

from aiosmtpd.smtp import SMTP, AuthResult

from api.kernel.mail import Mail
from api.kernel.smtp import SmtpMail
from settings import Settings
from settings.mail import Language
from tests.factories.certificates import trusting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from email.message import EmailMessage
    from pathlib import Path

USER, PASSWORD = "ideas", "seven lanterns over the canal"
TOKEN = "q7ZkP0x-2mVt_8sYc4LwEo9RbN1uGhJd"
LINK = f"https://ideas.example.org/verify?token={TOKEN}"
PATIENT_S = 60


def mail(to: str = "anna@example.org", **changes: Any) -> Mail:
    values = {"subject": "Confirm", "text": f"Open\n{LINK}\n", "html": f'<a href="{LINK}">Open</a>'}
    return Mail(to=to, language=Language.ENGLISH, **(values | changes))


@dataclass(frozen=True)
class Received:
    """A mail as the server received it."""

    sender: str
    recipients: list[str]
    content: bytes

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.content, policy=SMTPUTF8)


@dataclass
class MailServer:
    """What a server did, and how it answers.

    `answers` are responses by recipient, `data_answer` is the one to a mail's content. A mail waits at `gate` before it is
    accepted, and `waiting` is how many have come there. With `mails_per_connection_max` further mails get 421. On connections in `silent`, MAIL is not answered.
    """

    port: int = 0
    received: list[Received] = field(default_factory=list)
    log_ins: list[tuple[str, bool]] = field(default_factory=list)
    connections: int = 0
    open: set[Session] = field(default_factory=set)
    open_max: int = 0
    quits: int = 0
    answers: dict[str, str] = field(default_factory=dict)
    sender_answer: str = "250 OK"
    data_answer: str = "250 2.0.0 queued as 4A3B"
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: int = 0
    mails_per_connection_max: int | None = None
    silent: set[Session] = field(default_factory=set)
    options: dict[str, Any] = field(default_factory=dict)
    is_tls_from_the_start: bool = False
    _listening: asyncio.Server | None = None

    def __post_init__(self) -> None:
        self.gate.set()

    async def start(self) -> None:
        """Listen, on the same port as before."""
        options = dict(self.options)
        tls = options.pop("tls_context", None) if self.is_tls_from_the_start else None
        self._listening = await asyncio.get_running_loop().create_server(
            lambda: Session(self, **options), "127.0.0.1", self.port, ssl=tls
        )
        self.port = self._listening.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the listening socket and every connection, as a process that is killed."""
        assert self._listening is not None
        self._listening.close()
        for session in self.open:
            session.abort()
        self.open.clear()  # a session whose handshake failed does not report its end
        await self._listening.wait_closed()

    def authenticate(self, _: SMTP, __: Any, ___: Any, mechanism: str, credentials: Any) -> AuthResult:
        """Accept one user and password."""
        is_right = (credentials.login, credentials.password) == (USER.encode(), PASSWORD.encode())
        self.log_ins.append((mechanism, is_right))
        return AuthResult(success=is_right, handled=False)

    async def handle_MAIL(self, session: Session, _: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802 - of aiosmtpd
        if session in self.silent:
            await asyncio.Event().wait()
        session.mails += 1
        if self.mails_per_connection_max is not None and session.mails > self.mails_per_connection_max:
            return "421 4.7.0 too many mails"
        if self.sender_answer.startswith("250"):
            envelope.mail_from = address
        return self.sender_answer

    async def handle_RCPT(self, _: Session, __: Any, envelope: Any, address: str, ___: list[str]) -> str:  # noqa: N802
        answer = self.answers.get(address, "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, _: Session, __: Any, envelope: Any) -> str:  # noqa: N802
        self.waiting += 1
        await self.gate.wait()
        if self.data_answer.startswith("250"):
            self.received.append(Received(envelope.mail_from, list(envelope.rcpt_tos), envelope.original_content))
        return self.data_answer

    async def handle_QUIT(self, _: Session, __: Any, ___: Any) -> str:  # noqa: N802
        self.quits += 1
        return "221 Bye"


class Session(SMTP):
    """One connection, which is counted."""

    def __init__(self, server: MailServer, **options: Any) -> None:
        super().__init__(server, hostname="mail.example.org", **options)
        self.mails = 0
        self._counts = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self not in self._counts.open:  # it is made again after STARTTLS
            self._counts.connections += 1
            self._counts.open.add(self)
            self._counts.open_max = max(self._counts.open_max, len(self._counts.open))
        super().connection_made(transport)

    def abort(self) -> None:
        """Close the connection without a word."""
        for transport in (self.transport, self._original_transport):
            if isinstance(transport, asyncio.Transport):
                transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self._counts.open.discard(self)
        super().connection_lost(error)


@asynccontextmanager
async def mail_server(
    certificate: Path | None = None, *, log_in: bool = False, **changes: Any
) -> AsyncIterator[MailServer]:
    """A running server; it offers STARTTLS if it has a certificate, and with `log_in` accepts one."""
    server = MailServer(**changes)
    server.options.setdefault("enable_SMTPUTF8", True)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.options["tls_context"] = context
    if log_in:
        has_starttls = certificate is not None and not server.is_tls_from_the_start
        server.options |= {
            "authenticator": server.authenticate,
            # aiosmtpd knows no other encryption
            "auth_required": has_starttls,
            "auth_require_tls": has_starttls,
        }
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def port_to(
    server: MailServer, certificate: Path | None = None, *, idle_s: float = PATIENT_S, **values: Any
) -> AsyncIterator[SmtpMail]:
    given = {"smtp_timeout_s": PATIENT_S, "smtp_security": "none" if certificate is None else "starttls"}
    settings = Settings.of(smtp_host="localhost", smtp_port=server.port, **(given | values))
    context = trusting(certificate) if certificate else None
    port = SmtpMail(settings.mail, tls_context=context, idle_s=idle_s)
    try:
        yield port
    finally:
        await port.close()


async def eventually(condition: Any) -> None:
    async with asyncio.timeout(PATIENT_S):
        while not condition():  # noqa: ASYNC110 - the other end of a connection changes it
            await asyncio.sleep(0.01)
