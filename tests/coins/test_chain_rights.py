"""The rights of each role on the chain, and the protection of its key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
import pytest_asyncio
from sqlalchemy.exc import DBAPIError

from api.kernel.db import Database
from cli.local import databases, postgres
from tests.factories.ledgers import Ledger, make_ledger, seal_now
from tests.factories.warehouse import database_of_its_own

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from settings import Settings

TABLES = ("coin_chains", "coin_blocks", "coin_block_transfers", "coin_seals")
HEAD = "campaign_id, height, hash, sealed_transfers, sealed_at"


@pytest_asyncio.fixture(scope="module", autouse=True)
async def ledger(quiet_db: Database) -> Ledger:
    """A sealed ledger, which no test can change."""
    async with quiet_db.session() as session:
        ledger = await make_ledger(session)
    await seal_now(quiet_db)
    return ledger


@pytest.fixture
def as_app(quiet_database: Settings) -> Iterator[psycopg.Connection]:
    """A connection with the role of the API."""
    with psycopg.connect(quiet_database.database.role_url("app"), autocommit=True) as connection:
        yield connection


@pytest.fixture
def as_dbt(quiet_database: Settings) -> Iterator[psycopg.Connection]:
    """A connection with the role of dbt."""
    with psycopg.connect(quiet_database.database.role_url("dbt"), autocommit=True) as connection:
        yield connection


@pytest.fixture
def as_owner(quiet_admin_url: str) -> Iterator[psycopg.Connection]:
    """A connection with the role that owns the schema."""
    with psycopg.connect(quiet_admin_url) as connection:
        connection.execute("SET ROLE ideamint_owner")
        connection.execute("SET search_path = app")
        yield connection
        connection.rollback()


class TestTheApplication:
    @pytest.mark.parametrize("table", TABLES)
    @pytest.mark.parametrize(
        "statement",
        ["UPDATE app.{} SET {} = NULL", "DELETE FROM app.{}", "TRUNCATE app.{}", "INSERT INTO app.{} DEFAULT VALUES"],
    )
    def test_changes_nothing_itself(self, as_app: psycopg.Connection, table: str, statement: str) -> None:
        column = "sealed_xid" if table == "coin_seals" else "campaign_id"
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            as_app.execute(statement.format(table, column).encode())

    @pytest.mark.parametrize("column", ["key", "inner_key", "outer_key", "*", "c"])
    def test_does_not_read_the_key(self, as_app: psycopg.Connection, column: str) -> None:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            as_app.execute(f"SELECT {column} FROM app.coin_chains AS c".encode())

    @pytest.mark.parametrize(
        "query",
        [
            "SELECT debit_member FROM app.coin_records",
            "SELECT app.coins_hmac('a', 'b', 'member|1')",
            "SELECT app.coins_pad_key('a', 54)",
        ],
    )
    def test_cannot_compute_a_keyed_hash(self, as_app: psycopg.Connection, query: str) -> None:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            as_app.execute(query.encode())

    def test_reads_heads_and_blocks(self, as_app: psycopg.Connection, ledger: Ledger) -> None:
        assert as_app.execute(
            f"SELECT {HEAD} FROM app.coin_chains WHERE campaign_id = %s", (ledger.campaign_id,)
        ).fetchone()
        for table in TABLES[1:]:
            assert as_app.execute(f"SELECT * FROM app.{table}".encode()).fetchone()


class TestDbt:
    def test_reads_heads(self, as_dbt: psycopg.Connection, ledger: Ledger) -> None:
        assert as_dbt.execute(
            f"SELECT {HEAD} FROM app.coin_chains WHERE campaign_id = %s", (ledger.campaign_id,)
        ).fetchone()

    @pytest.mark.parametrize(
        "query",
        [
            *(f"SELECT {column} FROM app.coin_chains" for column in ("key", "inner_key", "outer_key", "*")),
            *(f"SELECT 1 FROM app.{name}" for name in (*TABLES[1:], "coin_records")),
            "SELECT app.coins_seal(1)",
            "SELECT app.coins_check_chain(NULL, 1)",
            "SELECT app.coins_export_chain(NULL, 1, 0, 0, 1)",
        ],
    )
    def test_reads_nothing_else_and_calls_nothing(self, as_dbt: psycopg.Connection, query: str) -> None:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            as_dbt.execute(query.encode())


class TestTheOwner:
    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE coin_blocks SET hash = previous_hash",
            "DELETE FROM coin_blocks",
            "UPDATE coin_block_transfers SET position = position + 1",
            "DELETE FROM coin_block_transfers",
            "DELETE FROM coin_chains",
            "DELETE FROM coin_seals",
            *(f"TRUNCATE {table}" for table in TABLES),
        ],
    )
    def test_cannot_rewrite_the_chain(self, as_owner: psycopg.Connection, statement: str) -> None:
        with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
            as_owner.execute(statement.encode())

    def test_cannot_change_a_key(self, as_owner: psycopg.Connection) -> None:
        with pytest.raises(psycopg.errors.RestrictViolation, match="key of a chain"):
            as_owner.execute("UPDATE coin_chains SET key = sha256(key)")


class TestMigration:
    def test_a_downgrade_and_an_upgrade_succeed_while_nothing_is_sealed(
        self, server: Settings, worker: str, tmp_path: Path
    ) -> None:
        with database_of_its_own(server, f"chain_down_{worker}", tmp_path) as settings:
            url = databases.with_database(
                postgres.admin_url(server), databases.database_name(str(settings.database.url))
            )

            def names() -> set[str]:
                with psycopg.connect(url) as connection:
                    rows = connection.execute(
                        "SELECT relname FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relkind IN ('r', 'v') "
                        "UNION SELECT proname FROM pg_proc WHERE pronamespace = 'app'::regnamespace"
                    )
                    return {name for (name,) in rows}

            newest = names()
            databases.downgrade(url, "1003")
            assert {name for name in names() if name.startswith("coin")} == set()
            databases.migrate(url)
            assert names() == newest

    async def test_a_downgrade_is_refused_if_transfers_are_sealed(self, quiet_admin_url: str, ledger: Ledger) -> None:
        with pytest.raises(DBAPIError, match="holds"):
            databases.downgrade(quiet_admin_url, "1003")
        with psycopg.connect(quiet_admin_url) as connection:
            assert (
                connection.execute(
                    "SELECT FROM app.coin_blocks WHERE campaign_id = %s", (ledger.campaign_id,)
                ).fetchone()
                == ()
            )
