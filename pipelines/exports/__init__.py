"""Marts into files: one DuckDB file and Parquet, a folder a snapshot, published by replacing one symlink.

    staged = stage(url, tables, exports_dir)
    ...                       # whatever has to hold before anybody sees it
    publish(staged)

Readers follow `current`, which always names a complete snapshot.
"""

from pipelines.exports.publishing import Refusal, discard, find_refusal, note_refusal, prune, publish, snapshots
from pipelines.exports.staging import DATABASE_FILE, Manifest, Staged, TableFile, stage

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
