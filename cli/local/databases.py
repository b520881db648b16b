"""What an installation needs inside a PostgreSQL server, whoever runs it: roles, databases and migrations.

Everything here runs with the log-in of an administrator, at start and never while serving. It may run again at any
time, and from several processes at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from settings import PREFIX, Settings, SettingsError

if TYPE_CHECKING:
    from alembic.config import Config

OLDEST_SERVER_VERSION = 16
ROLES = ("app", "dbt", "reader", "dagster")
_OWNER = "ideamint_owner"
_PREPARATION_LOCK = 0x1DEA0001
_MIGRATION_LOCK = 0x1DEA0002
_CONNECT_TIMEOUT_S = 10


def prepare(admin_url: str, settings: Settings) -> None:
    """Make the roles and databases that are missing, and set the passwords that differ from the settings.

    `admin_url` names the application's database, which need not exist yet, and a log-in that may create roles and
    databases.

    Raises:
        SettingsError: the server is too old or does not answer, or the log-in may not do this.
    """
    database = database_name(admin_url)
    try:
        with _administrator(admin_url, settings) as connection:
            _refuse_old_server(connection)
            connection.execute("SELECT pg_advisory_lock(%s)", (_PREPARATION_LOCK,))
            _make_roles(connection, admin_url, settings)
            _make_database(connection, database, _OWNER, ("app", "dbt", "reader"))
            _make_database(connection, settings.database.dagster_name, "ideamint_dagster", ())
            connection.execute(
                sql.SQL("GRANT CREATE, TEMPORARY ON DATABASE {} TO ideamint_dbt").format(sql.Identifier(database))
            )
    except psycopg.errors.InsufficientPrivilege as error:
        msg = (
            f"the log-in in {PREFIX}DATABASE_URL may not prepare the database: {_first_line(error)}. "
            "It needs CREATEROLE and CREATEDB, or to be a superuser"
        )
        raise SettingsError(msg) from error


def migrate(admin_url: str) -> str:
    """Bring the schema `app` to the newest revision, which is returned. One migration at a time; others wait for it."""
    from alembic import command

    config = alembic_config()
    config.attributes["url"] = urlunsplit(urlsplit(admin_url)._replace(scheme="postgresql+psycopg"))
    newest = newest_revision()
    with psycopg.connect(admin_url, autocommit=True, connect_timeout=_CONNECT_TIMEOUT_S) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_MIGRATION_LOCK,))
        if _revision(connection) != newest:
            command.upgrade(config, "head")
    return newest


def is_behind(admin_url: str) -> bool:
    """Whether the schema is not at the newest revision yet."""
    with psycopg.connect(admin_url, connect_timeout=_CONNECT_TIMEOUT_S) as connection:
        return _revision(connection) != newest_revision()


def refuse_unmigrated(app_url: str) -> None:
    """See that the schema is at the newest revision.

    Raises:
        SettingsError: it is not.
    """
    newest = newest_revision()
    with psycopg.connect(app_url, connect_timeout=_CONNECT_TIMEOUT_S) as connection:
        found = _revision(connection)
    if found != newest:
        msg = f"the database is at revision {found}, this version needs {newest}: run `ideamint db migrate`"
        raise SettingsError(msg)


def newest_revision() -> str:
    """The revision that this code was written for."""
    from alembic.script import ScriptDirectory

    (head,) = ScriptDirectory.from_config(alembic_config()).get_heads()
    return head


def _revision(connection: psycopg.Connection) -> str | None:
    try:
        row = connection.execute("SELECT version_num FROM app.alembic_version").fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return None
    return str(row[0]) if row else None


def alembic_config() -> Config:
    """Alembic's configuration; there is no alembic.ini, so that it works from any folder."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "api:migrations")
    return config


def database_name(url: str) -> str:
    """Name of the database in a libpq URL, empty if it names none."""
    return urlsplit(url).path.lstrip("/")


def with_database(url: str, database: str) -> str:
    """The same URL for another database of the server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


def without_login(url: str) -> str:
    """The same URL without user and password: what a process may know that logs in by a role of its own."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


@contextmanager
def _administrator(admin_url: str, settings: Settings) -> Iterator[psycopg.Connection]:
    """A connection to the application's database, or to `postgres` while that is still to be made."""
    try:
        connection = psycopg.connect(admin_url, autocommit=True, connect_timeout=_CONNECT_TIMEOUT_S)
    except psycopg.OperationalError as error:
        if _says_database_is_missing(error, database_name(admin_url)):
            connection = psycopg.connect(
                with_database(admin_url, "postgres"), autocommit=True, connect_timeout=_CONNECT_TIMEOUT_S
            )
        else:
            where = "the embedded PostgreSQL" if settings.database.url is None else f"{PREFIX}DATABASE_URL"
            msg = f"{where}: cannot connect to {without_login(admin_url)}: {_first_line(error)}"
            raise SettingsError(msg) from error
    with connection:
        yield connection


def _says_database_is_missing(error: psycopg.OperationalError, database: str) -> bool:
    # A failed log-in carries no SQLSTATE, only the server's sentence.
    return f'database "{database}" does not exist' in str(error)


def _refuse_old_server(connection: psycopg.Connection) -> None:
    version = connection.info.server_version // 10_000
    if version < OLDEST_SERVER_VERSION:
        msg = (
            f"{PREFIX}DATABASE_URL points to PostgreSQL {version}; Ideamint needs {OLDEST_SERVER_VERSION} or newer. "
            "Upgrade that server, or leave the setting empty to use the embedded one"
        )
        raise SettingsError(msg)


def _make_roles(connection: psycopg.Connection, admin_url: str, settings: Settings) -> None:
    existing = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE 'ideamint_%'")}
    if _OWNER not in existing:
        connection.execute("CREATE ROLE ideamint_owner NOLOGIN")
    for role in ROLES:
        name, password = f"ideamint_{role}", settings.database.role_password(role)
        if name not in existing:
            action = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
        elif _logs_in(with_database(admin_url, settings.database.dagster_name), name, password):
            continue
        else:
            action = sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}")
        # Hashed here, so that the password itself never stands in a statement that the server may log.
        verifier = connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
        connection.execute(action.format(sql.Identifier(name), sql.Literal(verifier)))
    (is_superuser,) = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() or (
        False,
    )
    if not is_superuser:
        # Since 16 whoever creates a role may administer it, but may not act as it until granted.
        connection.execute("GRANT ideamint_owner, ideamint_dagster TO CURRENT_USER WITH SET TRUE, INHERIT TRUE")


def _logs_in(url: str, user: str, password: str) -> bool:
    try:
        psycopg.connect(url, user=user, password=password, connect_timeout=_CONNECT_TIMEOUT_S).close()
    except psycopg.OperationalError as error:
        # Whether a role may connect to a database is decided after its password was found right.
        return "permission denied for database" in str(error) or "does not exist" in str(error)
    return True


def _make_database(connection: psycopg.Connection, name: str, owner: str, roles: tuple[str, ...]) -> None:
    identifier = sql.Identifier(name)
    if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is None:
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(identifier, sql.Identifier(owner)))
        connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(identifier))
    connection.execute(sql.SQL("GRANT ALL ON DATABASE {} TO {}").format(identifier, sql.Identifier(owner)))
    for role in roles:
        connection.execute(
            sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(identifier, sql.Identifier(f"ideamint_{role}"))
        )


def _first_line(error: psycopg.Error) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
