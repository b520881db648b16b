"""Mails to a real SMTP server: the pool of connections, and refusals."""

from __future__ import annotations

import asyncio
import traceback
from typing import TYPE_CHECKING

import pytest

from api.container import make_container
from api.kernel.mail import MailRefused, MailUnavailable
from tests.factories.certificates import make_certificate
from tests.factories.mail_servers import LINK, PASSWORD, TOKEN, USER, eventually, mail, mail_server, port_to

if TYPE_CHECKING:
    from pathlib import Path

    from settings import Settings


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("mail") / "server.pem")


class TestDelivery:
    async def test_a_mail_arrives_with_its_link_and_headers(self, certificate: Path) -> None:
        async with mail_server(certificate) as server, port_to(server, certificate) as port:
            assert server.connections == 0
            assert await port.send(mail(key="job 7")) == "250 2.0.0 queued as 4A3B"
            (received,) = server.received
        assert (received.sender, received.recipients) == ("no-reply@ideamint.example", ["anna@example.org"])
        parts = [part.get_content() for part in received.message.iter_parts()]
        assert [part.count(LINK) for part in parts] == [1, 1]
        assert received.message["Auto-Submitted"] == "auto-generated"

    async def test_the_domain_is_sent_in_ascii(self, certificate: Path) -> None:
        async with mail_server(certificate) as server, port_to(server, certificate) as port:
            await port.send(mail("anna@müller.example"))
            assert server.received[0].recipients == ["anna@xn--mller-kva.example"]

    async def test_a_local_part_that_is_not_ascii_needs_a_server_that_accepts_it(self) -> None:
        async with mail_server() as server, port_to(server) as port:
            await port.send(mail("jörg@müller.example"))
            assert server.received[0].recipients == ["jörg@xn--mller-kva.example"]
            assert server.received[0].message["To"] == "jörg@xn--mller-kva.example"
        async with mail_server(options={"enable_SMTPUTF8": False}) as server, port_to(server) as port:
            with pytest.raises(MailRefused, match="does not accept addresses with letters before the @"):
                await port.send(mail("jörg@example.org"))
            await port.send(mail())
            assert len(server.received) == 1


class TestPool:
    async def test_a_connection_is_used_again(self, certificate: Path) -> None:
        async with mail_server(certificate, log_in=True) as server:
            async with port_to(server, certificate, smtp_user=USER, smtp_password=PASSWORD) as port:
                for _ in range(5):
                    await port.send(mail())
                assert (len(server.received), server.connections, len(server.log_ins)) == (5, 1, 1)
            await eventually(lambda: not server.open)
            assert server.quits == 1

    async def test_is_bounded(self) -> None:
        async with mail_server() as server, port_to(server, smtp_connections_max=3) as port:
            server.gate.clear()
            sending = [asyncio.create_task(port.send(mail())) for _ in range(20)]
            await eventually(lambda: server.waiting == 3)
            server.gate.set()
            await asyncio.gather(*sending)
            assert (len(server.received), server.connections, server.open_max) == (20, 3, 3)

    async def test_a_restarted_server_is_not_noticed(self, certificate: Path) -> None:
        async with mail_server(certificate) as server, port_to(server, certificate) as port:
            await port.send(mail())
            await server.stop()
            await server.start()
            await port.send(mail())
            assert (len(server.received), server.connections) == (2, 2)

    async def test_a_server_that_limits_the_mails_of_a_connection_gets_a_new_one(self) -> None:
        async with mail_server(mails_per_connection_max=2) as server, port_to(server) as port:
            for _ in range(5):
                await port.send(mail())
            assert (len(server.received), server.connections) == (5, 3)

    async def test_a_connection_on_which_the_server_is_silent_is_replaced(self) -> None:
        async with mail_server() as server, port_to(server, smtp_timeout_s=3) as port:
            await port.send(mail())
            server.silent = set(server.open)
            await port.send(mail())
            assert (len(server.received), server.connections) == (2, 2)

    async def test_an_idle_connection_is_closed(self) -> None:
        async with mail_server() as server, port_to(server, idle_s=0.05) as port:
            await port.send(mail())
            await eventually(lambda: server.quits == 1 and not server.open)
            await port.send(mail())
            assert (len(server.received), server.connections) == (2, 2)

    async def test_a_cancelled_mail_frees_its_place_and_its_connection_is_not_used_again(self) -> None:
        async with mail_server() as server, port_to(server, smtp_connections_max=1) as port:
            server.gate.clear()
            sending = asyncio.create_task(port.send(mail()))
            await eventually(lambda: server.waiting)
            sending.cancel()
            await asyncio.wait([sending])
            server.gate.set()
            await port.send(mail("bert@example.org"))
            assert server.received[-1].recipients == ["bert@example.org"]
            assert server.connections == 2

    async def test_a_mail_under_way_when_the_port_closes_leaves_no_connection(self) -> None:
        async with mail_server() as server:
            async with port_to(server) as port:
                server.gate.clear()
                sending = asyncio.create_task(port.send(mail()))
                await eventually(lambda: server.waiting)
            server.gate.set()
            await sending
            await eventually(lambda: not server.open)


class TestRefusals:
    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            ("550 5.1.1 <anna@example.org>: unknown user", MailRefused),
            ("553 5.1.3 bad address", MailRefused),
            ("530 5.7.0 authentication required", MailUnavailable),
            ("450 4.2.1 mailbox busy", MailUnavailable),
            ("452 4.2.2 mailbox full", MailUnavailable),
        ],
    )
    async def test_of_a_recipient_leave_the_connection_usable(self, answer: str, error: type[Exception]) -> None:
        async with mail_server(answers={"anna@example.org": answer}) as server, port_to(server) as port:
            with pytest.raises(error) as refused:
                await port.send(mail())
            assert answer[:9] in str(refused.value)
            assert "anna" not in str(refused.value)
            await port.send(mail("bert@example.org"))
            assert (len(server.received), server.connections) == (1, 1)

    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            (f"554 5.7.1 blocked: {LINK} and {TOKEN}", MailRefused),
            ("552 5.3.4 too large", MailRefused),
            (f"451 4.7.1 greylisted {TOKEN}", MailUnavailable),
        ],
    )
    async def test_of_the_content_do_not_repeat_it(self, answer: str, error: type[Exception]) -> None:
        async with mail_server(data_answer=answer) as server, port_to(server) as port:
            with pytest.raises(error) as refused:
                await port.send(mail())
        assert answer[:9] in str(refused.value)
        assert TOKEN not in "".join(traceback.format_exception(refused.value))

    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            ("550 5.7.60 not your address", MailUnavailable),
            ("552 5.3.4 too large", MailRefused),
            ("451 4.3.0 later", MailUnavailable),
        ],
    )
    async def test_of_the_sender(self, answer: str, error: type[Exception]) -> None:
        async with mail_server(sender_answer=answer) as server, port_to(server) as port:
            with pytest.raises(error, match=answer[:3]):
                await port.send(mail())

    async def test_a_server_that_is_away_is_unavailable(self) -> None:
        async with mail_server() as server:
            pass
        async with port_to(server) as port:
            with pytest.raises(MailUnavailable, match=f"localhost:{server.port}: "):
                await port.send(mail())

    async def test_a_server_that_hangs_is_not_waited_for(self) -> None:
        async with mail_server() as server, port_to(server, smtp_timeout_s=1) as port:
            server.gate.clear()
            with pytest.raises(MailUnavailable, match="no response within 1 s"):
                await port.send(mail())
            server.gate.set()

    async def test_a_connection_lost_during_the_mail_is_unavailable_and_the_mail_is_not_repeated(self) -> None:
        async with mail_server() as server, port_to(server) as port:
            server.gate.clear()
            sending = asyncio.create_task(port.send(mail()))
            await eventually(lambda: server.waiting)
            await server.stop()
            with pytest.raises(MailUnavailable, match="the connection was lost"):
                await sending
            server.gate.set()
            await server.start()
            assert server.connections == 1


class TestContainer:
    async def test_opens_no_connection_before_the_first_mail_and_closes_it(self, database: Settings) -> None:
        async with mail_server() as server:
            settings = database.with_(smtp_host="localhost", smtp_port=server.port, smtp_security="none")
            container = make_container(settings)
            assert server.connections == 0
            await container.mail.send(mail())
            await container.close()
            await eventually(lambda: not server.open)
            assert server.quits == 1
