"""Everything that can be set from outside, in one place.

Every room may import this module and it imports none of them: a setting read twice is a setting that disagrees with
itself. Nothing here is read at import; call :func:`load` once at the edge (a command, a process's start) and hand the
result, or a part of it, to what needs it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import quote, urlsplit, urlunsplit

from filelock import FileLock
from pydantic import Field, PostgresDsn, RedisDsn, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from settings.files import replace_file
from settings.rates import Rate, RateLimit

PREFIX = "IDEAMINT_"
_SECRET_FIELDS = ("jwt_secret", "app_password", "dbt_password", "reader_password", "dagster_password")


class Environment(StrEnum):
    """Where this runs; `production` makes no secret by itself and demands each."""

    DEVELOPMENT = "development"
    TEST = "test"
    PRODUCTION = "production"


class SettingsError(Exception):
    """A setting is wrong; the message names each one and says what would be right."""


class Settings(BaseSettings):
    """The settings of one installation. Each field is the environment variable `IDEAMINT_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True)

    env: Environment = Field(Environment.DEVELOPMENT, description="development, test or production")
    data_dir: Path = Field(
        Path(".data"), description="folder for the embedded PostgreSQL, exports, reports, logs, secrets"
    )
    database_url: PostgresDsn | None = Field(
        None,
        description="postgresql://user:password@host:port/name of a PostgreSQL 16 or newer; empty: the embedded one. "
        "The log-in in it is used by `ideamint db migrate` alone; servers log in by their own roles",
    )
    redis_url: RedisDsn | None = Field(
        None,
        description="redis://user:password@host:port/number (rediss:// over TLS) of a Redis that the API's processes "
        "share; empty: each counts rate limits for itself",
    )
    dagster_database: str = Field(
        "dagster", pattern=r"^[a-z_][a-z0-9_]*$", description="database for Dagster's runs, same server"
    )
    app_password: SecretStr | None = Field(None, description="password of the role ideamint_app")
    dbt_password: SecretStr | None = Field(None, description="password of the role ideamint_dbt")
    reader_password: SecretStr | None = Field(None, description="password of the role ideamint_reader")
    dagster_password: SecretStr | None = Field(None, description="password of the role ideamint_dagster")
    jwt_secret: SecretStr | None = Field(None, description="at least 32 characters; signs access tokens")
    services: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="routers to mount, comma separated; empty: all"
    )

    bind_host: str = Field("127.0.0.1", description="address that the servers of `ideamint up` listen on")
    api_port: int = Field(8000, ge=1, le=65535, description="port of the API")
    dashboards_port: int = Field(8501, ge=1, le=65535, description="port of the dashboards")
    dagster_port: int = Field(3000, ge=1, le=65535, description="port of Dagster's web page")
    api_url: str = Field(
        "", description="how the dashboards reach the API; empty: the host and port that it listens on"
    )
    public_api_url: str = Field(
        "", description="how people's browsers reach the API; empty: http://localhost and its port"
    )
    public_dashboards_url: str = Field(
        "", description="how people's browsers reach the dashboards; empty: http://localhost and their port"
    )

    registration: str = Field("open", pattern=r"^(open|closed)$", description="may anyone register: open or closed")
    access_token_ttl_s: int = Field(900, ge=60, le=3600, description="life of an access token, seconds")
    refresh_token_ttl_s: int = Field(30 * 86400, ge=3600, description="life of a refresh token, seconds")
    session_ttl_s: int = Field(90 * 86400, ge=3600, description="longest life of a session, seconds")
    sessions_per_user_max: int = Field(
        10, ge=1, le=1000, description="log-ins of a user alive at once; a further one ends the oldest"
    )
    secure_cookies: bool = Field(default=False, description="send the dashboards' cookie over HTTPS only")
    password_hashes_at_once: int = Field(2, ge=1, le=16, description="argon2id computations in parallel per process")

    db_pool_size: int = Field(10, ge=1, le=200, description="pooled connections per API process")
    db_pool_overflow: int = Field(5, ge=0, le=200, description="further connections under load per API process")
    statement_timeout_ms: int = Field(5000, ge=100, description="longest statement of a request, milliseconds")
    lock_timeout_ms: int = Field(2000, ge=50, description="longest wait for a lock, milliseconds")
    ledger_batch_max: int = Field(100, ge=1, le=1000, description="coin commands sent to the database at once")
    ledger_queue_max: int = Field(10_000, ge=1, description="coin commands waiting before 503")
    ledger_deadline_ms: int = Field(
        2000, ge=50, description="longest a coin command waits for a held row, milliseconds"
    )
    redis_timeout_ms: int = Field(
        100, ge=1, description="longest wait for Redis before the process counts for itself, milliseconds"
    )
    coin_commands_per_member: RateLimit = Field(
        Rate(120, "minute"), description="coin commands of one member, such as 120/minute (second, hour, day), or off"
    )
    coin_commands_per_campaign: RateLimit = Field(
        Rate(60_000, "minute"), description="coin commands of one campaign, such as 60000/minute, or off"
    )
    coin_reads_per_member: RateLimit = Field(
        Rate(600, "minute"), description="readings of coins by one member, such as 600/minute, or off"
    )
    coin_figures_per_member: RateLimit = Field(
        Rate(20, "minute"),
        description="readings of a whole ledger (statistics, verify) by one member, such as 20/minute, or off",
    )
    request_body_bytes_max: int = Field(1_048_576, ge=1024, description="largest request body, bytes")
    log_format: str = Field(
        "auto", pattern=r"^(auto|json|console)$", description="json, console, or auto: json unless on a terminal"
    )
    log_level: str = Field("INFO", pattern=r"^(DEBUG|INFO|WARNING|ERROR)$", description="DEBUG, INFO, WARNING or ERROR")
    test_elections: Path | None = Field(None, description="folder of real .pb files that the tests import")

    @field_validator(
        "database_url",
        "redis_url",
        "test_elections",
        "app_password",
        "dbt_password",
        "reader_password",
        "dagster_password",
        "jwt_secret",
        mode="before",
    )
    @classmethod
    def _empty_is_unset(cls, value: Any) -> Any:
        return None if value == "" else value

    @field_validator("services", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @model_validator(mode="before")
    @classmethod
    def _public_urls_follow_ports(cls, values: dict[str, Any]) -> dict[str, Any]:
        for part in ("api", "dashboards"):
            port = values.get(f"{part}_port", cls.model_fields[f"{part}_port"].default)
            values[f"public_{part}_url"] = values.get(f"public_{part}_url") or f"http://localhost:{port}"
        return values

    @model_validator(mode="after")
    def _production_demands_secrets(self) -> Self:
        if self.env is Environment.PRODUCTION:
            missing = [f"{PREFIX}{name.upper()}" for name in _SECRET_FIELDS if getattr(self, name) is None]
            if missing:
                msg = f"{', '.join(missing)}: demanded when {PREFIX}ENV=production; set each to a random value of 32 or more characters"
                raise ValueError(msg)
        if self.jwt_secret is not None and len(self.jwt_secret.get_secret_value()) < 32:
            msg = f"{PREFIX}JWT_SECRET: shorter than 32 characters; `openssl rand -hex 32` makes a good one"
            raise ValueError(msg)
        return self

    @property
    def is_embedded(self) -> bool:
        """Whether PostgreSQL is the one under the data folder."""
        return self.database_url is None

    @property
    def internal_api_url(self) -> str:
        """Address of the API for other processes of this installation, without a slash at its end."""
        if self.api_url:
            return self.api_url.rstrip("/")
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.bind_host, self.bind_host)  # noqa: S104 - not bound here
        return f"http://[{host}]:{self.api_port}" if ":" in host else f"http://{host}:{self.api_port}"

    def role_url(self, role: str, database: str | None = None) -> str:
        """URL for a log-in as `ideamint_<role>` to this installation's server, in libpq's form (`postgresql://`).

        Raises:
            SettingsError: no server is known (the embedded one was not started), or the role has no password.
        """
        if self.database_url is None:
            msg = f"{PREFIX}DATABASE_URL is empty and the embedded PostgreSQL was not started"
            raise SettingsError(msg)
        parts = urlsplit(str(self.database_url))
        host = parts.netloc.rpartition("@")[2]
        login = f"ideamint_{role}:{quote(self.role_password(role), safe='')}"
        path = f"/{database}" if database else parts.path
        return urlunsplit(parts._replace(netloc=f"{login}@{host}", path=path))

    def role_password(self, role: str) -> str:
        """Password of `ideamint_<role>`; :func:`load` has filled every one that was not set."""
        value: SecretStr | None = getattr(self, f"{role}_password")
        if value is None:
            msg = f"{PREFIX}{role.upper()}_PASSWORD is not set"
            raise SettingsError(msg)
        return value.get_secret_value()


def load(**overrides: Any) -> Settings:
    """Read the environment and `.env`, and make what secrets are missing (kept under the data folder, mode 0600).

    Raises:
        SettingsError: a value is wrong or, in production, a secret is missing.
    """
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        raise SettingsError(_explain(error)) from error
    if settings.env is Environment.PRODUCTION:
        return settings
    missing = [name for name in _SECRET_FIELDS if getattr(settings, name) is None]
    if not missing:
        return settings
    kept = keep_secrets(settings.data_dir, _SECRET_FIELDS)
    return settings.model_copy(update={name: SecretStr(kept[name]) for name in missing})


def keep_secrets(data_dir: Path, names: Iterable[str]) -> dict[str, str]:
    """Secrets of this installation by name, each made when it is first asked for.

    They stand in `secrets.json` under the data folder with mode 0600. A lock keeps two first starts from making two
    different secrets.

    Raises:
        SettingsError: the file cannot be read or written, or is not what this function wrote.
    """
    path = data_dir / "secrets.json"
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(data_dir / "secrets.lock"):
            kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
            made = {name: secrets.token_hex(32) for name in names if not kept.get(name)}
            if made:
                kept |= made
                replace_file(path, json.dumps(kept, indent=2), mode=0o600)
    except (OSError, ValueError) as error:
        msg = f"{path}: {error}. {PREFIX}DATA_DIR names a folder that this user may write to"
        raise SettingsError(msg) from error
    return kept


def _explain(error: ValidationError) -> str:
    lines = []
    for problem in error.errors():
        field = str(problem["loc"][0]) if problem["loc"] else ""
        if not field:
            lines.append(problem["msg"].removeprefix("Value error, "))
            continue
        shown = "" if field in {*_SECRET_FIELDS, "database_url", "redis_url"} else f" (it is {problem['input']!r})"
        right = Settings.model_fields[field].description if field in Settings.model_fields else ""
        wrong = problem["msg"].removeprefix("Value error, ")
        lines.append(f"{PREFIX}{field.upper()}: {wrong}{shown}. Right would be: {right}")
    return "\n".join(lines)
