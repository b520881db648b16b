"""The schema of this version contains everything that the API of the last release uses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import psycopg
import pytest

from cli.local import databases, postgres

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from settings import Settings
    from tests.upgrade.conftest import Installation

# each function that the API may call: name, argument types, and each column of the result, or its type
FUNCTIONS = """
    SELECT p.proname, p.oid::regprocedure::text, coalesce(r.name, ''), format_type(coalesce(r.type, p.prorettype), NULL)
    FROM pg_proc AS p
    LEFT JOIN LATERAL unnest(p.proargnames, p.proallargtypes, p.proargmodes) AS r (name, type, mode) ON r.mode IN ('o', 't')
    WHERE p.pronamespace = 'app'::regnamespace AND has_function_privilege('ideamint_app', p.oid, 'EXECUTE')
"""
COLUMNS = """
    SELECT a.attname, c.relname, format_type(a.atttypid, a.atttypmod)
    FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
    WHERE c.relnamespace = 'app'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
        AND a.attnum > 0 AND NOT a.attisdropped
        AND has_column_privilege('ideamint_app', c.oid, a.attnum, 'SELECT, INSERT, UPDATE')
"""
# an insert that does not name these columns fails
REQUIRED = """
    SELECT a.attname, c.relname, format_type(a.atttypid, a.atttypmod)
    FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
    WHERE c.relnamespace = 'app'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
        AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull AND NOT a.atthasdef AND a.attidentity = ''
        AND has_table_privilege('ideamint_app', c.oid, 'INSERT')
"""


@pytest.fixture
def earlier(installation: Installation) -> Iterator[psycopg.Connection]:
    """The database of the last release, before this version migrates it."""
    with psycopg.connect(installation.admin_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def present(server: Settings, database: Settings) -> Iterator[psycopg.Connection]:
    """A database of this version."""
    name = databases.database_name(str(database.database.url))
    with psycopg.connect(databases.with_database(postgres.admin_url(server), name), autocommit=True) as connection:
        yield connection


def words(folder: Path) -> set[str]:
    """The identifiers in the code of the API, except in migrations."""
    paths = [path for path in (folder / "api").rglob("*") if path.suffix in {".py", ".sql"}]
    texts = [path.read_text() for path in paths if "migrations" not in path.parts]
    return {word for text in texts for word in re.findall(r"\w+", text)}


def called_functions(folder: Path) -> set[str]:
    """Functions of the schema that the API's Python code calls by name."""
    texts = [path.read_text() for path in (folder / "api").rglob("*.py") if "migrations" not in path.parts]
    return {name for text in texts for name in re.findall(r"\bapp\.(\w+)", text)}


class TestThisSchema:
    def test_has_every_function_that_the_last_release_calls(
        self, installation: Installation, earlier: psycopg.Connection, present: psycopg.Connection
    ) -> None:
        called = called_functions(installation.folder)
        needed = {row for row in earlier.execute(FUNCTIONS).fetchall() if row[0] in called}
        assert {"coins_move", "coins_set_policy"} <= {row[0] for row in needed}
        assert needed - set(present.execute(FUNCTIONS).fetchall()) == set()

    def test_has_every_column_that_the_last_release_names(
        self, installation: Installation, earlier: psycopg.Connection, present: psycopg.Connection
    ) -> None:
        named = words(installation.folder)
        needed = {row for row in earlier.execute(COLUMNS).fetchall() if row[0] in named}
        assert ("title", "ideas", "text") in needed
        assert needed - set(present.execute(COLUMNS).fetchall()) == set()

    def test_requires_no_column_that_the_last_release_does_not_write(
        self, earlier: psycopg.Connection, present: psycopg.Connection
    ) -> None:
        tables = {table for _, table, _ in earlier.execute(COLUMNS).fetchall()}
        required = {row for row in present.execute(REQUIRED).fetchall() if row[1] in tables}
        assert ("status", "ideas", "text") in required
        assert required - set(earlier.execute(REQUIRED).fetchall()) == set()
