"""Dagster under `ideamint up`: its page with a person's session, and a queue that a killed process does not block."""

from __future__ import annotations

import os
import re
import signal
import time
from typing import TYPE_CHECKING, Any

import httpx2
import psutil
import pytest

import settings as configuration
from cli.local import postgres
from cli.local.ports import free_port
from pipelines.builds import hold_build_lock
from tests.cli.test_up import Up, child_pids, migrated, running
from tests.factories.clocks import GIVE_UP_AFTER_S
from tests.factories.users import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.factories.shells import Shell

__all__ = ["migrated"]  # a fixture

ENGINEER = "data.engineer@example.org"
LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchRun(executionParams: $params) { __typename ... on LaunchRunSuccess { run { runId } } }
}
"""
RUNS = "{ runsOrError { ... on Runs { results { runId status } } } }"
LOCATIONS = "{ repositoriesOrError { ... on RepositoryConnection { nodes { name location { name } } } } }"


class DagsterPage:
    """Dagster's page in the browser of a person who is logged in."""

    def __init__(self, up: Up, port: int) -> None:
        self.origin = f"http://localhost:{port}"
        self.client = httpx2.Client(trust_env=False, timeout=60)
        login = f"http://localhost:{up.port}/login"
        form = self.client.get(login)
        token = re.search(r'name="csrf" value="([^"]+)"', form.text)
        assert token is not None, form.text
        fields = {"email": ENGINEER, "password": PASSWORD, "csrf": token[1], "next": self.origin}
        self.redirected = self.client.post(login, data=fields).headers["location"]

    def graphql(self, query: str, **variables: Any) -> Any:
        sent = {"query": query, "variables": variables}
        response = self.client.post(f"{self.origin}/graphql", json=sent, headers={"Origin": self.origin})
        assert response.status_code == 200, response.text
        return response.json()["data"]

    def statuses(self) -> dict[str, str]:
        """Statuses by run, the newest run first."""
        return {run["runId"]: run["status"] for run in self.graphql(RUNS)["runsOrError"]["results"]}

    def repositories(self) -> list[Any]:
        """The loaded repositories; none before the page has reached the code server."""
        found = self.graphql(LOCATIONS)["repositoriesOrError"]
        return list(found.get("nodes", ()))

    def launch(self, job: str) -> str:
        (repository,) = self.repositories()
        assert repository["location"]["name"] == "ideamint"
        selector = {"repositoryLocationName": "ideamint", "repositoryName": repository["name"], "jobName": job}
        launched = self.graphql(LAUNCH, params={"selector": selector, "mode": "default", "runConfigData": {}})
        return str(launched["launchRun"]["run"]["runId"])


def until(up: Up, condition: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + GIVE_UP_AFTER_S
    while not condition():
        assert time.monotonic() < give_up_at, up.said
        time.sleep(0.5)


@pytest.mark.usefixtures("migrated")
def test_a_killed_code_server_does_not_block_the_queue(ideamint: Shell) -> None:
    created = ideamint(
        "user", "create", ENGINEER, "--role", "data_engineer", "--password-file", "-", given=f"{PASSWORD}\n"
    )
    assert created.code == 0, created.err
    port = free_port()
    settings = configuration.load(env_file=None, env="test", data_dir=ideamint.data_dir)
    with (
        postgres.running(settings) as database,
        # A run of the job waits for the build lock, so it stays started.
        hold_build_lock(database.database.role_url("dbt"), "the test", print),
        running(Up(ideamint, "--only", "api", "--only", "dagster", IDEAMINT_DAGSTER_PORT=str(port))) as up,
    ):
        up.until(lambda: f"http://localhost:{port}" in up.said)
        page = DagsterPage(up, port)
        assert page.redirected == page.origin
        until(up, lambda: bool(page.repositories()))
        first = page.launch("everything")
        until(up, lambda: page.statuses()[first] == "STARTED")

        (code_server,) = [pid for pid in child_pids(ideamint, "api-dagster") if "grpc" in psutil.Process(pid).cmdline()]
        os.kill(code_server, signal.SIGKILL)

        until(up, lambda: page.statuses()[first] == "FAILURE")
        # It runs once more, which also shows that the queue goes on.
        until(up, lambda: "STARTED" in page.statuses().values())
        (second,) = [run for run, status in page.statuses().items() if status == "STARTED"]
        assert second != first
        assert up.end(signal.SIGTERM) == 0
