"""The launcher of runs that `dagster.yaml` names.

Dagster's own launcher starts each run as a child process of the code server, and cannot say whether a run still has a
process. After a code server was killed its run would stay STARTED for ever, and every later run QUEUED.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import dagster as dg
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import GetCurrentRunsResult
from dagster._serdes import ConfigurableClassData, deserialize_value


class CodeServerRunLauncher(DefaultRunLauncher):
    """Launches runs on the code server, and finds runs that it no longer has.

    `port` is the code server's port now. A run's own tag may name the port of an earlier start.
    """

    def __init__(self, port: int, inst_data: ConfigurableClassData | None = None) -> None:
        self.port = port
        super().__init__(inst_data)

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """The configuration in `dagster.yaml`."""
        return {"port": dg.Field(int)}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> Self:
        """A launcher from the configuration in `dagster.yaml`."""
        return cls(port=config_value["port"], inst_data=inst_data)

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Run monitoring asks for the health of started runs."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether the code server runs the process of a run.

        While the code server does not answer, the run counts as running: it is asked again at the next check.
        """
        try:
            answer = DagsterGrpcClient(host="127.0.0.1", port=self.port).get_current_runs()
        except DagsterUserCodeUnreachableError:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "the code server does not answer")
        current = deserialize_value(answer, GetCurrentRunsResult).current_runs
        if run.run_id in current:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.FAILED, "the process of the run was killed")
