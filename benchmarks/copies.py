"""The reference limit of large writes: COPY of the same rows into the same tables of another database.

COPY bypasses all functions, but no key, index, check or trigger.
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

# in the order that foreign keys require
TABLES = (
    *("users", "campaigns", "memberships", "election_imports", "ideas", "idea_tags", "idea_status_changes"),
    *("idea_valuations", "coin_policies", "coin_accounts", "coin_ledgers", "coin_targets", "coin_transfers"),
    *("coin_postings", "events", "idempotent_responses"),
)


def fresh_database(settings: Settings, name: str) -> Settings:
    """Create a migrated database with this name on the server of `settings`."""
    url = databases.with_database(str(settings.database.url), name)
    fresh = settings.with_(database_url=PostgresDsn(url))
    databases.prepare(postgres.admin_url(fresh), fresh)
    postgres.migrate(fresh)
    return fresh


def read_rows(url: str, conditions: Mapping[str, sql.Composable] | None = None) -> dict[str, bytes]:
    """Rows by table in COPY format; with `conditions`, only these tables and the rows that meet the condition."""
    chosen = dict.fromkeys(TABLES, sql.SQL("true")) if conditions is None else conditions
    rows: dict[str, bytes] = {}
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        for table in (table for table in TABLES if table in chosen):
            # COPY reads a partitioned table such as events only by a query
            query = sql.SQL("COPY (SELECT * FROM app.{} WHERE {}) TO STDOUT")
            with cursor.copy(query.format(sql.Identifier(table), chosen[table])) as copy:
                rows[table] = b"".join(copy)
    return rows


def copy_rows(url: str, rows_by_table: Mapping[str, bytes]) -> tuple[float, dict[str, int]]:
    """Copy the rows; returns the seconds of COPY and COMMIT, and the number of rows by table."""
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
    """Assert that the copied rows are a complete ledger, so that the comparison is valid."""
    with psycopg.connect(url) as connection:
        wrong = connection.execute(
            "SELECT count(*) FROM app.coins_verify() WHERE difference_coins + wrong_balances + unbalanced_transfers <> 0"
        ).fetchone()
    if wrong != (0,):
        msg = "the copied rows do not conserve coins"
        raise AssertionError(msg)
