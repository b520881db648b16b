"""Requests that schemathesis derives from the OpenAPI document, sent to a running API as three roles.

All checks of schemathesis and all its phases, with examples of its own choice, the same in each run. A run prints its counts.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from tests.factories.campaigns import make_world
from tests.factories.users import bearer, commit_user
from tests.upgrade.releases import ROOT, running_api, until_ready

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fastapi import FastAPI
    from httpx2 import AsyncClient

    from settings import Settings

EXAMPLES_PER_OPERATION = 5
GIVE_UP_AFTER_S = 900

# A request that fits the schema can break a rule that a schema cannot state, and one that does not fit can be refused before
# its values are read. Requests of a role can use up its rate limit.
CONFIG = """
[checks.positive_data_acceptance]
# parameters that are each as long as allowed can exceed the request line (414)
expected-statuses = ["2xx", 401, 403, 404, 409, 414, 422, 429, 503]
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 409, 414, 415, 422, 429, 431]
[checks.missing_required_header]
# a dry run needs no key
expected-statuses = ["2xx", 400, 401, 403, 404, 409, 422]
[checks.not_a_server_error]
# busy, or nothing is published yet
expected-statuses = ["2xx", "3xx", "4xx", 503]
"""
ROLES: dict[str, dict[str, Any]] = {
    "administrator": {"roles": ["system_admin"]},
    "manager": {"permissions": ["create_campaign"]},
    "member": {},
}


@pytest.mark.parametrize("role", ROLES)
async def test_the_api_fits_its_document(
    application: FastAPI,
    client: AsyncClient,
    database: Settings,
    tmp_path: Path,
    figure: Callable[[str], None],
    role: str,
) -> None:
    user = await commit_user(application, **ROLES[role])
    world = await make_world(application, client)
    added = await world.call(world.manager, "POST", "/campaigns/{id}/members", json={"email": user.email})
    assert added.status_code == 201, added.text
    token = (await bearer(application, user))["Authorization"]
    with running_api(ROOT, database, tmp_path / "api.log") as (process, url):
        async with httpx2.AsyncClient(base_url=url) as running:
            await until_ready(running, process, tmp_path / "api.log")
        output, report = await asyncio.to_thread(run_schemathesis, url, token, tmp_path)
    cases, failures = report["test_cases"], [f"{each['title']} ({each['count']})" for each in report["failures"]]
    figure(
        f"{role}: {report['operations']['tested']} operations, {cases['generated']} requests, "
        f"{cases['unique_failures']} failures"
    )
    assert report["complete"], output
    assert (failures, report["errors"]) == ([], []), output
    assert cases["generated"] > report["operations"]["tested"] > 30
    assert {phase["status"] for phase in report["phases"].values()} <= {"success", "skip"}, report["phases"]


def run_schemathesis(url: str, token: str, folder: Path) -> tuple[str, dict[str, Any]]:
    """The output of a run against the API at `url`, and its report."""
    config, report = folder / "schemathesis.toml", folder / "report.json"
    config.write_text(CONFIG)
    # fmt: off
    command = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", str(config),
        "run", f"{url}/api/v1/openapi.json", "--header", f"Authorization: {token}", "--checks", "all",
        "--phases", "examples,coverage,fuzzing,stateful", "--max-examples", str(EXAMPLES_PER_OPERATION),
        # a connection that the server closes while it is used again; a server that has stopped stays unreachable
        "--request-retries", "2",
        "--generation-deterministic", "--continue-on-failure",
        "--suppress-health-check", "all", "--warnings", "off", "--no-color", "--no-shrink",
        "--exclude-operation-id", "logOut",  # it ends the session of the whole run
        "--report", "json", "--report-json-path", str(report), "--report-dir", str(folder),
    ]
    # fmt: on
    finished = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=GIVE_UP_AFTER_S, check=False)
    output = finished.stdout + finished.stderr
    assert report.exists(), output
    return output, json.loads(report.read_text())
