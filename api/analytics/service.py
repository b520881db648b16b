"""Reports from the published marts; this domain reads no table of the application."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from anyio import CapacityLimiter, to_thread

from api.analytics import errors
from pipelines import marts, reports

AT_ONCE: Final = 2
"""Reports that are made at once in a process: each takes a core for a few tenths of a second."""

WAITING_MAX: Final = 8

_places = CapacityLimiter(AT_ONCE)


async def make_report(
    data_dir: Path,
    campaign_id: UUID,
    format: reports.Format,  # noqa: A002 - the API's word for it
    *,
    made_at: datetime,
) -> reports.Report:
    """A campaign's report from the newest snapshot under `data_dir`, made in a thread.

    Raises:
        NothingPublished: there is no snapshot.
        CampaignNotPublished: the newest snapshot was made before the campaign.
        ReportsBusy: :data:`WAITING_MAX` others wait already.
    """
    if _places.statistics().tasks_waiting >= WAITING_MAX:
        msg = f"{WAITING_MAX} reports wait to be made; try again in a few seconds."
        raise errors.ReportsBusy(msg)
    return await to_thread.run_sync(_make, data_dir, str(campaign_id), format, made_at, limiter=_places)


def _make(data_dir: Path, campaign_id: str, format: reports.Format, made_at: datetime) -> reports.Report:  # noqa: A002
    try:
        with marts.open_snapshot(data_dir, marts.Scope.of({campaign_id})) as reader:
            return reports.render(reader, campaign_id, format, made_at=made_at)
    except marts.NoSnapshot as error:
        msg = "Nothing is published yet; wait for the first refresh of the data platform."
        raise errors.NothingPublished(msg) from error
    except reports.UnknownCampaign as error:
        msg = "The newest published data was made before this campaign; wait for the next refresh."
        raise errors.CampaignNotPublished(msg, snapshot=error.snapshot_id) from error
