"""The monthly reports as an asset."""

from datetime import UTC, datetime

import dagster as dg

from orchestration.defs.quality import SNAPSHOT
from orchestration.monthly import month_of, write_monthly_reports
from orchestration.resources import OWNERS
from settings import Settings


@dg.asset(
    key=dg.AssetKey(["reports", "campaigns"]),
    deps=[SNAPSHOT],
    group_name="reports",
    owners=OWNERS,
    kinds={"pdf", "xlsx"},
    description="A PDF and a workbook of every own campaign, in one folder per month under the data folder. "
    "If the newest data did not pass its checks, a notice replaces them.",
)
def campaign_reports(
    context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult[None]:
    """Write the reports of the month that yesterday is in."""
    now = datetime.now(UTC)
    made = write_monthly_reports(settings, month_of(now), made_at=now)
    if made.reasons:
        context.log.warning("no report was made because the newest data was refused:\n%s", "\n".join(made.reasons))
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(made.files),
            "folder": dg.MetadataValue.path(made.folder),
            "files": dg.MetadataValue.json([file.name for file in made.files]),
            "not_made_because": dg.MetadataValue.json(list(made.reasons)),
        }
    )
