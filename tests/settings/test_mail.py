"""Settings of mail."""

from __future__ import annotations

from pathlib import Path

import pytest

import settings as configuration
from settings import Settings, SettingsError
from settings.mail import Language, Security, Sender

SERVER = {"smtp_host": "mail.example.org", "mail_sender": "Ideas <ideas@example.org>"}
LOG_IN = {"smtp_user": "ideas", "smtp_password": "hunter2"}


def refusal(**values: object) -> str:
    with pytest.raises(SettingsError) as refused:
        Settings.of(**values)
    return str(refused.value)


class TestDefaults:
    def test_need_no_configuration(self) -> None:
        mail = Settings.of().mail
        assert mail.host is None
        assert (mail.language, mail.security, mail.port) == (Language.ENGLISH, Security.STARTTLS, 587)
        assert str(mail.sender) == "Ideamint <no-reply@ideamint.example>"

    @pytest.mark.parametrize(("security", "port"), [("starttls", 587), ("tls", 465), ("none", 25)])
    @pytest.mark.parametrize("given", [{}, {"smtp_port": ""}])
    def test_the_port_follows_the_security(self, security: str, port: int, given: dict[str, str]) -> None:
        assert Settings.of(**SERVER, smtp_security=security, **given).mail.port == port
        assert Settings.of(**SERVER, smtp_security=security, smtp_port="2525").mail.port == 2525


class TestSender:
    @pytest.mark.parametrize(
        ("given", "name", "address"),
        [
            ("ideas@example.org", "", "ideas@example.org"),
            ("Pomysły <ideas@example.org>", "Pomysły", "ideas@example.org"),
            ("Ideas, Inc. <ideas@example.org>", "Ideas, Inc.", "ideas@example.org"),
            ('"The \\"Ideas\\"" <ideas@example.org>', 'The "Ideas"', "ideas@example.org"),
            ('"Ideas, Inc." <ideas@müller.example>', "Ideas, Inc.", "ideas@xn--mller-kva.example"),
        ],
    )
    def test_is_a_name_and_an_address(self, given: str, name: str, address: str) -> None:
        sender = Settings.of(mail_sender=given).mail.sender
        assert sender == Sender(name, address)
        assert Settings.of(mail_sender=str(sender)).mail.sender == sender

    @pytest.mark.parametrize(
        "given",
        [
            "",
            "Ideas",
            "Ideas <ideas>",
            "a@b@example.org",
            "jörg@example.org",
            "a@example.org\r\nBcc: b@c.org",
            "A\r\nBcc: b <a@b.org>",
        ],
    )
    def test_without_an_address_is_refused(self, given: str) -> None:
        assert "IDEAMINT_MAIL_SENDER: " in refusal(mail_sender=given)


class TestServer:
    @pytest.mark.parametrize(
        ("values", "reason"),
        [
            ({"smtp_password": "hunter2"}, "IDEAMINT_SMTP_PASSWORD: IDEAMINT_SMTP_USER and IDEAMINT_SMTP_PASSWORD"),
            (SERVER | {"smtp_password": "hunter2"}, "IDEAMINT_SMTP_PASSWORD: IDEAMINT_SMTP_USER and"),
            (SERVER | {"smtp_user": "ideas"}, "are set both or neither; expected: password of the user"),
            (LOG_IN, "IDEAMINT_SMTP_USER: given without IDEAMINT_SMTP_HOST"),
            (SERVER | LOG_IN | {"smtp_security": "none"}, "IDEAMINT_SMTP_SECURITY: the log-in would be sent to mail"),
            ({"smtp_host": "mail.example.org"}, "IDEAMINT_SMTP_HOST: needs a sender whose mails the server accepts"),
            (SERVER | {"smtp_host": "smtp://mail"}, "IDEAMINT_SMTP_HOST: not a host name"),
            (SERVER | {"smtp_host": "mail.example.org\r\nX"}, "IDEAMINT_SMTP_HOST: not a host name"),
            ({"smtp_security": "ssl"}, "IDEAMINT_SMTP_SECURITY: "),
            ({"smtp_port": "0"}, "IDEAMINT_SMTP_PORT: "),
            ({"mail_language": "de"}, "IDEAMINT_MAIL_LANGUAGE: "),
        ],
    )
    def test_a_contradiction_is_refused_with_its_reason(self, values: dict[str, str], reason: str) -> None:
        message = refusal(**values)
        assert reason in message
        assert "hunter2" not in message

    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
    def test_a_log_in_to_this_machine_needs_no_encryption(self, host: str) -> None:
        assert Settings.of(smtp_host=host, smtp_security="none", **LOG_IN).mail.host == host

    def test_a_relay_without_log_in_needs_no_encryption(self) -> None:
        assert Settings.of(**SERVER, smtp_security="none").mail.user is None


class TestPassword:
    def test_can_be_in_a_file_and_is_shown_nowhere(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "smtp").write_text("hunter2\n")
        monkeypatch.setenv("IDEAMINT_SMTP_PASSWORD_FILE", str(tmp_path / "smtp"))
        settings = configuration.load(env_file=None, data_dir=tmp_path, **SERVER, smtp_user="ideas")
        assert settings.mail.password is not None
        assert settings.mail.password.get_secret_value() == "hunter2"
        assert "hunter2" not in repr(settings) + str(settings.mail) + settings.mail.model_dump_json()
