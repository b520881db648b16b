"""The form of mails, and mails written to a folder."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.policy import SMTPUTF8
from typing import TYPE_CHECKING, Any

import pytest

from api.kernel.mail import FolderMail, Mail, MailRefused, MailUnavailable, as_envelope, make_mail
from api.kernel.smtp import SmtpMail
from settings import Settings
from settings.mail import Language, Sender

if TYPE_CHECKING:
    from email.message import EmailMessage
    from pathlib import Path

SENDER = Sender("Ideamint", "no-reply@ideamint.example")
HOSTILE = [
    "Anna\r\nBcc: eve@example.org",
    'Anna "Queen" <eve@example.org>, Bert',
    "\u202etseuQ annA",
    "x" * 500,
    "👩‍🚀 Zażółć gęślą jaźń",
]


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def mail(**changes: Any) -> Mail:
    values: dict[str, Any] = {"to": "anna@example.org", "subject": "Hello", "text": "Hello\n", "html": "<p>Hello</p>"}
    return Mail(**({"language": Language.ENGLISH} | values | changes))


def parsed(content: bytes) -> EmailMessage:
    return message_from_bytes(content, policy=SMTPUTF8)


class TestAsEnvelope:
    def test_has_the_headers_of_an_automatic_mail(self) -> None:
        message = parsed(as_envelope(mail(language=Language.POLISH), SENDER).content)
        assert message["From"] == "Ideamint <no-reply@ideamint.example>"
        assert (message["To"], message["Subject"]) == ("anna@example.org", "Hello")
        assert (message["Auto-Submitted"], message["Content-Language"]) == ("auto-generated", "pl")
        assert message["Date"].datetime.tzinfo is not None
        assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]

    def test_the_message_id_is_that_of_the_key(self) -> None:
        ids = [parsed(as_envelope(mail(key=key), SENDER).content)["Message-ID"] for key in ("7", "7", "8", None, None)]
        assert ids[0] == ids[1]
        assert len(set(ids)) == 4
        assert all(re.fullmatch(r"<[0-9a-f]{32}@ideamint\.example>", each) for each in ids)

    @pytest.mark.parametrize("subject", HOSTILE[1:])
    def test_a_subject_arrives_as_it_was_given(self, subject: str) -> None:
        content = as_envelope(mail(subject=subject), SENDER).content
        assert parsed(content)["Subject"] == subject
        assert parsed(content)["Bcc"] is None
        assert max(len(line) for line in content.splitlines()) <= 998

    @pytest.mark.parametrize("break_", ["\n", "\r", "\r\n", "\r\n\r\n", "\u2028", "\x85", "\x0b", "\x00"])
    @pytest.mark.parametrize("field", ["subject", "to"])
    def test_a_line_break_or_control_character_in_a_header_is_refused(self, field: str, break_: str) -> None:
        with pytest.raises(MailRefused) as refused:
            as_envelope(mail(**{field: f"anna@example.org{break_}Bcc: eve@example.org"}), SENDER)
        assert "example.org" not in str(refused.value)

    @pytest.mark.parametrize(
        "to", ["", "anna", "anna@", "anna@example.org, eve@example.org", "Anna <anna@example.org>"]
    )
    def test_a_recipient_is_one_address(self, to: str) -> None:
        with pytest.raises(MailRefused, match="is not an e-mail address"):
            as_envelope(mail(to=to), SENDER)

    @pytest.mark.parametrize("name", ["Pomysły", 'The "Ideas", Inc.', "x" * 500, "👩‍🚀 Anna"])
    def test_the_name_of_the_sender_arrives(self, name: str) -> None:
        message = parsed(as_envelope(mail(), Sender(name, SENDER.address)).content)
        (address,) = message["From"].addresses
        assert (address.display_name, address.addr_spec) == (name, SENDER.address)

    def test_a_link_of_a_header_is_not_encoded(self) -> None:
        link = f"<https://ideas.example.org/unsubscribe?token={'q' * 200}>"
        headers = {"List-Unsubscribe": link, "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
        content = as_envelope(mail(headers=headers), SENDER).content
        assert f"List-Unsubscribe: {link}\r\n".encode() in content
        assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in content

    @pytest.mark.parametrize(
        "headers", [{"Bcc": "eve@example.org"}, {"to": "eve@example.org"}, {"X\r\nBcc": "e"}, {"X-A": "1\r\nBcc: e"}]
    )
    def test_a_further_header_adds_no_recipient(self, headers: dict[str, str]) -> None:
        with pytest.raises(MailRefused, match="the mail is not valid"):
            as_envelope(mail(headers=headers), SENDER)

    def test_a_further_header_replaces_the_default(self) -> None:
        message = parsed(as_envelope(mail(headers={"Auto-Submitted": "auto-replied"}), SENDER).content)
        assert message.get_all("Auto-Submitted") == ["auto-replied"]

    def test_half_of_a_surrogate_pair_is_refused(self) -> None:
        with pytest.raises(MailRefused, match="UnicodeEncodeError"):
            as_envelope(mail(text="\ud800"), SENDER)

    def test_nothing_of_the_content_is_in_a_representation(self) -> None:
        secret = mail(text="secret", html="secret", subject="secret", headers={"X": "secret"}, to="secret@example.org")
        assert "secret" not in repr(secret) + repr(as_envelope(secret, SENDER))


class TestFolderMail:
    async def test_writes_files_that_only_their_owner_reads_in_order(self, tmp_path: Path) -> None:
        port = FolderMail(tmp_path / "data" / "mails", SENDER)
        link = f"https://ideas.example.org/verify?token={'q' * 100}"
        paths = [await port.send(mail(to=f"anna{number}@example.org", text=f"{link}\n")) for number in range(5)]
        found = files(tmp_path / "data" / "mails")
        assert [str(path) for path in found] == paths
        assert {path.stat().st_mode & 0o777 for path in found} == {0o600}
        assert (tmp_path / "data" / "mails").stat().st_mode & 0o777 == 0o700
        assert [parsed(path.read_bytes())["To"] for path in found] == [f"anna{n}@example.org" for n in range(5)]
        assert f"\r\n{link}\r\n".encode() in found[0].read_bytes()
        await port.close()

    async def test_accepts_an_address_that_is_not_ascii(self, tmp_path: Path) -> None:
        await FolderMail(tmp_path, SENDER).send(mail(to="jörg@müller.example"))
        (path,) = files(tmp_path)
        assert parsed(path.read_bytes())["To"] == "jörg@xn--mller-kva.example"

    async def test_a_folder_that_cannot_be_written_is_unavailable(self, tmp_path: Path) -> None:
        (tmp_path / "mails").touch()
        with pytest.raises(MailUnavailable, match="mails"):
            await FolderMail(tmp_path / "mails", SENDER).send(mail())
        assert files(tmp_path) == [tmp_path / "mails"]


class TestMakeMail:
    async def test_chooses_by_the_settings(self, tmp_path: Path) -> None:
        folder = make_mail(Settings.of(data_dir=tmp_path))
        await folder.send(mail())
        assert len(files(tmp_path / "mails")) == 1
        assert isinstance(make_mail(Settings.of(smtp_host="localhost", smtp_security="none")), SmtpMail)
