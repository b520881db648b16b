"""Read access to the published marts. No other Python code of readers names a mart table.

    with marts.open_snapshot(data_dir, marts.Scope.of({campaign_id})) as reader:
        reader.figures(campaign_id)

A reader uses one snapshot as long as it is open, also when a newer one is published meanwhile. It sees only the
campaigns of its scope: the tables that it queries are views that contain no others.
"""

from pipelines.marts.privacy import GROUP_SIZE_MIN
from pipelines.marts.reader import Marts, open_snapshot
from pipelines.marts.records import Campaign, Figure, Measure, Period, Snapshot
from pipelines.marts.scopes import Scope
from pipelines.marts.snapshots import NoSnapshot, OutOfScope, UnknownCampaign, published

__all__ = [
    "GROUP_SIZE_MIN",
    "Campaign",
    "Figure",
    "Marts",
    "Measure",
    "NoSnapshot",
    "OutOfScope",
    "Period",
    "Scope",
    "Snapshot",
    "UnknownCampaign",
    "open_snapshot",
    "published",
]
