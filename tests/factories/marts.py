"""A small, complete, published snapshot of the marts with fixed content, for tests of their readers.

Four campaigns of a company and two imported elections. `write_snapshot` publishes it like the export: one folder
per snapshot, and the symlink `current`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from tests.factories.marts_tables import TABLES
from tests.factories.marts_world import rows

CREATED_AT = datetime(2026, 6, 30, 4, 0, tzinfo=UTC)


def write_snapshot(
    data_dir: Path,
    snapshot: str = "20260630T040000Z",
    *,
    created_at: datetime = CREATED_AT,
    changes: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
) -> Path:
    """Publish the snapshot under `data_dir/exports` and return its folder.

    `changes` replaces the rows of some tables. An older snapshot is kept in its folder.
    """
    folder = data_dir / "exports" / snapshot
    folder.mkdir(parents=True)
    content = {**rows(), **(changes or {})}
    connection = duckdb.connect()
    try:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"ATTACH '{folder / 'marts.duckdb'}' AS target (STORAGE_VERSION 'v1.0.0')")
        connection.execute("USE target")
        tables = {name: _write(connection, folder, name, content[name]) for name in TABLES}
    finally:
        connection.close()
    manifest = {"snapshot": snapshot, "created_at": created_at.isoformat(), "tables": tables}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2), encoding="utf-8")
    link = data_dir / "exports" / f".current-{snapshot}"
    link.symlink_to(snapshot)
    os.replace(link, data_dir / "exports" / "current")  # noqa: PTH105 - Path.replace follows the symlink on some systems
    return folder


def _write(
    connection: duckdb.DuckDBPyConnection, folder: Path, name: str, content: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    columns = TABLES[name]
    connection.execute(f"CREATE TABLE {name} ({', '.join(f'{column} {kind}' for column, kind in columns.items())})")
    frame = pl.DataFrame(
        {column: [row.get(column) for row in content] for column in columns}, strict=False, infer_schema_length=None
    )
    connection.register("content", frame.to_arrow())
    connection.execute(f"INSERT INTO {name} FROM content")
    connection.unregister("content")
    file = folder / f"{name}.parquet"
    connection.execute(f"COPY {name} TO '{file}' (FORMAT parquet)")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return {"rows": len(content), "file": file.name, "sha256": digest}
