"""Routines of the schema `app`: functions, views and triggers, each defined once in a file of api/<domain>/sql.

A run applies all files in the declared order. An upgrade is one run for each version, in one transaction with it:

1. Before the version, views and functions with a SQL-standard body are dropped. Only these depend on the tables and
   columns that a version may change.
2. After the version, functions are replaced and views are created. PostgreSQL does not replace a function whose result
   or parameter names differ: then the functions of its file are dropped and created. Released code may still call the
   old one, so a released function must not be changed in this way: a new function is added instead.
3. A trigger is created if it is missing or if its statement has changed. Creating a trigger blocks writers of its table,
   so an unchanged trigger is not created again.
4. Functions and triggers that no file defines are dropped, and the hashes of files and triggers are recorded.

Routines of files that need a later revision than that of the run are kept as the earlier release defined them, because
it calls them until the version of the new ones is committed. A downgrade is one run for all its versions, and keeps
none.

All rights are revoked at each run: a file grants what its routines need. Only the schema `app` is changed. The
functions in `VERSIONED` are needed by table definitions and are defined in versions. Versions also install the schemas
of libraries.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from psycopg import errors, sql

from api.migrations.statements import API_DIR

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from psycopg import Connection, Cursor

# Functions that defaults and generated columns call.
VERSIONED = ("uuid7", "coins_pad_key")

# The files in the order in which they are applied, each with the first revision whose tables it needs.
FILES: tuple[tuple[int, str], ...] = (
    (1001, "kernel/sql/append_only.sql"),
    (1002, "events/sql/partitions.sql"),
    (1002, "events/sql/triggers.sql"),
    (1014, "auth/sql/revocations.sql"),
    (1014, "auth/sql/triggers.sql"),
    (1018, "auth/sql/api_tokens.sql"),
    (1018, "auth/sql/api_token_triggers.sql"),
    (1004, "coins/sql/postings.sql"),
    (1034, "coins/sql/grace.sql"),
    (1038, "coins/sql/acceptance.sql"),
    (1038, "coins/sql/moves.sql"),
    (1038, "coins/sql/corrections.sql"),
    (1038, "coins/sql/policies.sql"),
    (1027, "coins/sql/windows.sql"),
    (1004, "coins/sql/deletion.sql"),
    (1038, "coins/sql/wallets.sql"),
    (1004, "coins/sql/settlements.sql"),
    (1038, "coins/sql/closing.sql"),
    (1004, "coins/sql/aggregation.sql"),
    (1004, "coins/sql/balances.sql"),
    (1004, "coins/sql/statements.sql"),
    (1004, "coins/sql/verification.sql"),
    (1004, "coins/sql/chain_records.sql"),
    (1004, "coins/sql/chain_sealing.sql"),
    (1004, "coins/sql/chain_reading.sql"),
    (1004, "coins/sql/triggers.sql"),
    (1033, "campaigns/sql/attributes.sql"),
    (1033, "campaigns/sql/attribute_triggers.sql"),
    (1006, "ideas/sql/triggers.sql"),
    (1024, "ideas/sql/draft_triggers.sql"),
    (1034, "ideas/sql/edit_triggers.sql"),
    (1031, "ideas/sql/figures.sql"),
    (1031, "ideas/sql/figure_triggers.sql"),
)

_DEFINED = re.compile(r"^CREATE (?:OR REPLACE FUNCTION|VIEW) app\.(\w+)", re.MULTILINE)
_FUNCTION = re.compile(r"^CREATE OR REPLACE FUNCTION app\.(\w+)\(", re.MULTILINE)
_TRIGGER = re.compile(r"CREATE (?:CONSTRAINT )?TRIGGER (?P<name>\w+)\s.*?\sON app\.(?P<table>\w+)\s.*", re.DOTALL)

_FIND_FUNCTIONS = """
    SELECT p.oid, p.oid::regprocedure::text, p.ctid::text, p.proname, p.prosqlbody IS NOT NULL,
        array(SELECT DISTINCT g.grantee::regrole::text FROM aclexplode(p.proacl) AS g
            WHERE g.grantee NOT IN (0, p.proowner))
    FROM pg_proc AS p
    WHERE p.pronamespace = 'app'::regnamespace AND p.proname <> ALL (%s)
        AND NOT EXISTS (
            SELECT FROM pg_depend AS d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
    ORDER BY p.oid
"""
_FIND_VIEWS = """
    SELECT c.relname FROM pg_class AS c
    WHERE c.relnamespace = 'app'::regnamespace AND c.relkind = 'v'
        AND NOT EXISTS (
            SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
"""
_FIND_TRIGGERS = """
    SELECT t.tgname, c.relname FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
    WHERE c.relnamespace = 'app'::regnamespace AND NOT t.tgisinternal AND t.tgparentid = 0
"""


def hashes(revision: int | None) -> dict[str, str]:
    """SHA-256 of the files and of the triggers that a database at this revision has, by name."""
    found = {path: _hash(_read(path)) for path in _files(revision)}
    return found | {_record_name(*key): _hash(statement) for key, statement in _triggers(revision).items()}


def defined_after(revision: int) -> frozenset[str]:
    """Files that need a later revision, with the names of the functions, views and triggers that they define."""
    later = [path for since, path in FILES if since > revision]
    names = {name for path in later for name in _DEFINED.findall(_read(path))}
    triggers = {_record_name(*key) for key in _declared(later)}
    return frozenset(later) | names | triggers


def drop_dependents(connection: Connection[Any], kept: frozenset[str]) -> None:
    """Drop what depends on tables and columns, except `kept`: views, and functions with a SQL-standard body."""
    with connection.cursor() as cursor:
        for (name,) in cursor.execute(_FIND_VIEWS).fetchall():
            if name not in kept:
                cursor.execute(sql.SQL("DROP VIEW {}").format(sql.Identifier("app", name)))
        bodies = [function[1] for function in _functions(cursor, kept) if function[4]]
        if bodies:
            # in one statement, since they may call each other
            cursor.execute(f"DROP FUNCTION {', '.join(bodies)}".encode())


def apply(connection: Connection[Any], revision: int | None, kept: frozenset[str]) -> None:
    """Apply the files whose tables exist at this revision, and drop all other routines; `kept` are not changed."""
    with connection.cursor() as cursor:
        for _, signature, _, _, _, roles in _functions(cursor, kept):
            if roles:
                cursor.execute(f"REVOKE ALL ON FUNCTION {signature} FROM {', '.join(roles)}".encode())
        before = {function[0]: function[2] for function in _functions(cursor, kept)}
        for path in _files(revision):
            if not path.endswith("triggers.sql"):
                _apply_file(connection, cursor, path)
        _apply_triggers(cursor, revision, kept)
        for oid, signature, position, *_ in _functions(cursor, kept):
            # a row of pg_proc that has not moved was not written by a file
            if before.get(oid) == position:
                cursor.execute(f"DROP FUNCTION {signature}".encode())
        if revision is not None:
            cursor.execute("DELETE FROM app.schema_routines WHERE name <> ALL (%s)", (list(kept),))
            cursor.executemany(
                "INSERT INTO app.schema_routines (name, hash) VALUES (%s, %s)", sorted(hashes(revision).items())
            )


def _apply_file(connection: Connection[Any], cursor: Cursor[Any], path: str) -> None:
    statements = _read(path)
    assert not re.search(r"^CREATE (CONSTRAINT )?TRIGGER", statements, re.MULTILINE), f"{path}: see triggers.sql"
    try:
        with connection.transaction():
            cursor.execute(statements.encode())
    except errors.InvalidFunctionDefinition:
        names = set(_FUNCTION.findall(statements))
        replaced = [function[1] for function in _functions(cursor, frozenset()) if function[3] in names]
        if not replaced:
            raise
        cursor.execute(f"DROP FUNCTION {', '.join(replaced)}".encode())
        cursor.execute(statements.encode())


def _apply_triggers(cursor: Cursor[Any], revision: int | None, kept: frozenset[str]) -> None:
    declared = _triggers(revision)
    found = cursor.execute(_FIND_TRIGGERS).fetchall()
    existing = {(name, table) for name, table in found if _record_name(name, table) not in kept}
    recorded: dict[str, str] = {}
    if revision is not None:
        recorded = dict(cursor.execute("SELECT name, hash FROM app.schema_routines").fetchall())
    for name, table in sorted(existing - declared.keys()):
        _drop_trigger(cursor, name, table)
    for (name, table), statement in declared.items():
        if (name, table) in existing:
            if recorded.get(_record_name(name, table)) == _hash(statement):
                continue
            _drop_trigger(cursor, name, table)
        cursor.execute(statement.encode())


def _drop_trigger(cursor: Cursor[Any], name: str, table: str) -> None:
    cursor.execute(sql.SQL("DROP TRIGGER {} ON {}").format(sql.Identifier(name), sql.Identifier("app", table)))


def _functions(cursor: Cursor[Any], kept: frozenset[str]) -> list[tuple[int, str, str, str, bool, list[str]]]:
    """Functions outside `VERSIONED` and `kept`.

    Columns: oid, signature, position of the row, name, has a SQL-standard body, granted roles.
    """
    return cursor.execute(_FIND_FUNCTIONS, ([*VERSIONED, *kept],)).fetchall()


def _files(revision: int | None) -> Iterator[str]:
    return (path for since, path in FILES if revision is not None and since <= revision)


def _triggers(revision: int | None) -> dict[tuple[str, str], str]:
    """Statements that a database at this revision has, by the name of the trigger and its table."""
    return _declared(_files(revision))


def _declared(paths: Iterable[str]) -> dict[tuple[str, str], str]:
    declared: dict[tuple[str, str], str] = {}
    for path in paths:
        if path.endswith("triggers.sql"):
            for part in re.sub(r"^--.*\n", "", _read(path), flags=re.MULTILINE).split(";\n"):
                if statement := part.strip():
                    found = _TRIGGER.fullmatch(statement)
                    assert found, f"{path} may only create triggers on tables of the schema app: {statement}"
                    declared[found["name"], found["table"]] = statement
    return declared


def _record_name(name: str, table: str) -> str:
    return f"trigger {name} on {table}"


def _read(path: str) -> str:
    return (API_DIR / path).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()
