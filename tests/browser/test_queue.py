"""Dagster's queue under `ideamint up`: a killed code server does not block it.

It uses the installation of the browser tests, but no browser.
"""

from __future__ import annotations

import os
import re
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx2
import psutil
import pytest

import settings as configuration
from cli.local import postgres
from cli.local.ports import free_port
from pipelines.builds import hold_build_lock
from tests.factories.clocks import GIVE_UP_AFTER_S, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.browser.conftest import Installation

pytestmark = pytest.mark.browser

LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchRun(executionParams: $params) { __typename ... on LaunchRunSuccess { run { runId } } }
}
"""
RUNS = "{ runsOrError { ... on Runs { results { runId status } } } }"
LOCATIONS = "{ repositoriesOrError { ... on RepositoryConnection { nodes { name location { name } } } } }"


class Engineer:
    """A data engineer who commands Dagster's page with the session of a browser."""

    def __init__(self, installation: Installation, client: httpx2.Client) -> None:
        self.origin, self.client = installation.dagster_url, client
        login, account = f"{installation.api_url}/login", installation.logins["data engineer"]
        token = re.search(r'name="csrf" value="([^"]+)"', self.client.get(login).text)
        assert token is not None
        fields = {"email": account["email"], "password": account["password"], "csrf": token[1], "next": self.origin}
        assert self.client.post(login, data=fields).headers["location"] == self.origin

    def graphql(self, query: str, **variables: Any) -> Any:
        sent = {"query": query, "variables": variables}
        response = self.client.post(f"{self.origin}/graphql", json=sent, headers={"Origin": self.origin})
        assert response.status_code == 200, response.text
        return response.json()["data"]

    def statuses(self) -> dict[str, str]:
        """The status of each run by its id."""
        return {run["runId"]: run["status"] for run in self.graphql(RUNS)["runsOrError"]["results"]}

    def repositories(self) -> list[Any]:
        """The loaded repositories; none before the page has reached the code server."""
        return list(self.graphql(LOCATIONS)["repositoriesOrError"].get("nodes", ()))

    def launch(self, job: str) -> str:
        (repository,) = self.repositories()
        selector = {
            "repositoryLocationName": repository["location"]["name"],
            "repositoryName": repository["name"],
            "jobName": job,
        }
        launched = self.graphql(LAUNCH, params={"selector": selector, "mode": "default", "runConfigData": {}})
        return str(launched["launchRun"]["run"]["runId"])


def code_server(installation: Installation) -> psutil.Process:
    """The process of `ideamint up` that loads the definitions and executes the runs."""
    (found,) = [
        process
        for process in psutil.process_iter(["cmdline", "environ"])
        if "grpc" in (process.info["cmdline"] or ())
        and str(installation.data_dir) in (process.info["environ"] or {}).get("DAGSTER_HOME", "")
        and "grpc" not in (process.parent() or process).cmdline()
    ]
    return found


@contextmanager
def builds_wait(installation: Installation) -> Iterator[None]:
    """While the block runs, a build waits for the build lock, so that its run stays started."""
    settings = configuration.load(
        env_file=None, env="test", data_dir=installation.data_dir / "data", dagster_port=free_port()
    )
    with (
        postgres.running(settings) as database,
        hold_build_lock(database.database.role_url("dbt"), "the test", print),
    ):
        yield


def test_a_killed_code_server_fails_its_run_and_the_queue_goes_on(installation: Installation) -> None:
    with builds_wait(installation), httpx2.Client(trust_env=False, timeout=GIVE_UP_AFTER_S) as client:
        engineer = Engineer(installation, client)
        until(lambda: bool(engineer.repositories()))
        first, waiting = engineer.launch("everything"), engineer.launch("everything")
        until(lambda: engineer.statuses()[first] == "STARTED")
        assert engineer.statuses()[waiting] == "QUEUED"

        os.kill(code_server(installation).pid, signal.SIGKILL)

        until(lambda: engineer.statuses()[first] == "FAILURE")
        # It may be dequeued while the code server restarts, and is launched later then.
        until(lambda: engineer.statuses()[waiting] in {"STARTED", "FAILURE"})
        assert engineer.statuses()[waiting] == "STARTED"
