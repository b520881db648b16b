"""Runs that lost their process are found by asking the code server, a real one here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from cli.local.ports import free_port
from tests.factories.clocks import GIVE_UP_AFTER_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import dagster as dg

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")

DAGSTER = [sys.executable, "-m", "dagster"]
DEFINITIONS = """
import time
import dagster as dg

@dg.op
def wait():
    time.sleep(600)

@dg.job
def waiting():
    wait()

defs = dg.Definitions(jobs=[waiting])
"""
CONFIGURATION = """
run_coordinator:
  module: dagster.core.run_coordinator
  class: DefaultRunCoordinator
run_launcher:
  module: orchestration.run_launcher
  class: CodeServerRunLauncher
  config:
    port: {port}
run_monitoring:
  enabled: true
telemetry:
  enabled: false
"""
WORKSPACE = """
load_from:
  - grpc_server:
      host: 127.0.0.1
      port: {port}
      location_name: waiting
"""


class CodeServer:
    """A code server with one job that waits, on a Dagster instance of its own."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.folder = folder
        (folder / "waiting.py").write_text(DEFINITIONS)
        (folder / "dagster.yaml").write_text(CONFIGURATION.format(port=self.port))
        (folder / "workspace.yaml").write_text(WORKSPACE.format(port=self.port))
        self.start()

    def start(self) -> None:
        """Start the server and wait until it answers."""
        command = [*DAGSTER, "api", "grpc", "-f", "waiting.py", "-h", "127.0.0.1", "-p", str(self.port)]
        self.process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

        give_up_at = time.monotonic() + GIVE_UP_AFTER_S
        check = [*DAGSTER, "api", "grpc-health-check", "-p", str(self.port)]
        while subprocess.run(check, env=self.environment, capture_output=True, check=False).returncode != 0:
            assert time.monotonic() < give_up_at
            assert self.process.poll() is None

    def launch(self) -> str:
        """Launch a run of the job that waits, and return its id."""
        run_id = str(uuid4())
        command = [*DAGSTER, "job", "launch", "-w", "workspace.yaml", "-j", "waiting", "--run-id", run_id]
        subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, check=True)
        return run_id

    @property
    def environment(self) -> dict[str, str]:
        return {"DAGSTER_HOME": str(self.folder), "PATH": os.environ["PATH"], "DAGSTER_DISABLE_TELEMETRY": "1"}

    def end(self) -> None:
        """End the server and its runs, as the supervisor ends the process group of a service."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def code_server(tmp_path: Path) -> Iterator[CodeServer]:
    server = CodeServer(tmp_path)
    yield server
    server.end()


def until_status(instance: dg.DagsterInstance, run_id: str, status: dg.DagsterRunStatus) -> dg.DagsterRun:
    give_up_at = time.monotonic() + GIVE_UP_AFTER_S
    while True:
        run = instance.get_run_by_id(run_id)
        if run is not None and run.status == status:
            return run
        assert time.monotonic() < give_up_at, run
        time.sleep(0.2)


def test_a_run_whose_process_was_killed_is_failed(code_server: CodeServer) -> None:
    import logging

    import dagster as dg
    from dagster._core.launcher import WorkerStatus
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import WorkspaceFileTarget
    from dagster._daemon.monitoring.run_monitoring import execute_run_monitoring_iteration

    with dg.DagsterInstance.from_config(str(code_server.folder)) as instance:
        target = WorkspaceFileTarget([str(code_server.folder / "workspace.yaml")])
        with WorkspaceProcessContext(instance, target) as workspace:
            run_id = code_server.launch()
            run = until_status(instance, run_id, dg.DagsterRunStatus.STARTED)
            assert instance.run_launcher.check_run_worker_health(run).status == WorkerStatus.RUNNING

            code_server.end()
            assert instance.run_launcher.check_run_worker_health(run).status == WorkerStatus.RUNNING

            code_server.start()
            list(execute_run_monitoring_iteration(workspace, logging.getLogger(__name__)))
            until_status(instance, run_id, dg.DagsterRunStatus.FAILURE)
