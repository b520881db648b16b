"""Roles, databases and migrations of an installation in a PostgreSQL server, embedded or not.

These functions use the log-in of an administrator, only at start. They are idempotent and may run in several processes
at once.
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
    from api.kernel.schema import SchemaState

OLDEST_SERVER_VERSION = 16
ROLES = ("app", "dbt", "reader", "dagster")
_OWNER = "ideamint_owner"
_PREPARATION_LOCK = 0x1DEA0001
_MIGRATION_LOCK = 0x1DEA0002
_CONNECT_TIMEOUT_S = 10


def prepare(admin_url: str, settings: Settings) -> None:
    """Create missing roles and databases, and set passwords that differ from the settings.

    `admin_url` names the application's database, which need not exist yet, and a log-in that may create roles and
    databases.

    Raises:
        SettingsError: the server is too old or cannot be reached, or the log-in lacks a right.
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
            f"the log-in in {PREFIX}DATABASE_URL lacks rights to prepare the database: {_first_line(error)}. "
            "It needs CREATEROLE and CREATEDB, or to be a superuser"
        )
        raise SettingsError(msg) from error


def migrate(admin_url: str) -> int:
    """Bring the schema `app` to this version; returns the database's revision. Other processes wait for it.

    Takes no lock on a table if nothing is pending. A database at a later revision is not changed.

    Raises:
        SettingsError: the database is at a revision that cannot be migrated.
    """
    from api.migrations import revisions

    needed = revisions.needed()
    with _migrating(admin_url) as connection:
        found = _schema_state(connection)
        if found.is_from_before_the_squash:
            raise SettingsError(str(found.missing_for(needed)))
        if _is_behind(found, needed):
            revisions.upgrade(admin_url, found.revision)
            found = needed
    assert found.revision is not None
    return found.revision


def downgrade(admin_url: str, revision: str) -> None:
    """Bring the schema `app` back to an earlier revision, or to `base`. Tables that hold rows are not dropped."""
    from api.migrations import revisions

    with _migrating(admin_url):
        revisions.downgrade(admin_url, revision)


def reset(admin_url: str) -> int:
    """Drop the schemas `app` and `jobs` and everything that depends on them, and migrate; returns the revision."""
    with _migrating(admin_url) as connection:
        connection.execute("DROP SCHEMA IF EXISTS app, jobs CASCADE")
    return migrate(admin_url)


def is_behind(admin_url: str) -> bool:
    """Whether migrations or changed routines are pending."""
    from api.migrations import revisions

    with _connect(admin_url) as connection:
        return _is_behind(_schema_state(connection), revisions.needed())


def refuse_unmigrated(app_url: str) -> None:
    """Check that the schema is at the revision that this version needs, or at a later one.

    Raises:
        SettingsError: it is at another revision, or cannot be reached.
    """
    from api.migrations import revisions

    try:
        with _connect(app_url) as connection:
            missing = _schema_state(connection).missing_for(revisions.needed())
    except psycopg.OperationalError as error:
        raise SettingsError(_unreachable(f"{PREFIX}DATABASE_URL", app_url, error)) from error
    if missing is not None:
        raise SettingsError(missing)


@contextmanager
def _migrating(admin_url: str) -> Iterator[psycopg.Connection]:
    """A connection that holds the migration lock."""
    with _connect(admin_url) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_MIGRATION_LOCK,))
        yield connection


def _is_behind(found: SchemaState, needed: SchemaState) -> bool:
    if found.revision == needed.revision:
        return bool(found.differing_routines(needed))
    assert needed.revision is not None
    return found.revision is None or found.revision < needed.revision


def _schema_state(connection: psycopg.Connection) -> SchemaState:
    from api.kernel.schema import REVISION, ROUTINES, SchemaState

    try:
        row = connection.execute(REVISION).fetchone()
        state = SchemaState(int(row[0]) if row else None, {})
        if state.revision is None or state.is_from_before_the_squash:
            return state
        return SchemaState(state.revision, dict(connection.execute(ROUTINES).fetchall()))
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return SchemaState(None, {})


def database_name(url: str) -> str:
    """Name of the database in a libpq URL, empty if it names none."""
    return urlsplit(url).path.lstrip("/")


def with_database(url: str, database: str) -> str:
    """The same URL for another database of the server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


def without_login(url: str) -> str:
    """The same URL without user and password, for processes that log in with their own role."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


@contextmanager
def _administrator(admin_url: str, settings: Settings) -> Iterator[psycopg.Connection]:
    """A connection to the application's database, or to `postgres` if it does not exist yet."""
    try:
        connection = _connect(admin_url)
    except psycopg.OperationalError as error:
        if _is_missing_database(error, database_name(admin_url)):
            connection = _connect(with_database(admin_url, "postgres"))
        else:
            where = "the embedded PostgreSQL" if settings.database.url is None else f"{PREFIX}DATABASE_URL"
            raise SettingsError(_unreachable(where, admin_url, error)) from error
    with connection:
        yield connection


def _connect(url: str) -> psycopg.Connection:
    return psycopg.connect(url, autocommit=True, connect_timeout=_CONNECT_TIMEOUT_S)


def _unreachable(where: str, url: str, error: psycopg.OperationalError) -> str:
    return f"{where}: cannot connect to {without_login(url)}: {_first_line(error)}"


def _is_missing_database(error: psycopg.OperationalError, database: str) -> bool:
    # A failed log-in has no SQLSTATE, only the server's message.
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
        # Hashed here, so that no statement that the server may log contains the password.
        verifier = connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
        connection.execute(action.format(sql.Identifier(name), sql.Literal(verifier)))
    (is_superuser,) = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() or (
        False,
    )
    if not is_superuser:
        # Since version 16 the creator of a role may administer it, but may not use it without a grant.
        connection.execute("GRANT ideamint_owner, ideamint_dagster TO CURRENT_USER WITH SET TRUE, INHERIT TRUE")


def _logs_in(url: str, user: str, password: str) -> bool:
    try:
        psycopg.connect(url, user=user, password=password, connect_timeout=_CONNECT_TIMEOUT_S).close()
    except psycopg.OperationalError as error:
        # The server checks the right to connect after the password, so these errors mean that the password is correct.
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
