"""Dagster reads the configuration that `ideamint up` writes."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import yaml

from cli.local import dagster_home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from settings import Settings


@contextmanager
def variables(values: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class TestWrite:
    def test_configures_an_instance_whose_queue_cannot_block(self, database: Settings, tmp_path: Path) -> None:
        import dagster as dg

        settings = database.with_(data_dir=tmp_path)
        home = dagster_home.write(settings, 1234)

        with variables(dagster_home.environment(settings)), dg.DagsterInstance.from_config(str(home)) as instance:
            assert instance.run_monitoring_enabled
            assert instance.run_monitoring_max_runtime_seconds == dagster_home.RUN_TIMEOUT_S
            assert instance.run_launcher.supports_check_run_worker_health
            queue = instance.get_concurrency_config().run_queue_config
            assert queue is not None
            assert queue.max_concurrent_runs == 1
            assert queue.max_user_code_failure_retries > 0  # a run dequeued while the code server restarts stays queued
            assert instance.run_retries_enabled
            assert instance.run_retries_max_retries == 1
            assert not instance.run_retries_retry_on_asset_or_op_failure
            assert instance.get_runs() == []

    def test_names_the_code_location_whatever_its_port(self, database: Settings, tmp_path: Path) -> None:
        settings = database.with_(data_dir=tmp_path)
        names = set()
        for port in (1234, 5678):
            workspace = yaml.safe_load((dagster_home.write(settings, port) / "workspace.yaml").read_text())
            (location,) = workspace["load_from"]
            assert location["grpc_server"]["port"] == port
            names.add(location["grpc_server"]["location_name"])

        assert names == {"ideamint"}
