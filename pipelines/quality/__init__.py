"""Checks a staged snapshot's files before anybody reads them.

dbt has tested the tables in the warehouse; this looks at the files that were made of them, as readers will.
"""

from pipelines.quality.checking import CheckResult, QualityReport, SnapshotRefused, check
from pipelines.quality.suites import SUITES, Suite

__all__ = ["SUITES", "CheckResult", "QualityReport", "SnapshotRefused", "Suite", "check"]
