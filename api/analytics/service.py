"""Generates reports from the published marts; this domain reads no application tables."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import UUID

from anyio import CapacityLimiter, to_thread

from api.analytics import errors

if TYPE_CHECKING:
    from pipelines.report_formats import Format
    from pipelines.reports import Report

CONCURRENT_MAX: Final = 2
"""Reports generated concurrently in a process: each uses a core for a few tenths of a second."""

WAITING_MAX: Final = 8

_slots = CapacityLimiter(CONCURRENT_MAX)


async def make_report(
    data_dir: Path,
    campaign_id: UUID,
    format: Format,  # noqa: A002 - the name in the API
    *,
    made_at: datetime,
) -> Report:
    """A campaign's report from the newest snapshot under `data_dir`, generated in a thread.

    Raises:
        NothingPublished: there is no snapshot.
        CampaignNotPublished: the newest snapshot is older than the campaign.
        ReportsBusy: :data:`WAITING_MAX` other reports are waiting.
    """
    if _slots.statistics().tasks_waiting >= WAITING_MAX:
        msg = f"{WAITING_MAX} reports are waiting; try again in a few seconds."
        raise errors.ReportsBusy(msg)
    return await to_thread.run_sync(_make, data_dir, str(campaign_id), format, made_at, limiter=_slots)


def _make(data_dir: Path, campaign_id: str, format: Format, made_at: datetime) -> Report:  # noqa: A002
    # imported at the start of the API (`api.analytics.domain`)
    from pipelines import marts, reports

    try:
        with marts.open_snapshot(data_dir, marts.Scope.of({campaign_id})) as reader:
            return reports.render(reader, campaign_id, format, made_at=made_at)
    except marts.NoSnapshot as error:
        msg = "Nothing is published yet; wait for the first refresh of the data platform."
        raise errors.NothingPublished(msg) from error
    except reports.UnknownCampaign as error:
        msg = "The newest published data is older than this campaign; wait for the next refresh."
        raise errors.CampaignNotPublished(msg, snapshot=error.snapshot_id) from error
