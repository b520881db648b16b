"""Settings from the environment and .env, their defaults and errors."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import settings as configuration
from settings import PREFIX, Environment, Settings, SettingsError
from settings.model import SUBJECTS, confidential, variables

EXAMPLE = Path(__file__).parents[2] / ".env.example"
SECRETS = ("jwt_secret", "app_password", "dbt_password", "reader_password", "dagster_password")


def load(data_dir: Path, *, env_file: Path | None = None, **values: object) -> Settings:
    return configuration.load(env_file=env_file, data_dir=data_dir, **values)


def secrets_of(settings: Settings) -> list[str]:
    roles = ("app", "dbt", "reader", "dagster")
    return [settings.auth.signing_secret.decode(), *(settings.database.role_password(role) for role in roles)]


class TestExample:
    def test_lists_every_setting_once_and_no_other(self) -> None:
        shown = re.findall(rf"^#?{PREFIX}(\w+)=", EXAMPLE.read_text(), flags=re.MULTILINE)

        assert sorted(name.lower() for name in shown) == sorted(variables())

    def test_contains_the_defaults(self, tmp_path: Path) -> None:
        shown = dict(re.findall(rf"^#{PREFIX}(\w+)=(.+)$", EXAMPLE.read_text(), flags=re.MULTILINE))
        del shown["DATABASE_URL"], shown["DATA_DIR"]
        uncommented = tmp_path / "env"
        uncommented.write_text("\n".join(f"{PREFIX}{name}={value}" for name, value in shown.items()))

        assert load(tmp_path, env_file=uncommented) == load(tmp_path)

    def test_every_setting_has_a_description(self) -> None:
        fields = [field for subject in SUBJECTS.values() for field in subject.model_fields.values()]
        assert [field for field in fields if not field.description] == []

    def test_every_secret_can_be_in_a_file_and_is_in_no_message(self) -> None:
        """A URL may contain a password."""
        secret = {
            variable
            for subject in SUBJECTS.values()
            for variable, name in subject.variables().items()
            if re.search(r"SecretStr|Dsn|SsoProvider", str(subject.model_fields[name].annotation))
        }
        assert secret >= {*SECRETS, "smtp_password", "database_url", "redis_url"}
        assert secret == set(confidential())

    def test_no_variable_belongs_to_two_subjects(self) -> None:
        names = [name for subject in SUBJECTS.values() for name in subject.variables()]
        assert len(names) == len(set(names))


class TestLoad:
    @pytest.fixture(autouse=True)
    def _environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in [name for name in os.environ if name.startswith(PREFIX)]:
            monkeypatch.delenv(name)

    @pytest.mark.parametrize(
        ("name", "invalid", "expected"),
        [
            ("api_port", "http", "port of the API"),
            ("api_port", "70000", "port of the API"),
            ("database_url", "mysql://db/ideamint", "PostgreSQL 16 or newer"),
            ("env", "prod", "development, test or production"),
            ("jwt_secret", "short", "32 characters"),
            ("log_level", "loud", "DEBUG, INFO, WARNING or ERROR"),
            ("db_pool_size", "0", "pooled connections"),
            ("redis_url", "http://cache:6379", "redis://user:password@host:port/number"),
            ("log_in_counts", "memory", "postgresql, or redis"),
            ("log_in_counts", "redis", "needs IDEAMINT_REDIS_URL"),
            ("coin_commands_per_member", "120", "such as 120/minute"),
            ("coin_commands_per_member", "0/minute", "not a rate of 1 to 1,000,000 a second, minute, hour, day"),
            ("coin_commands_per_campaign", "1000001/second", "such as 60000/minute, or off"),
            ("coin_reads_per_member", "ten/minute", "readings of coins by one member"),
            ("coin_figures_per_member", "", "not off"),
        ],
    )
    def test_an_invalid_value_is_refused_with_its_name_and_the_expected_value(
        self, name: str, invalid: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(f"{PREFIX}{name.upper()}", invalid)

        with pytest.raises(SettingsError) as refusal:
            load(tmp_path)

        assert f"{PREFIX}{name.upper()}" in str(refusal.value)
        assert expected in str(refusal.value)

    @pytest.mark.parametrize("name", ["jwt_secret", "app_password", "database_url", "redis_url"])
    def test_an_error_contains_no_secret(self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        secret = "mysql://user:hunter2@db/x" if name.endswith("_url") else "hunter2"
        monkeypatch.setenv(f"{PREFIX}{name.upper()}", secret)
        monkeypatch.setenv(f"{PREFIX}API_PORT", "wrong")

        with pytest.raises(SettingsError) as refusal:
            load(tmp_path)

        assert "hunter2" not in str(refusal.value)

    def test_requires_every_secret_in_production(self, tmp_path: Path) -> None:
        with pytest.raises(SettingsError) as refusal:
            load(tmp_path, env="production")

        assert all(f"{PREFIX}{name.upper()}" in str(refusal.value) for name in SECRETS)
        assert list(tmp_path.iterdir()) == []

    def test_generates_secrets_once_and_only_their_owner_can_read_them(self, tmp_path: Path) -> None:
        first = load(tmp_path / "data")
        second = load(tmp_path / "data")

        assert secrets_of(first) == secrets_of(second)
        assert len(set(secrets_of(first))) == len(SECRETS)
        assert (tmp_path / "data" / "secrets.json").stat().st_mode & 0o777 == 0o600

    def test_concurrent_first_starts_have_the_same_secrets(self, tmp_path: Path) -> None:
        program = "import settings, sys; print(settings.load(env_file=None, data_dir=sys.argv[1]).database.role_password('app'))"
        starts = [
            subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
            for _ in range(4)
        ]

        assert len({start.communicate()[0] for start in starts}) == 1

    def test_keeps_a_secret_that_was_generated_before(self, tmp_path: Path) -> None:
        generated = configuration.keep_secrets(tmp_path, ["postgres_password"])
        load(tmp_path)

        assert (
            json.loads((tmp_path / "secrets.json").read_text())["postgres_password"] == generated["postgres_password"]
        )

    def test_an_unusable_data_folder_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()

        with pytest.raises(SettingsError, match="IDEAMINT_DATA_DIR"):
            load(tmp_path / "file")

    def test_public_addresses_follow_the_ports(self, tmp_path: Path) -> None:
        assert load(tmp_path, api_port=8123).addresses.public_api_url == "http://localhost:8123"
        assert (
            load(tmp_path, public_api_url="https://ideas.example").addresses.public_api_url == "https://ideas.example"
        )

    def test_refuses_an_unknown_name(self) -> None:
        with pytest.raises(SettingsError, match="IDEAMINT_API_PROT: there is no such setting"):
            Settings.of(api_prot=8000)

    def test_reports_every_invalid_value_at_once(self) -> None:
        with pytest.raises(SettingsError) as refusal:
            Settings.of(api_port=0, log_level="loud", db_pool_size=0)

        assert [line.partition(":")[0] for line in str(refusal.value).splitlines()] == [
            "IDEAMINT_DB_POOL_SIZE",
            "IDEAMINT_API_PORT",
            "IDEAMINT_LOG_LEVEL",
        ]


class TestFiles:
    @pytest.fixture(autouse=True)
    def _data_dir(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("IDEAMINT_DATA_DIR", str(tmp_path / "data"))

    def test_a_secret_is_the_content_without_the_last_line_break(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "jwt").write_text(" " + "s" * 40 + "\n")
        (tmp_path / "url").write_text("postgresql://admin:secret@db.example.org/mint\r\n")
        monkeypatch.setenv("IDEAMINT_JWT_SECRET_FILE", str(tmp_path / "jwt"))
        monkeypatch.setenv("IDEAMINT_DATABASE_URL_FILE", str(tmp_path / "url"))
        settings = configuration.load(env_file=None)
        assert settings.auth.signing_secret == b" " + b"s" * 40
        assert str(settings.database.url) == "postgresql://admin:secret@db.example.org/mint"

    def test_the_file_of_env_names_one_too(self, tmp_path: Path) -> None:
        (tmp_path / "jwt").write_text("s" * 40)
        (tmp_path / ".env").write_text(f"IDEAMINT_JWT_SECRET_FILE={tmp_path / 'jwt'}\n")
        assert configuration.load(env_file=tmp_path / ".env").auth.signing_secret == b"s" * 40

    @pytest.mark.parametrize(
        ("content", "reason"), [(None, "No such file or directory"), (b"\xff" * 40, "it is not UTF-8 text")]
    )
    def test_an_unreadable_one_is_refused_with_its_path(
        self, content: bytes | None, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "jwt"
        if content is not None:
            path.write_bytes(content)
        monkeypatch.setenv("IDEAMINT_JWT_SECRET_FILE", str(path))
        with pytest.raises(SettingsError, match=f"IDEAMINT_JWT_SECRET_FILE: {path}: {reason}"):
            configuration.load(env_file=None)

    def test_two_values_are_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "jwt").write_text("s" * 40)
        monkeypatch.setenv("IDEAMINT_JWT_SECRET_FILE", str(tmp_path / "jwt"))
        monkeypatch.setenv("IDEAMINT_JWT_SECRET", "t" * 40)
        with pytest.raises(SettingsError, match="IDEAMINT_JWT_SECRET: also given by IDEAMINT_JWT_SECRET_FILE"):
            configuration.load(env_file=None)

    def test_the_content_is_checked_and_not_shown(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "jwt").write_text("too-short")
        monkeypatch.setenv("IDEAMINT_JWT_SECRET_FILE", str(tmp_path / "jwt"))
        with pytest.raises(SettingsError, match="IDEAMINT_JWT_SECRET: shorter than 32 characters") as refused:
            configuration.load(env_file=None)
        assert "too-short" not in str(refused.value)


class TestWith:
    def test_changes_the_named_values_and_keeps_the_rest(self, tmp_path: Path) -> None:
        settings = load(tmp_path, env="test", ledger_queue_max=7)
        changed = settings.with_(database_url="postgresql://db.example/mint", api_port=8123)

        assert str(changed.database.url) == "postgresql://db.example/mint"
        assert changed.addresses.public_api_url == "http://localhost:8123"
        assert (changed.installation.environment, changed.ledger.queue_max) == (Environment.TEST, 7)
        assert secrets_of(changed) == secrets_of(settings)
        assert settings.database.is_embedded

    def test_refuses_an_invalid_value(self, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match="IDEAMINT_LEDGER_DEADLINE_MS"):
            load(tmp_path).with_(ledger_deadline_ms=0)

    def test_keeps_the_data_folder_when_the_working_directory_changes(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        settings = Settings.of()
        monkeypatch.chdir("/")

        assert settings.with_(api_port=8123).paths.data_dir == tmp_path / ".data"


class TestRoleUrl:
    def test_replaces_the_administrators_login_and_keeps_the_rest(self, tmp_path: Path) -> None:
        settings = load(
            tmp_path, database_url="postgresql://root:top@db.example:6432/mint?sslmode=require", app_password="a/b@c"
        )

        assert (
            settings.database.role_url("app")
            == "postgresql://ideamint_app:a%2Fb%40c@db.example:6432/mint?sslmode=require"
        )
        assert settings.database.role_url("app", "other").endswith("db.example:6432/other?sslmode=require")

    def test_is_refused_without_a_server(self, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match="was not started"):
            load(tmp_path).database.role_url("app")
