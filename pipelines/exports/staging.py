"""Writes a snapshot of the marts into a folder that readers do not use yet."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import psycopg
from psycopg import sql

MANIFEST_FILE = "manifest.json"
DATABASE_FILE = "marts.duckdb"
STORAGE_VERSION = "v1.0.0"  # readable by DuckDB 1.x too, unlike the default of 2.0
STAGING_PREFIX = ".staging-"

_SCHEMA = "marts"
# ids are stored as text, for readers without a UUID type
_TYPES = {
    "uuid": "VARCHAR",
    "text": "VARCHAR",
    "boolean": "BOOLEAN",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "double precision": "DOUBLE",
    "date": "DATE",
    "timestamp with time zone": "TIMESTAMPTZ",
}

Advance = Callable[[int, int], None]


@dataclass(frozen=True)
class TableFile:
    """A table's Parquet file: its name in the folder, its rows and its SHA-256 in hexadecimal."""

    file: str
    rows: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The contents of a snapshot. `created_at` (UTC) is when the marts were read; all are of one build."""

    snapshot: str
    created_at: datetime
    build_id: int
    database: TableFile
    tables: Mapping[str, TableFile]

    def write(self, folder: Path) -> None:
        """Write it as manifest.json."""
        content = {
            "snapshot": self.snapshot,
            "created_at": self.created_at.isoformat(),
            "build_id": self.build_id,
            "storage_version": STORAGE_VERSION,
            "database": asdict(self.database),
            "tables": {name: asdict(table) for name, table in self.tables.items()},
        }
        (folder / MANIFEST_FILE).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Staged:
    """A complete snapshot that is not published yet."""

    folder: Path
    manifest: Manifest


@dataclass(frozen=True)
class _Column:
    name: str
    type: str
    comment: str | None


def stage(url: str, tables: Sequence[str], exports_dir: Path, build_id: int, progress: Advance | None = None) -> Staged:
    """Write the marts' current state into a new folder under `exports_dir`.

    All tables are read in one transaction. The caller holds the build lock, so no build replaces them meanwhile.

    Args:
        url: libpq URL of a log-in that may read the schema marts (ideamint_reader is enough).
        tables: names of the marts.
        exports_dir: folder of the snapshots; created if it is missing.
        build_id: the build that all these tables are of.
        progress: called with the number of finished tables and the number of all tables.

    Raises:
        psycopg.Error: a table does not exist or cannot be read.
        ValueError: a column has a type that the files do not support.
    """
    created_at = datetime.now(UTC)
    snapshot = f"{created_at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    folder = exports_dir / f"{STAGING_PREFIX}{snapshot}"
    folder.mkdir(parents=True)
    try:
        files = _write(url, tables, folder, progress)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    manifest = Manifest(snapshot, created_at, build_id, files.pop(DATABASE_FILE), files)
    manifest.write(folder)
    return Staged(folder, manifest)


def _write(url: str, tables: Sequence[str], folder: Path, progress: Advance | None) -> dict[str, TableFile]:
    """Files by table name; the DuckDB file is included under its file name."""
    files: dict[str, TableFile] = {}
    rows_total = 0
    database = folder / DATABASE_FILE
    with psycopg.connect(url, options="-c TimeZone=UTC -c DateStyle=ISO") as source, duckdb.connect() as target:
        source.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        source.read_only = True
        target.execute("SET TimeZone = 'UTC'")
        target.execute(f"ATTACH {_text(str(database))} AS marts (STORAGE_VERSION '{STORAGE_VERSION}')")
        for done, table in enumerate(tables, start=1):
            rows = _copy(source, target, table, folder)
            parquet = folder / f"{table}.parquet"
            target.execute(
                f"COPY marts.main.{_name(table)} TO {_text(str(parquet))} (FORMAT parquet, COMPRESSION zstd)"
            )
            files[table] = TableFile(parquet.name, rows, _sha256(parquet))
            rows_total += rows
            if progress is not None:
                progress(done, len(tables))
        target.execute("DETACH marts")
    files[DATABASE_FILE] = TableFile(database.name, rows_total, _sha256(database))
    return files


def _copy(source: psycopg.Connection, target: duckdb.DuckDBPyConnection, table: str, folder: Path) -> int:
    """Copy a table with its comments; return its number of rows."""
    columns = _columns(source, table)
    target.execute(
        f"CREATE TABLE marts.main.{_name(table)} ({', '.join(f'{_name(c.name)} {c.type}' for c in columns)})"
    )
    for column in columns:
        if column.comment:
            comment = _text(column.comment)
            target.execute(f"COMMENT ON COLUMN marts.main.{_name(table)}.{_name(column.name)} IS {comment}")
    spool = folder / f"{table}.csv"
    copy = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT (FORMAT csv, ENCODING 'UTF8')").format(
        sql.SQL(", ").join(sql.Identifier(column.name) for column in columns), sql.Identifier(_SCHEMA, table)
    )
    with source.cursor() as cursor, cursor.copy(copy) as chunks, spool.open("wb") as file:
        for chunk in chunks:
            file.write(chunk)
        rows = cursor.rowcount
    types = ", ".join(f"{_text(column.name)}: {_text(column.type)}" for column in columns)
    # COPY writes null as an empty value without quotes, and an empty text as "".
    loaded = target.execute(
        f"INSERT INTO marts.main.{_name(table)} SELECT * FROM read_csv({_text(str(spool))}, columns = {{{types}}}, "  # noqa: S608 - quoted
        "header = false, auto_detect = false, delim = ',', quote = '\"', escape = '\"', new_line = '\\n', "
        "nullstr = '', allow_quoted_nulls = false, parallel = false, max_line_size = 16777216)"
    ).fetchone()
    spool.unlink()
    if loaded is None or loaded[0] != rows:
        msg = f"{table}: PostgreSQL returned {rows} rows, the file has {loaded and loaded[0]}"
        raise ValueError(msg)
    return int(rows)


def _columns(source: psycopg.Connection, table: str) -> list[_Column]:
    found = source.execute(
        "SELECT attname, format_type(atttypid, atttypmod), col_description(attrelid, attnum) FROM pg_attribute "
        "WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        (f'"{_SCHEMA}"."{table}"',),
    ).fetchall()
    return [_Column(name, _duckdb_type(table, name, kind), comment) for name, kind, comment in found]


def _duckdb_type(table: str, column: str, kind: str) -> str:
    if kind.startswith("numeric("):
        return f"DECIMAL{kind.removeprefix('numeric')}"
    if kind not in _TYPES:
        msg = f"{table}.{column} has the type {kind}, which the files do not support"
        raise ValueError(msg)
    return _TYPES[kind]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _name(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
