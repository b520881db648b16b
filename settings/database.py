"""Settings of PostgreSQL: the server, the roles' passwords, the pool and its timeouts."""

from __future__ import annotations

from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import Field, PostgresDsn, SecretStr

from settings.subject import PREFIX, SettingsError, Subject


class DatabaseSettings(Subject):
    """The server, and how the processes of this installation use it."""

    url: PostgresDsn | None = Field(
        None,
        alias="database_url",
        repr=False,
        description="postgresql://user:password@host:port/name of a server, PostgreSQL 16 or newer; empty: the embedded server. "
        "Only the preparation and migration of the database use the log-in in it; services log in with their own roles",
    )
    dagster_name: str = Field(
        "dagster",
        alias="dagster_database",
        pattern=r"^[a-z_][a-z0-9_]*$",
        description="database for Dagster's runs, on the same server",
    )
    app_password: SecretStr | None = Field(None, repr=False, description="password of the role ideamint_app")
    dbt_password: SecretStr | None = Field(None, repr=False, description="password of the role ideamint_dbt")
    reader_password: SecretStr | None = Field(None, repr=False, description="password of the role ideamint_reader")
    dagster_password: SecretStr | None = Field(None, repr=False, description="password of the role ideamint_dagster")
    pool_size: int = Field(10, alias="db_pool_size", ge=1, le=200, description="pooled connections per API process")
    pool_overflow: int = Field(
        5, alias="db_pool_overflow", ge=0, le=200, description="further connections under load per API process"
    )
    wait_s: int = Field(
        60,
        alias="db_wait_s",
        ge=0,
        le=3600,
        description="longest wait for the database at the start of an API or worker process, seconds",
    )
    statement_timeout_ms: int = Field(
        5000, ge=100, description="longest duration of a statement in a request, milliseconds"
    )
    lock_timeout_ms: int = Field(2000, ge=50, description="longest wait for a lock, milliseconds")

    @property
    def is_embedded(self) -> bool:
        """Whether PostgreSQL is the embedded server under the data folder."""
        return self.url is None

    def role_url(self, role: str, database: str | None = None) -> str:
        """URL for a log-in as `ideamint_<role>` to this installation's server, in libpq's form (`postgresql://`).

        Raises:
            SettingsError: no server is known (the embedded one was not started), or the role has no password.
        """
        if self.url is None:
            msg = f"{PREFIX}DATABASE_URL is empty and the embedded PostgreSQL was not started"
            raise SettingsError(msg)
        parts = urlsplit(str(self.url))
        host = parts.netloc.rpartition("@")[2]
        login = f"ideamint_{role}:{quote(self.role_password(role), safe='')}"
        path = f"/{database}" if database else parts.path
        return urlunsplit(parts._replace(netloc=f"{login}@{host}", path=path))

    def role_password(self, role: str) -> str:
        """Password of the role `ideamint_<role>`.

        Raises:
            SettingsError: it is not set; :func:`settings.load` sets each outside production.
        """
        value: SecretStr | None = getattr(self, f"{role}_password")
        if value is None:
            msg = f"{PREFIX}{role.upper()}_PASSWORD is not set"
            raise SettingsError(msg)
        return value.get_secret_value()
