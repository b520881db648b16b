"""The one door to the published marts: no other Python for readers names a mart table.

    with marts.open_snapshot(data_dir, marts.Scope.of({campaign_id})) as reader:
        reader.figures(campaign_id)

A reader stands on one snapshot for as long as it is open, even when a newer one is published meanwhile, and sees only
the campaigns of its scope: the tables it queries are views that hold no others.
"""

from pipelines.marts.reader import GROUP_SIZE_MIN, Marts, open_snapshot
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
