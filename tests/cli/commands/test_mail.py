"""Previews of mails, and the test of the mail settings."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from api.auth.mails import EXAMPLES as OF_AUTH
from api.campaigns.invitations.mails import EXAMPLES as OF_INVITATIONS
from api.campaigns.join_requests.mails import EXAMPLES as OF_REQUESTS
from api.kernel.mails import EXAMPLES as OF_KERNEL
from settings.mail import Language
from tests.factories.certificates import make_certificate
from tests.factories.mail_servers import PASSWORD, USER, mail_server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.factories.shells import Shell


class TestPreview:
    def test_writes_every_mail_in_every_language(self, ideamint: Shell, tmp_path: Path) -> None:
        done = ideamint("mail", "preview", "--out", str(tmp_path / "out"), "--json")
        assert done.code == 0, done.err
        written = sorted(str(path) for path in (tmp_path / "out").iterdir())
        assert sorted(done.json["files"]) == written
        assert len(written) == len((*OF_AUTH, *OF_INVITATIONS, *OF_REQUESTS, *OF_KERNEL)) * len(Language) * 3
        assert "Hello Nadia Brathwaite," in (tmp_path / "out" / "verify_address.en.txt").read_text()

    def test_writes_one_mail_in_one_language(self, ideamint: Shell, tmp_path: Path) -> None:
        arguments = ("mail", "preview", "password_changed", "--language", "pl", "--time-zone", "Europe/Warsaw")
        done = ideamint(*arguments, "--out", str(tmp_path))
        assert done.code == 0, done.err
        assert {path.name for path in tmp_path.iterdir()} == {
            f"password_changed.pl.{suffix}" for suffix in ("eml", "html", "txt")
        }
        assert "21:14" in (tmp_path / "password_changed.pl.txt").read_text()

    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            (("nothing",), "verify_address, registration_repeated, reset_password"),
            (("invited", "--language", "de"), "'de' is not one of en, pl"),
            (("invited", "--time-zone", "Mars"), "such as Europe/Warsaw"),
        ],
    )
    def test_an_unknown_choice_is_refused_with_the_known_ones(
        self, ideamint: Shell, tmp_path: Path, arguments: tuple[str, ...], expected: str
    ) -> None:
        done = ideamint("mail", "preview", *arguments, "--out", str(tmp_path / "out"))
        assert done.code == 2
        assert expected in " ".join(done.err.split())
        assert not (tmp_path / "out").exists()


class TestTest:
    def test_reports_the_file_without_a_server(self, ideamint: Shell) -> None:
        done = ideamint("mail", "test", "anna@example.org")
        assert done.code == 0, done.err
        (path,) = (ideamint.data_dir / "mails").iterdir()
        assert f"Written to {path}" in done.out
        assert path.stat().st_mode & 0o777 == 0o600

    async def test_sends_over_starttls_with_a_log_in(self, ideamint: Shell, tmp_path: Path) -> None:
        certificate = make_certificate(tmp_path / "server.pem")
        async with mail_server(certificate, log_in=True) as server:
            settings = {
                "IDEAMINT_SMTP_HOST": "localhost",
                "IDEAMINT_SMTP_PORT": str(server.port),
                "IDEAMINT_SMTP_USER": USER,
                "IDEAMINT_SMTP_PASSWORD": PASSWORD,
                "IDEAMINT_MAIL_LANGUAGE": "pl",
                "SSL_CERT_FILE": str(certificate),
            }
            done = await asyncio.to_thread(ideamint, "mail", "test", "anna@example.org", "--json", settings=settings)
            assert done.code == 0, done.err
            assert done.json == {
                "to": "anna@example.org",
                "server": f"localhost:{server.port}",
                "result": "250 2.0.0 queued as 4A3B",
            }
            assert server.received[0].message["Subject"] == "Test ustawień poczty"

            wrong = settings | {"IDEAMINT_SMTP_PASSWORD": "hunter2"}
            done = await asyncio.to_thread(ideamint, "mail", "test", "anna@example.org", settings=wrong)
            assert done.code == 1
            assert "refuses the log-in of IDEAMINT_SMTP_USER: 535" in done.err
            assert "Check IDEAMINT_SMTP_HOST" in done.err
            assert "hunter2" not in done.err + done.out

    def test_an_invalid_address_is_refused(self, ideamint: Shell) -> None:
        done = ideamint("mail", "test", "anna")
        assert (done.code, done.err.strip()) == (1, "the recipient is not an e-mail address")

    def test_invalid_settings_are_refused(self, ideamint: Shell) -> None:
        done = ideamint("mail", "test", "anna@example.org", settings={"IDEAMINT_SMTP_USER": "ideas"})
        assert done.code == 2
        assert "IDEAMINT_SMTP_USER: given without IDEAMINT_SMTP_HOST" in done.err
