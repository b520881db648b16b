"""Runs the suites over a staged snapshot."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from pipelines.exports import DATABASE_FILE
from pipelines.quality.suites import SUITES, Suite

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations.data_context.data_context.ephemeral_data_context import EphemeralDataContext

_EXAMPLES_MAX = 3

Advance = Callable[[int, int], None]


class SnapshotRefused(Exception):
    """A staged snapshot failed its checks; `report` lists the failures."""

    def __init__(self, report: QualityReport) -> None:
        """The message has a line for each failure."""
        self.report = report
        super().__init__(
            "\n".join(f"{result.name}: {failure}" for result in report.failed for failure in result.failures)
        )


@dataclass(frozen=True)
class CheckResult:
    """One suite's result: the numbers of rows and expectations, and a message for each failure."""

    name: str
    description: str
    rows: int
    expectations: int
    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether every expectation was met."""
        return not self.failures


@dataclass(frozen=True)
class QualityReport:
    """The results of the suites."""

    results: tuple[CheckResult, ...]

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        """The suites that failed."""
        return tuple(result for result in self.results if not result.passed)

    @property
    def passed(self) -> bool:
        """Whether the snapshot may be published."""
        return not self.failed


def check(folder: Path, progress: Advance | None = None, *, suites: Sequence[Suite] = SUITES) -> QualityReport:
    """Check the snapshot in `folder`, which holds the manifest, the DuckDB file and the Parquet files.

    `progress` is called with the number of finished suites and the number of `suites`. The import of Great Expectations takes about 6 s.

    Raises:
        OSError: a file that the manifest names is missing.
    """
    frames = _frames(folder, suites)
    results: list[CheckResult] = []
    # Dependencies of Great Expectations emit warnings at import.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context = _context()
        for done, suite in enumerate(suites, start=1):
            results.append(_run(context, suite, frames[suite.name]))
            if progress is not None:
                progress(done, len(suites))
    return QualityReport(tuple(results))


def _frames(folder: Path, suites: Sequence[Suite]) -> dict[str, pd.DataFrame]:
    """A data frame for each suite."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["tables"]
    with duckdb.connect(str(folder / DATABASE_FILE), read_only=True) as connection:
        connection.execute("CREATE TEMP TABLE manifest (table_name VARCHAR, rows BIGINT, sha256 VARCHAR)")
        connection.execute("CREATE TEMP TABLE parquet (table_name VARCHAR, rows BIGINT, sha256 VARCHAR)")
        connection.execute("CREATE TEMP TABLE duckdb (table_name VARCHAR, rows BIGINT)")
        for (table,) in connection.execute("SELECT table_name FROM duckdb_tables() WHERE NOT temporary").fetchall():
            connection.execute(f'INSERT INTO duckdb SELECT ?, count(*) FROM "{table}"', [table])  # noqa: S608 - a mart's name
        for table, entry in manifest.items():
            path = folder / entry["file"]
            connection.execute("INSERT INTO manifest VALUES (?, ?, ?)", [table, entry["rows"], entry["sha256"]])
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            connection.execute(
                "INSERT INTO parquet SELECT ?, count(*), ? FROM read_parquet(?)", [table, sha256, str(path)]
            )
        return {suite.name: connection.execute(suite.query).df() for suite in suites}


def _context() -> EphemeralDataContext:
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read at import; otherwise the package sends usage data
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return context


def _run(context: EphemeralDataContext, suite: Suite, frame: pd.DataFrame) -> CheckResult:
    import great_expectations as gx
    import great_expectations.expectations as gxe

    batch = (
        context.data_sources.add_pandas(suite.name)
        .add_dataframe_asset(suite.name)
        .add_batch_definition_whole_dataframe(suite.name)
        .get_batch(batch_parameters={"dataframe": frame})
    )
    expectations = [getattr(gxe, kind)(**arguments) for kind, arguments in suite.expectations]
    shown = {"result_format": "COMPLETE", "unexpected_index_column_names": list(suite.keys)}
    result = batch.validate(gx.ExpectationSuite(name=suite.name, expectations=expectations), result_format=shown)
    failures = tuple(_explain(each) for each in result.results if not each.success)
    return CheckResult(suite.name, suite.description, len(frame), len(expectations), failures)


def _explain(result: Any) -> str:
    config = result.expectation_config
    arguments = {name: value for name, value in config.kwargs.items() if name != "batch_id"}
    shown = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    if (result.exception_info or {}).get("raised_exception"):
        return f"{config.type} ({shown}) could not be evaluated: {result.exception_info.get('exception_message')}"
    unexpected = result.result.get("unexpected_count")
    rows = result.result.get("unexpected_index_list") or [result.result.get("observed_value")]
    examples = "; ".join(_named(row) for row in rows[:_EXAMPLES_MAX])
    return f"{config.type} ({shown}): {unexpected if unexpected is not None else 1} unexpected, such as {examples}"


def _named(row: Any) -> str:
    """A row by its keys and its unexpected values."""
    return ", ".join(f"{name}={value}" for name, value in row.items()) if isinstance(row, dict) else repr(row)
