"""Maintenance as an asset: the partitions of the next months of events."""

import dagster as dg

from api.events.handlers import PARTITIONS_AHEAD_MONTHS
from orchestration.maintenance import maintain
from orchestration.resources import OWNERS
from settings import Settings


@dg.asset(
    key=dg.AssetKey(["maintenance", "event_partitions"]),
    group_name="maintenance",
    owners=OWNERS,
    kinds={"postgres"},
    description=f"A partition of app.events for each of the next {PARTITIONS_AHEAD_MONTHS} months. Folders of old dbt runs are removed.",
)
def event_partitions(settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult[None]:
    """Run the maintenance."""
    done = maintain(settings)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": PARTITIONS_AHEAD_MONTHS,
            "partitions_made": done.partitions_made,
            "runs_removed": done.runs_removed,
            "sources": dg.MetadataValue.json(
                {s.source: f"{s.written_at}{', quiet' if s.is_quiet else ''}" for s in done.sources}
            ),
        }
    )
