"""A warehouse with tables of unusual values and types; exports read the definitions from PostgreSQL's catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.factories.warehouse import database_of_its_own

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settings import Settings

UNUSUAL_TEXTS = (
    "",
    None,
    "\\N",
    "NULL",
    '"quoted", and a comma',
    "two\nlines\r\nand a carriage return",
    "back\\slash \\. \\n",
    "=HYPERLINK(\"http://x\",'y')",
    "Łódź żółć 🌱 \u2028 \t tab",
    "'; DROP TABLE marts; --",
)


@pytest.fixture(scope="session")
def warehouse(server: Settings, worker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with database_of_its_own(server, f"exports_{worker}", tmp_path_factory.mktemp("exports")) as settings:
        with psycopg.connect(settings.database.role_url("dbt")) as connection:
            connection.execute("CREATE SCHEMA IF NOT EXISTS marts")
            connection.execute("GRANT USAGE ON SCHEMA marts TO ideamint_reader")
            connection.execute(
                'CREATE TABLE marts.dim_unusual (n integer, id uuid, "text" text, big bigint, amount numeric(18, 2), '
                "ratio double precision, is_set boolean, day date, at timestamptz)"
            )
            connection.execute(
                "COMMENT ON COLUMN marts.dim_unusual.text IS 'What people''s \"words\" are; all of them.'"
            )
            with connection.cursor() as cursor:
                cursor.executemany(
                    "INSERT INTO marts.dim_unusual VALUES (%s, '00000000-0000-0000-0000-0000000000ab', %s, 9007199254740993, "
                    "1234567890123456.78, 0.1, true, '2025-06-30', '2025-06-30 23:59:59.123456+02')",
                    list(enumerate(UNUSUAL_TEXTS)),
                )
            connection.execute("INSERT INTO marts.dim_unusual (n) VALUES (99)")
            connection.execute("CREATE TABLE marts.dim_empty (id uuid, name text)")
            connection.execute("CREATE TABLE marts.dim_unsupported (id uuid, extent int4range)")
            connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA marts TO ideamint_reader")
        yield settings
