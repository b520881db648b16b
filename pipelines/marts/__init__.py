"""Read access to the published marts. Dashboards, reports and the API do not name mart tables themselves.

    with marts.open_snapshot(data_dir, marts.Scope.of({campaign_id})) as reader:
        reader.figures(campaign_id)

An open reader keeps its snapshot, even if a newer one is published meanwhile. It queries views that contain only the
campaigns of its scope.
"""

from pipelines.marts.reader import Marts, open_snapshot
from pipelines.marts.records import Campaign, Figure, Measure, Period, Snapshot
from pipelines.marts.refusals import Refusal, find_refusal
from pipelines.marts.scopes import Scope
from pipelines.marts.snapshots import NoSnapshot, OutOfScope, UnknownCampaign, published
from pipelines.privacy import GROUP_SIZE_MIN

__all__ = [
    "GROUP_SIZE_MIN",
    "Campaign",
    "Figure",
    "Marts",
    "Measure",
    "NoSnapshot",
    "OutOfScope",
    "Period",
    "Refusal",
    "Scope",
    "Snapshot",
    "UnknownCampaign",
    "find_refusal",
    "open_snapshot",
    "published",
]
