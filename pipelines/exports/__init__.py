"""Exports of the marts: one DuckDB file and Parquet files, a folder per snapshot, published by replacing one symlink.

    staged = stage(url, tables, exports_dir)
    ...                       # checks that must pass before publication
    publish(staged)

Readers follow `current`, which always names a complete snapshot.
"""

from pipelines.exports.publishing import discard, note_refusal, prune, publish, snapshots
from pipelines.exports.staging import DATABASE_FILE, Manifest, Staged, TableFile, stage
from pipelines.marts import Refusal, find_refusal

__all__ = [
    "DATABASE_FILE",
    "Manifest",
    "Refusal",
    "Staged",
    "TableFile",
    "discard",
    "find_refusal",
    "note_refusal",
    "prune",
    "publish",
    "snapshots",
    "stage",
]
