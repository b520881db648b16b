"""Encryption and log-in of connections to a real SMTP server, and secrets in logs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from api.kernel.mail import MailRefused, MailUnavailable
from api.kernel.smtp import SmtpMail
from settings import Settings
from tests.factories.certificates import make_certificate
from tests.factories.mail_servers import LINK, PASSWORD, TOKEN, USER, eventually, mail, mail_server, port_to

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("mail") / "server.pem")


class TestEncryption:
    async def test_a_server_without_starttls_gets_neither_log_in_nor_mail(self, certificate: Path) -> None:
        async with (
            mail_server(log_in=True) as server,
            port_to(server, certificate, smtp_user=USER, smtp_password=PASSWORD) as port,
        ):
            with pytest.raises(MailUnavailable, match="does not offer STARTTLS, so nothing was sent"):
                await port.send(mail())
            assert (server.log_ins, server.received) == ([], [])

    async def test_a_certificate_of_an_unknown_authority_is_refused(self, certificate: Path, tmp_path: Path) -> None:
        other = make_certificate(tmp_path / "other.pem")
        async with (
            mail_server(certificate, log_in=True) as server,
            port_to(server, other, smtp_user=USER, smtp_password=PASSWORD) as port,
        ):
            with pytest.raises(MailUnavailable, match="the certificate of the server is not valid: "):
                await port.send(mail())
            assert server.log_ins == []

    async def test_a_certificate_for_another_name_is_refused(self, tmp_path: Path) -> None:
        other = make_certificate(tmp_path / "other.pem", host="mail.example.com")
        async with mail_server(other) as server, port_to(server, other) as port:
            with pytest.raises(MailUnavailable, match="Hostname mismatch"):
                await port.send(mail())

    async def test_the_systems_certificates_are_used_by_default(self, certificate: Path) -> None:
        async with mail_server(certificate) as server:
            port = SmtpMail(Settings.of(smtp_host="localhost", smtp_port=server.port).mail)
            with pytest.raises(MailUnavailable, match="self-signed certificate"):
                await port.send(mail())
            await port.close()

    async def test_tls_from_the_start(self, certificate: Path) -> None:
        async with (
            mail_server(certificate, log_in=True, is_tls_from_the_start=True) as server,
            port_to(server, certificate, smtp_security="tls", smtp_user=USER, smtp_password=PASSWORD) as port,
        ):
            await port.send(mail())
            assert len(server.received) == 1

    async def test_tls_to_a_port_without_it_says_what_to_check(self, certificate: Path) -> None:
        async with mail_server() as server, port_to(server, certificate, smtp_security="tls") as port:
            with pytest.raises(MailUnavailable, match="does IDEAMINT_SMTP_SECURITY fit the port"):
                await port.send(mail())


class TestLogIn:
    async def test_a_wrong_password_is_unavailable_since_the_settings_can_be_corrected(self, certificate: Path) -> None:
        async with (
            mail_server(certificate, log_in=True) as server,
            port_to(server, certificate, smtp_user=USER, smtp_password="wrong") as port,
        ):
            with pytest.raises(MailUnavailable, match="refuses the log-in of IDEAMINT_SMTP_USER: 535") as refused:
                await port.send(mail())
            assert "wrong" not in str(refused.value)
            assert server.received == []
            await eventually(lambda: not server.open)

    async def test_a_server_without_log_in_is_reported(self, certificate: Path) -> None:
        async with (
            mail_server(certificate, options={"auth_exclude_mechanism": ["PLAIN", "LOGIN"]}) as server,
            port_to(server, certificate, smtp_user=USER, smtp_password=PASSWORD) as port,
        ):
            with pytest.raises(MailUnavailable, match="offers no log-in by password"):
                await port.send(mail())


class TestLogs:
    async def test_contain_nothing_of_a_mail_or_a_log_in(
        self, certificate: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        for name in ("mail.log", "mail.debug"):  # of aiosmtpd, which is the server of this test
            logging.getLogger(name).setLevel(logging.CRITICAL)
        caplog.set_level(logging.DEBUG)
        async with mail_server(certificate, log_in=True) as server:
            async with port_to(server, certificate, smtp_user=USER, smtp_password=PASSWORD) as port:
                await port.send(mail())
                server.data_answer = f"554 5.7.1 {LINK}"
                with pytest.raises(MailRefused):
                    await port.send(mail())
            async with port_to(server, certificate, smtp_user=USER, smtp_password="hunter2") as port:
                with pytest.raises(MailUnavailable):
                    await port.send(mail())
        logged = caplog.text + repr(mail()) + repr(port.__dict__)
        for secret in (TOKEN, PASSWORD, "hunter2", "anna@example.org"):
            assert secret not in logged
