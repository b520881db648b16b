"""Records of builds outside Dagster's runs, so that Dagster's page shows what the command line built and published."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what Dagster's packages warn of at import
    import dagster as dg
    from dagster_dbt.asset_utils import get_asset_check_key_for_test
    from dagster_postgres.utils import DagsterPostgresException

    from orchestration.defs.dbt import Translator
    from orchestration.defs.exports import snapshot_metadata
    from orchestration.defs.quality import SNAPSHOT, results

from sqlalchemy.exc import SQLAlchemyError

from orchestration.refresh import Records, Unrecorded
from orchestration.resources import environment_variables
from pipelines import exports
from pipelines.quality import QualityReport

_BUILT = frozenset({"success"})


class DagsterRecords:
    """Reports materialisations and checks to an instance of Dagster, as events without a run."""

    def __init__(self, instance: dg.DagsterInstance, report: Callable[[str], None]) -> None:
        """`report` is called with a message if Dagster's database fails: a build does not depend on it."""
        self._instance = instance
        self._report = report

    def built(self, target: Path) -> None:
        """The models and tests of a build, from dbt's artifacts in its target folder."""
        with _tolerated(self._report):
            self._report_build(target)

    def checked(self, report: QualityReport) -> None:
        """The checks of a snapshot's files."""
        with _tolerated(self._report):
            for result in results(report):
                assert result.check_name is not None
                check = dg.AssetCheckKey(SNAPSHOT, result.check_name)
                self._report_check(check, passed=result.passed, message=result.description or "")

    def published(self, manifest: exports.Manifest, folder: Path) -> None:
        """A published snapshot."""
        with _tolerated(self._report):
            self._instance.report_runless_asset_event(
                dg.AssetMaterialization(SNAPSHOT, metadata=snapshot_metadata(manifest, folder))
            )

    def _report_build(self, target: Path) -> None:
        try:
            manifest = json.loads((target / "manifest.json").read_text())
            outcomes = json.loads((target / "run_results.json").read_text())["results"]
        except FileNotFoundError:  # dbt ended before it built anything
            return
        translator = Translator()
        for outcome in outcomes:
            unique_id, status = str(outcome["unique_id"]), str(outcome["status"])
            if unique_id.startswith(("model.", "seed.")) and status in _BUILT:
                key = translator.get_asset_key(manifest["nodes"][unique_id])
                self._instance.report_runless_asset_event(dg.AssetMaterialization(key))
            elif unique_id.startswith("test.") and status != "skipped":
                check = get_asset_check_key_for_test(manifest, translator, unique_id, None)
                if check is not None:
                    self._report_check(check, passed=status in {"pass", "warn"}, message=outcome["message"] or "")

    def _report_check(self, check: dg.AssetCheckKey, *, passed: bool, message: str) -> None:
        self._instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=check.asset_key,
                check_name=check.name,
                passed=passed,
                severity=dg.AssetCheckSeverity.ERROR,
                description=message or None,
            )
        )


@contextmanager
def open_records(home: Path, variables: Mapping[str, str], report: Callable[[str], None]) -> Iterator[Records]:
    """Records in the instance of a Dagster home, whose configuration reads these environment variables.

    `report` is called with a message if Dagster's database cannot be used; nothing is recorded then.
    """
    with environment_variables(variables), ExitStack() as until_the_end:
        records: Records = Unrecorded()
        with _tolerated(report):
            instance = until_the_end.enter_context(dg.DagsterInstance.from_config(str(home)))
            records = DagsterRecords(instance, report)
        yield records


@contextmanager
def _tolerated(report: Callable[[str], None]) -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, DagsterPostgresException) as error:
        reason = str(error).strip().splitlines()[0]
        report(f"Dagster's page does not show this build, since its database failed: {reason}")
