"""Checks of a staged snapshot's files before they are published.

dbt tests the tables in the warehouse; these checks read the files that were written from them, as readers do.
"""

from pipelines.quality.checking import CheckResult, QualityReport, SnapshotRefused, check
from pipelines.quality.suites import SUITES, Suite

__all__ = ["SUITES", "CheckResult", "QualityReport", "SnapshotRefused", "Suite", "check"]
