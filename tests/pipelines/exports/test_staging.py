"""The files contain the values of the warehouse."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from decimal import Decimal
from typing import TYPE_CHECKING

import duckdb
import psycopg
import pytest

from pipelines.exports import DATABASE_FILE, stage
from tests.pipelines.exports.conftest import UNUSUAL_TEXTS

if TYPE_CHECKING:
    from pathlib import Path

    from settings import Settings

TABLES = ("dim_unusual", "dim_empty")


class TestStage:
    def test_keeps_every_value_and_type(self, warehouse: Settings, tmp_path: Path) -> None:
        staged = stage(warehouse.database.role_url("reader"), TABLES, tmp_path, 7)

        with duckdb.connect(str(staged.folder / DATABASE_FILE), read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            for source in ("dim_unusual", f"read_parquet('{staged.folder}/dim_unusual.parquet')"):
                rows = connection.execute(
                    f'SELECT * REPLACE ("at"::VARCHAR AS "at") FROM {source} ORDER BY n'
                ).fetchall()
                assert [row[2] for row in rows[:-1]] == list(UNUSUAL_TEXTS)
                assert rows[0][1] == "00000000-0000-0000-0000-0000000000ab"
                assert rows[0][3:] == (
                    9007199254740993, Decimal("1234567890123456.78"), 0.1, True, dt.date(2025, 6, 30),
                    "2025-06-30 21:59:59.123456+00",
                )  # fmt: skip
                assert rows[-1] == (99, None, None, None, None, None, None, None, None)
            types = dict(
                connection.execute(
                    "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'dim_unusual'"
                ).fetchall()
            )
        assert types == {
            "n": "INTEGER", "id": "VARCHAR", "text": "VARCHAR", "big": "BIGINT", "amount": "DECIMAL(18,2)", "ratio": "DOUBLE",
            "is_set": "BOOLEAN", "day": "DATE", "at": "TIMESTAMP WITH TIME ZONE",
        }  # fmt: skip

    def test_writes_a_storage_version_that_duckdb_1_opens(self, warehouse: Settings, tmp_path: Path) -> None:
        staged = stage(warehouse.database.role_url("reader"), TABLES, tmp_path, 7)

        header = (staged.folder / DATABASE_FILE).read_bytes()[:20]
        assert header[8:12] == b"DUCK"
        assert int.from_bytes(header[12:20], "little") == 64  # version of 1.0; 1.2 and later write higher numbers

    def test_copies_the_comments(self, warehouse: Settings, tmp_path: Path) -> None:
        staged = stage(warehouse.database.role_url("reader"), TABLES, tmp_path, 7)

        with duckdb.connect(str(staged.folder / DATABASE_FILE), read_only=True) as connection:
            comments = connection.execute(
                "SELECT column_name, comment FROM duckdb_columns() WHERE comment IS NOT NULL"
            ).fetchall()
        assert comments == [("text", 'What people\'s "words" are; all of them.')]

    def test_writes_rows_and_hashes_to_the_manifest(self, warehouse: Settings, tmp_path: Path) -> None:
        staged = stage(warehouse.database.role_url("reader"), TABLES, tmp_path, 7)

        manifest = json.loads((staged.folder / "manifest.json").read_text())
        assert manifest["snapshot"] == staged.manifest.snapshot
        assert dt.datetime.fromisoformat(manifest["created_at"]).tzinfo is not None
        assert {name: table["rows"] for name, table in manifest["tables"].items()} == {
            "dim_unusual": 11,
            "dim_empty": 0,
        }
        for entry in (*manifest["tables"].values(), manifest["database"]):
            assert entry["sha256"] == hashlib.sha256((staged.folder / entry["file"]).read_bytes()).hexdigest()
        assert {path.name for path in staged.folder.iterdir()} == {
            "manifest.json", "marts.duckdb", "dim_unusual.parquet", "dim_empty.parquet",
        }  # fmt: skip

    def test_does_not_publish(self, warehouse: Settings, tmp_path: Path) -> None:
        staged = stage(warehouse.database.role_url("reader"), TABLES, tmp_path, 7)

        assert staged.folder.name.startswith(".")
        assert not (tmp_path / "current").exists()

    @pytest.mark.parametrize(
        ("table", "error"),
        [("dim_unsupported", ValueError), ("dim_missing", psycopg.errors.UndefinedTable)],
    )
    def test_removes_the_folder_after_an_error(
        self, warehouse: Settings, tmp_path: Path, table: str, error: type[Exception]
    ) -> None:
        with pytest.raises(error, match=table):
            stage(warehouse.database.role_url("reader"), ("dim_unusual", table), tmp_path, 7)

        assert list(tmp_path.iterdir()) == []
