"""Builds of the warehouse: one at a time, each with an id that its marts carry.

with hold_build_lock(url, "ideamint refresh", report) as lock:
    with lock.begin() as build:
        ...                       # dbt runs with this build's id
    build_id = publishable(url, tables)
"""

from pipelines.builds.differences import describe_differences
from pipelines.builds.lock import BuildLock, BuildLockLost, Report, hold_build_lock
from pipelines.builds.records import Build, NotPublishable, Status, publishable, refuse_without_build

__all__ = [
    "Build",
    "BuildLock",
    "BuildLockLost",
    "NotPublishable",
    "Report",
    "Status",
    "describe_differences",
    "hold_build_lock",
    "publishable",
    "refuse_without_build",
]
