"""The limit that a large write is measured beside: COPY of the very same rows into the same tables of another database.

What is copied went past all functions, but not past any key, index, check or trigger.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from pydantic import PostgresDsn

from cli.local import databases, postgres

if TYPE_CHECKING:
    from collections.abc import Mapping

    from settings import Settings

# in an order that foreign keys allow
TABLES = (
    *("users", "campaigns", "memberships", "election_imports", "ideas", "idea_tags", "idea_status_changes"),
    *("idea_valuations", "coin_policies", "coin_accounts", "coin_ledgers", "coin_targets", "coin_transfers"),
    *("coin_postings", "events", "idempotent_replies"),
)


def fresh_database(settings: Settings, name: str) -> Settings:
    """A migrated database of that name on the server of `settings`."""
    url = databases.with_database(str(settings.database.url), name)
    fresh = settings.with_(database_url=PostgresDsn(url))
    databases.prepare(postgres.admin_url(fresh), fresh)
    postgres.migrate(fresh)
    return fresh


def read_rows(url: str, conditions: Mapping[str, sql.Composable] | None = None) -> dict[str, bytes]:
    """What COPY gives of each table; with `conditions` the rows that meet them, of the tables that they name."""
    chosen = dict.fromkeys(TABLES, sql.SQL("true")) if conditions is None else conditions
    rows: dict[str, bytes] = {}
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        for table in (table for table in TABLES if table in chosen):
            # events is partitioned, and such a table is read by a query alone
            query = sql.SQL("COPY (SELECT * FROM app.{} WHERE {}) TO STDOUT")
            with cursor.copy(query.format(sql.Identifier(table), chosen[table])) as copy:
                rows[table] = b"".join(copy)
    return rows


def copy_rows(url: str, rows_by_table: Mapping[str, bytes]) -> tuple[float, dict[str, int]]:
    """Seconds that COPY and COMMIT take, and rows by table."""
    counted: dict[str, int] = {}
    with psycopg.connect(url) as connection:
        started = time.perf_counter()
        with connection.cursor() as cursor:
            for table, rows in rows_by_table.items():
                with cursor.copy(sql.SQL("COPY app.{} FROM STDIN").format(sql.Identifier(table))) as copy:
                    copy.write(rows)
                counted[table] = cursor.rowcount
        connection.commit()
        return time.perf_counter() - started, counted


def check_conservation(url: str) -> None:
    """See that what was copied is a whole ledger, or the comparison is not of the same thing."""
    with psycopg.connect(url) as connection:
        wrong = connection.execute(
            "SELECT count(*) FROM app.coins_verify() WHERE difference_coins + wrong_balances + unbalanced_transfers <> 0"
        ).fetchone()
    if wrong != (0,):
        msg = "the copied rows do not conserve coins"
        raise AssertionError(msg)
