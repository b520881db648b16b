"""The published snapshot as an asset."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg

from orchestration import refresh
from orchestration.defs import quality
from orchestration.resources import OWNERS
from pipelines import warehouse
from pipelines.builds import BuildLock
from pipelines.exports import Manifest
from settings import Settings


def snapshot() -> dg.AssetsDefinition:
    """The DuckDB file and the Parquet files of all marts.

    Staging, checks and publication are one step, so that no unchecked snapshot can be published.
    """

    @dg.asset(
        key=quality.SNAPSHOT,
        deps=[dg.AssetKey([warehouse.MARTS_SCHEMA, name]) for name in warehouse.marts()],
        check_specs=quality.CHECKS,
        group_name="exports",
        owners=OWNERS,
        kinds={"duckdb", "parquet"},
        description="All marts as one DuckDB file and as Parquet, checked before `current` points to them.",
    )
    def publish(settings: dg.ResourceParam[Settings], build_lock: dg.ResourceParam[BuildLock]) -> Iterator[Any]:
        progress = refresh.Silent()
        staged = refresh.stage(settings, progress)
        report = refresh.inspect(settings, staged, progress)
        yield from quality.results(report)
        folder, pruned = refresh.publish(settings, staged, report, build_lock)
        metadata = {**snapshot_metadata(staged.manifest, folder), "pruned": dg.MetadataValue.json(pruned)}
        yield dg.MaterializeResult(asset_key=quality.SNAPSHOT, metadata=metadata)

    return publish


def snapshot_metadata(manifest: Manifest, folder: Path) -> dict[str, Any]:
    """What Dagster's page shows of a published snapshot."""
    rows = {name: table.rows for name, table in manifest.tables.items()}
    return {
        "dagster/row_count": sum(rows.values()),
        "snapshot": manifest.snapshot,
        "build_id": manifest.build_id,
        "folder": dg.MetadataValue.path(folder),
        "rows": dg.MetadataValue.json(rows),
        "sha256": manifest.database.sha256,
    }
