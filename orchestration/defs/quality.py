"""The suites of `pipelines.quality` as asset checks of the snapshot."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg

from pipelines.quality import SUITES, QualityReport

SNAPSHOT = dg.AssetKey(["exports", "snapshot"])

CHECKS = [
    dg.AssetCheckSpec(name=suite.name, asset=SNAPSHOT, description=suite.description, blocking=True) for suite in SUITES
]


def results(report: QualityReport) -> Iterator[dg.AssetCheckResult]:
    """A result per suite; its description lists the failures."""
    for result in report.results:
        yield dg.AssetCheckResult(
            passed=result.passed,
            asset_key=SNAPSHOT,
            check_name=result.name,
            severity=dg.AssetCheckSeverity.ERROR,
            description="\n".join(result.failures) or result.description,
            metadata={"rows": result.rows, "expectations": result.expectations},
        )
