"""Sends mails to an SMTP server over a small pool of open connections."""

from __future__ import annotations

import asyncio
import os
import re
import ssl
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from aiosmtplib import (
    SMTP,
    SMTPConnectError,
    SMTPDataError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPTimeoutError,
)

from api.kernel.mail import MailRefused, MailUnavailable, as_envelope
from settings.mail import Security
from settings.subject import PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from api.kernel.mail import Envelope, Mail
    from settings.mail import MailSettings

IDLE_S = 30.0
QUIT_S = 0.5
# longest duration of a check, and how long its result is kept
CHECK_S = 4.0
CHECK_KEPT_S = 30.0
_TOO_LARGE = 552
# the server misses a log-in or another command: the fault of the session, not of the mail
_OF_THE_SESSION = frozenset({503, 530, 534, 535, 538})
# what a response may contain in a message: plain words and codes such as 5.7.1; not addresses, links and tokens
_WORD = re.compile(r"[A-Za-z'-]{1,20}|[0-9]{1,3}(\.[0-9]{1,3}){2}")
_SHOWN_MAX = 200


class SmtpMail:
    """Sends mails to the SMTP server of the settings.

    At most `connections_max` connections are open. A connection is used again for the next mail, and closed after 30 s
    without one. The server must offer the encryption of the settings, and its certificate must be valid.
    """

    def __init__(
        self,
        settings: MailSettings,
        *,
        tls_context: ssl.SSLContext | None = None,
        idle_s: float = IDLE_S,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """No connection is opened before the first mail. `tls_context`: by default, the system's certificates."""
        assert settings.host is not None, "without a server, mails are written to a folder"
        self._settings = settings
        self._server = f"{settings.host}:{settings.port}"
        self._tls_context = tls_context
        self._idle_s = idle_s
        self._slots = asyncio.Semaphore(settings.connections_max)
        self._idle: dict[SMTP, asyncio.TimerHandle] = {}  # the one that was used last is the last
        self._quitting: set[asyncio.Task[None]] = set()
        self._is_closed = False
        self._checking = asyncio.Lock()
        self._clock_s = clock_s
        self._checked_s = -float("inf")
        self._failure: str | None = None

    async def send(self, mail: Mail) -> str:
        """Send a mail, and return the server's response.

        Raises:
            MailRefused: the server refuses the recipient or the mail for good, or the mail is invalid.
            MailUnavailable: the server cannot be reached, refuses the connection, the log-in or the sender, or refuses
                the mail for now.
        """
        envelope = as_envelope(mail, self._settings.sender)
        async with self._slots:
            client = await self._begin(envelope)
            try:
                return await self._finish(client, envelope)
            finally:
                self._release(client)

    async def check(self) -> None:
        """Connect and log in, as for a mail. The result is kept for 30 s, since servers count connections.

        Raises:
            MailUnavailable: no mail can be sent now.
        """
        async with self._checking:
            if self._clock_s() >= self._checked_s + CHECK_KEPT_S:
                self._failure = await self._find_failure()
                self._checked_s = self._clock_s()
            if self._failure is not None:
                raise MailUnavailable(self._failure)

    async def _find_failure(self) -> str | None:
        if self._slots.locked():  # mails are being sent over all connections
            return None
        try:
            async with asyncio.timeout(CHECK_S):
                self._release(await self._connect())
        except TimeoutError:
            return f"{self._server}: no response within {CHECK_S:g} s"
        except MailUnavailable as error:
            return str(error)
        return None

    async def close(self) -> None:
        """Close the connections that no mail uses; the others are closed when their mail is sent."""
        self._is_closed = True
        for client in list(self._idle):
            self._retire(client)
        await asyncio.gather(*self._quitting)

    async def _begin(self, envelope: Envelope) -> SMTP:
        """A connection on which the server has accepted the sender.

        A pooled connection is replaced by a new one if the server has closed it meanwhile, or accepts no further mail on
        it. Only this first command of a mail is repeated, so no mail is sent twice.
        """
        client = self._take()
        if client is not None:
            with suppress(MailUnavailable):
                with self._closing_on_error(client):
                    await self._start(client, envelope)
                return client
        client = await self._connect()
        with self._closing_on_error(client):
            await self._start(client, envelope)
        return client

    async def _start(self, client: SMTP, envelope: Envelope) -> None:
        options = [f"SIZE={len(envelope.content)}"] if client.supports_extension("size") else []
        if envelope.needs_utf8:
            if not client.supports_extension("smtputf8"):
                msg = f"{self._server} does not accept addresses with letters before the @ that are not ASCII"
                raise MailRefused(msg)
            options.append("SMTPUTF8")
        await client.mail(self._settings.sender.address, options=options)

    async def _finish(self, client: SMTP, envelope: Envelope) -> str:
        """Send the rest of a mail: a failure may leave it delivered, so it is not repeated here."""
        with self._closing_on_error(client):
            try:
                await client.rcpt(envelope.recipient, encoding="utf-8" if envelope.needs_utf8 else "ascii")
                response = await client.data(envelope.content)
            except (SMTPRecipientRefused, SMTPDataError) as error:
                refusal = self._refusal(error)
            else:
                return f"{response.code} {' '.join(response.message.split())}".encode("ascii", "replace").decode()
        await _reset(client)
        raise refusal

    async def _connect(self) -> SMTP:
        """A new connection, encrypted and logged in as the settings say.

        Raises:
            MailUnavailable: it cannot be made. Neither the log-in nor a mail is sent over a connection without the
                required encryption.
        """
        settings = self._settings
        tls_context = await self._tls() if settings.security is not Security.NONE else None
        client = SMTP(
            hostname=settings.host,
            port=settings.port,
            # the domain of the sender: the name of this machine is of no use to recipients
            local_hostname=settings.sender.domain,
            timeout=settings.timeout_s,
            use_tls=settings.security is Security.TLS,
            start_tls=False,  # below, where a server without it is refused
            tls_context=tls_context,
        )
        with self._closing_on_error(client):
            await client.connect()
            await client.ehlo()
            if settings.security is Security.STARTTLS:
                if not client.supports_extension("starttls"):
                    msg = (
                        f"{self._server} does not offer STARTTLS, so nothing was sent; "
                        f"{PREFIX}SMTP_SECURITY=tls encrypts from the start, usually on port 465"
                    )
                    raise MailUnavailable(msg)
                await client.starttls()
                await client.ehlo()
            await self._log_in(client)
        return client

    async def _log_in(self, client: SMTP) -> None:
        settings = self._settings
        if settings.user is None or settings.password is None:
            return
        if not client.supported_auth_methods:
            msg = f"{self._server} offers no log-in by password; expected: no {PREFIX}SMTP_USER, or another port"
            raise MailUnavailable(msg)
        try:
            await client.login(settings.user, settings.password.get_secret_value())
        except SMTPResponseException as error:
            msg = f"{self._server} refuses the log-in of {PREFIX}SMTP_USER: {_shown(error)}"
            raise MailUnavailable(msg) from None

    async def _tls(self) -> ssl.SSLContext:
        if self._tls_context is None:  # reads the certificates of the system, which takes a while
            self._tls_context = await asyncio.to_thread(ssl.create_default_context)
        return self._tls_context

    @contextmanager
    def _closing_on_error(self, client: SMTP) -> Iterator[None]:
        """Close the connection after an error of the block, and translate errors of the client."""
        try:
            yield
        except SMTPResponseException as error:
            client.close()
            raise self._refusal(error) from None
        except (SMTPException, OSError) as error:
            client.close()
            raise self._lost(error) from None
        except BaseException:
            client.close()
            raise

    def _refusal(self, error: SMTPResponseException) -> MailRefused | MailUnavailable:
        """The error for a response with a code of 400 or more."""
        msg = f"{self._server}: {_shown(error)}"
        is_of_the_mail = isinstance(error, SMTPRecipientRefused | SMTPDataError) or error.code == _TOO_LARGE
        is_final = is_of_the_mail and error.code >= 500 and error.code not in _OF_THE_SESSION
        return MailRefused(msg) if is_final else MailUnavailable(msg)

    def _lost(self, error: SMTPException | OSError) -> MailUnavailable:
        """The error for a connection that was not made, or broke."""
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, ssl.SSLError):
            cause = cause.__cause__
        if isinstance(cause, ssl.SSLCertVerificationError):
            reason = f"the certificate of the server is not valid: {cause.verify_message}"
        elif isinstance(cause, ssl.SSLError):
            reason = f"no encrypted connection ({cause.reason}); does {PREFIX}SMTP_SECURITY fit the port?"
        elif isinstance(error, SMTPTimeoutError | TimeoutError):
            reason = f"no response within {self._settings.timeout_s} s"
        elif isinstance(error, SMTPConnectError) and isinstance(error.__cause__, OSError):
            reason = _reason(error.__cause__)
        else:
            reason = "the connection was lost"
        return MailUnavailable(f"{self._server}: {reason}")

    def _take(self) -> SMTP | None:
        while self._idle:
            client, timer = self._idle.popitem()
            timer.cancel()
            if client.is_connected:
                return client
        return None

    def _release(self, client: SMTP) -> None:
        if not client.is_connected:
            return
        self._idle[client] = asyncio.get_running_loop().call_later(self._idle_s, self._retire, client)
        if self._is_closed:
            self._retire(client)

    def _retire(self, client: SMTP) -> None:
        """Close a connection of the pool as SMTP demands, in the background."""
        self._idle.pop(client).cancel()
        task = asyncio.get_running_loop().create_task(_quit(client), name="smtp-quit")
        self._quitting.add(task)
        task.add_done_callback(self._quitting.discard)


def _reason(error: OSError) -> str:
    """Why there is no connection: "Connection refused". Numbers of name resolution are negative."""
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or "cannot be reached"


async def _reset(client: SMTP) -> None:
    """End a refused mail, so that the connection can be used for the next one; close the connection if that fails."""
    try:
        await client.rset()
    except (SMTPException, OSError):
        client.close()
    except BaseException:
        client.close()
        raise


async def _quit(client: SMTP) -> None:
    with suppress(SMTPException, OSError):
        await client.quit(timeout=QUIT_S)
    client.close()


def _shown(error: SMTPResponseException) -> str:
    """Code and text of a response, without what may be an address, a link or a token."""
    words = (word if _WORD.fullmatch(word.strip(".,:;()")) else "[...]" for word in error.message.split())
    return f"{error.code} {' '.join(words)}"[:_SHOWN_MAX]
